//! Traces, metrics, logs.

use std::fmt;

use crate::wire::schema::{self, Message};

/// One of the three kinds of telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Data points.
    Metrics,
    /// Log records.
    Logs,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// As settings, metrics and logs call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }

    /// What its requests hold, in the plural.
    pub fn items(self) -> &'static str {
        match self {
            Self::Traces => "spans",
            Self::Metrics => "data points",
            Self::Logs => "log records",
        }
    }

    /// The path of OTLP/HTTP (OTLP 1.x §OTLP/HTTP Request), without the slash in front: it is appended to a base URL.
    pub fn http_path(self) -> &'static str {
        match self {
            Self::Traces => "v1/traces",
            Self::Metrics => "v1/metrics",
            Self::Logs => "v1/logs",
        }
    }

    /// The signal that a request's path names, whatever stands in front of it.
    pub fn of_http_path(path: &str) -> Option<Self> {
        let path = path.trim_end_matches('/');
        Self::ALL.into_iter().find(|signal| {
            path.strip_suffix(signal.http_path())
                .is_some_and(|prefix| prefix.ends_with('/'))
        })
    }

    /// The path of the gRPC method.
    pub fn grpc_path(self) -> &'static str {
        match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }

    /// The signal whose gRPC method this is.
    pub fn of_grpc_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signal| signal.grpc_path() == path)
    }

    /// The request's message.
    pub fn request(self) -> &'static Message {
        match self {
            Self::Traces => &schema::TRACES_REQUEST,
            Self::Metrics => &schema::METRICS_REQUEST,
            Self::Logs => &schema::LOGS_REQUEST,
        }
    }

    /// The response's message.
    pub fn response(self) -> &'static Message {
        match self {
            Self::Traces => &schema::TRACES_RESPONSE,
            Self::Metrics => &schema::METRICS_RESPONSE,
            Self::Logs => &schema::LOGS_RESPONSE,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_prefix_stands_before_the_path_and_nothing_after_it() {
        let cases = [
            ("/v1/traces", Some(Signal::Traces)),
            ("/v1/metrics/", Some(Signal::Metrics)),
            ("/tenant/7/v1/logs", Some(Signal::Logs)),
            ("/xv1/logs", None),
            ("v1/logs", None),
            ("/v1/traces/x", None),
            ("/v1/profiles", None),
            ("/", None),
        ];
        for (path, signal) in cases {
            assert_eq!(Signal::of_http_path(path), signal, "{path}");
        }
    }
}
