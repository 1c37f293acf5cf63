//! What a collector's answer means.

use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, RETRY_AFTER};
use hyper::{Response, StatusCode};
use mainstay_otel_core::response::{self, PartialSuccess};
use mainstay_otel_core::retry::{Failure, FailureKind, kind_of_grpc, kind_of_http};
use mainstay_otel_core::status::{Code, Status};
use mainstay_otel_core::{Signal, grpc};

use crate::config::Protocol;

/// How much of an answer is read.
const LIMIT: usize = 64 << 10;

/// A failure that may pass.
pub(super) fn transient(reason: impl Into<String>) -> Failure {
    Failure {
        reason: reason.into(),
        kind: FailureKind::Transient,
        retry_after: None,
    }
}

/// A failure that the same request would meet again, at this collector.
pub(super) fn refused(reason: impl Into<String>) -> Failure {
    Failure {
        reason: reason.into(),
        kind: FailureKind::Refused,
        retry_after: None,
    }
}

/// The outcome of an export: what the collector says, or that the connection broke before it had said it.
type Outcome = hyper::Result<Result<Option<PartialSuccess>, Failure>>;

/// The answer of OTLP/HTTP.
pub(super) async fn http(signal: Signal, protocol: Protocol, response: Response<Incoming>) -> Outcome {
    let (head, body) = response.into_parts();
    let (body, _) = read(body).await?;
    if head.status.is_success() {
        let partial = match protocol {
            Protocol::HttpJson if body.is_empty() => Ok(None),
            Protocol::HttpJson => response::from_json(signal, &body),
            _ => response::from_protobuf(signal, &body),
        };
        // It took the request, whatever it says about it.
        return Ok(Ok(partial.unwrap_or_else(|error| {
            tracing::debug!(%signal, "success, but not as OTLP says it: {error}");
            None
        })));
    }
    let status = match protocol {
        Protocol::HttpJson => Status::from_json(&body),
        _ => Status::from_protobuf(&body),
    };
    let told = status.as_ref().map_or("", |status| status.message.as_str());
    let kind = kind_of_http(head.status.as_u16());
    let retry_after = retry_after(&head.headers).or(status.as_ref().and_then(|status| status.retry_after));
    Ok(Err(Failure {
        reason: describe(&head.status.to_string(), told),
        kind,
        retry_after: retry_after.filter(|_| kind == FailureKind::Transient),
    }))
}

/// The answer of OTLP/gRPC, whose status is in the trailers, or in the head of an answer without a body.
pub(super) async fn grpc(signal: Signal, response: Response<Incoming>) -> Outcome {
    let (head, body) = response.into_parts();
    let (body, trailers) = read(body).await?;
    let in_headers = |headers: &HeaderMap| grpc::status(|name| headers.get(name)?.to_str().ok());
    let status = trailers
        .as_ref()
        .and_then(in_headers)
        .or_else(|| in_headers(&head.headers));
    let status = status.unwrap_or_else(|| {
        let (code, what) = match head.status {
            StatusCode::OK => (Code::UNKNOWN, "an answer without grpc-status".to_owned()),
            status => (
                grpc::code_of_http(status.as_u16()),
                format!("{status} in place of gRPC"),
            ),
        };
        Status::new(code, what)
    });
    if status.code != Code::OK {
        let kind = kind_of_grpc(status.code, status.retry_after.is_some());
        return Ok(Err(Failure {
            reason: describe(status.code.name(), &status.message),
            kind,
            retry_after: status.retry_after.filter(|_| kind == FailureKind::Transient),
        }));
    }
    let partial = match grpc::message(&body) {
        Ok(Some((false, message))) => response::from_protobuf(signal, message).ok().flatten(),
        // It took the request, whatever it says about it.
        _ => None,
    };
    Ok(Ok(partial))
}

/// Reads an answer. What is more than anybody says in good faith is left out, but read: the connection is kept.
async fn read(mut body: Incoming) -> hyper::Result<(Bytes, Option<HeaderMap>)> {
    let (mut whole, mut trailers) = (BytesMut::new(), None);
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(data) => {
                let room = LIMIT.saturating_sub(whole.len());
                whole.extend_from_slice(data.get(..room).unwrap_or(&data));
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok((whole.freeze(), trailers))
}

fn describe(status: &str, told: &str) -> String {
    let told: String = told.chars().filter(|c| !c.is_control()).take(200).collect();
    if told.is_empty() {
        status.to_owned()
    } else {
        format!("{status}, {told}")
    }
}

/// `Retry-After`: seconds, or a date (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let date = httpdate::parse_http_date(text).ok()?;
            Some(date.duration_since(SystemTime::now()).unwrap_or_default())
        }
    }
}
