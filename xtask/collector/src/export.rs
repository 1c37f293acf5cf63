//! One request as it arrived.

use std::fmt;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost_reflect::DynamicMessage;

use crate::json;

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metrics.
    Metrics,
    /// Log records.
    Logs,
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Encoding {
    /// OTLP/HTTP with protobuf.
    Protobuf,
    /// OTLP/HTTP with JSON.
    Json,
    /// OTLP/gRPC.
    Grpc,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Export {
    /// What is exported.
    pub signal: Signal,
    /// How it is written.
    pub encoding: Encoding,
    /// The path it was sent to.
    pub path: String,
    /// Names in small letters, and values, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The message, decompressed and without gRPC's frame.
    pub body: Bytes,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// The path below an endpoint of OTLP/HTTP.
    pub fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }

    /// The path of the method of OTLP/gRPC.
    pub fn method(self) -> &'static str {
        match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }

    /// The name of the request's message.
    pub fn message(self) -> &'static str {
        match self {
            Self::Traces => "opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest",
            Self::Metrics => "opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest",
            Self::Logs => "opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest",
        }
    }

    /// Whose path this is, with any prefix.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|signal| path.ends_with(signal.path()) || path == signal.method())
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        })
    }
}

impl Export {
    /// A header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The message, whatever it was encoded in.
    ///
    /// # Errors
    /// It is not what it should be.
    pub fn message(&self) -> Result<DynamicMessage> {
        match self.encoding {
            Encoding::Json => json::parse(self.signal, &self.body),
            Encoding::Protobuf | Encoding::Grpc => {
                let message = DynamicMessage::decode(json::descriptor(self.signal)?, self.body.clone());
                message.with_context(|| format!("the body is no request with {}", self.signal))
            }
        }
    }

    /// The message, if it is spans.
    ///
    /// # Errors
    /// It is something else.
    pub fn traces(&self) -> Result<ExportTraceServiceRequest> {
        self.typed(Signal::Traces)
    }

    /// The message, if it is metrics.
    ///
    /// # Errors
    /// It is something else.
    pub fn metrics(&self) -> Result<ExportMetricsServiceRequest> {
        self.typed(Signal::Metrics)
    }

    /// The message, if it is log records.
    ///
    /// # Errors
    /// It is something else.
    pub fn logs(&self) -> Result<ExportLogsServiceRequest> {
        self.typed(Signal::Logs)
    }

    fn typed<M: prost::Message + Default>(&self, wanted: Signal) -> Result<M> {
        if self.signal != wanted {
            bail!("these are {} and not {wanted}", self.signal);
        }
        Ok(self.message()?.transcode_to()?)
    }
}
