//! Requests and answers of OTLP/HTTP (OTLP 1.x §OTLP/HTTP).

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use mainstay_otel_core::Signal;
use mainstay_otel_core::response::{self, PartialSuccess};
use mainstay_otel_core::status::{Code, Status};

use super::Receiver;
use super::body::{self, BodyError};
use crate::coding::{self, DecodeError};
use crate::component::Component;
use crate::config::Compression;
use crate::intake::Encoding;

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Why a request is not taken: the status of HTTP, and the one of `google.rpc`.
struct Refusal {
    http: StatusCode,
    status: Status,
}

impl Refusal {
    fn new(http: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self {
            http,
            status: Status::new(code, message),
        }
    }
}

/// Answers one request.
pub(super) async fn answer<C: Component>(receiver: &Receiver<C>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let encoding = encoding(request.headers());
    // What has no encoding of its own is answered in protobuf.
    let answered_in = encoding.unwrap_or(Encoding::Protobuf);
    match take(receiver, request, encoding).await {
        Ok((signal, partial)) => success(signal, answered_in, partial.as_ref()),
        Err(refusal) => failure(refusal, answered_in),
    }
}

async fn take<C: Component>(
    receiver: &Receiver<C>,
    request: Request<Incoming>,
    encoding: Option<Encoding>,
) -> Result<(Signal, Option<PartialSuccess>), Refusal> {
    let Some(signal) = Signal::of_http_path(request.uri().path()) else {
        let message = format!(
            "{:?} does not end in /v1/traces, /v1/metrics or /v1/logs",
            request.uri().path()
        );
        return Err(Refusal::new(StatusCode::NOT_FOUND, Code(5), message));
    };
    if request.method() != Method::POST {
        let message = format!("method {} is not POST", request.method());
        return Err(Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            Code::UNIMPLEMENTED,
            message,
        ));
    }
    let Some(encoding) = encoding else {
        let message = "content-type is not application/x-protobuf or application/json";
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::INVALID_ARGUMENT,
            message,
        ));
    };
    let coding = coding(request.headers())?;
    let read = body::read(request.into_body(), receiver.max_request, &receiver.memory).await;
    let decoded = read.and_then(|(body, mut reserved)| {
        let body = body::decode(coding, body, receiver.max_request, &mut reserved)?;
        Ok((body, reserved))
    });
    let (body, _reserved) = decoded.map_err(|error| unreadable(receiver, signal, &error))?;
    let taken = receiver.intake.take(signal, encoding, body).await;
    let partial = taken.map_err(|status| {
        let http = match status.code {
            Code::INVALID_ARGUMENT => StatusCode::BAD_REQUEST,
            Code::RESOURCE_EXHAUSTED if status.retry_after.is_none() => StatusCode::PAYLOAD_TOO_LARGE,
            Code::RESOURCE_EXHAUSTED => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Refusal { http, status }
    })?;
    Ok((signal, partial))
}

fn unreadable<C: Component>(receiver: &Receiver<C>, signal: Signal, error: &BodyError) -> Refusal {
    match error {
        BodyError::TooLarge(_) | BodyError::Decode(DecodeError::TooLarge(_)) => {
            receiver.intake.too_large(signal);
            Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                Code::RESOURCE_EXHAUSTED,
                error.to_string(),
            )
        }
        BodyError::Stalled(_) => {
            receiver.intake.stalled(signal);
            Refusal::new(StatusCode::REQUEST_TIMEOUT, Code::DEADLINE_EXCEEDED, error.to_string())
        }
        BodyError::NoMemory => Refusal {
            http: StatusCode::TOO_MANY_REQUESTS,
            status: receiver.intake.overloaded(signal),
        },
        BodyError::Decode(DecodeError::Malformed { .. }) | BodyError::Broken(_) => {
            receiver.intake.malformed(signal);
            Refusal::new(StatusCode::BAD_REQUEST, Code::INVALID_ARGUMENT, error.to_string())
        }
    }
}

/// How the request is written, if it can be read.
fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let media_type = text.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/x-protobuf") {
        Some(Encoding::Protobuf)
    } else if media_type.eq_ignore_ascii_case("application/json") {
        Some(Encoding::Json)
    } else {
        None
    }
}

fn coding(headers: &HeaderMap) -> Result<Compression, Refusal> {
    let Some(value) = headers.get(CONTENT_ENCODING) else {
        return Ok(Compression::None);
    };
    let found = value.to_str().ok().and_then(coding::named);
    found.ok_or_else(|| {
        let message = "content-encoding is not gzip, zstd or identity";
        Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::UNIMPLEMENTED, message)
    })
}

fn success(signal: Signal, encoding: Encoding, partial: Option<&PartialSuccess>) -> Response<Full<Bytes>> {
    let (content_type, body) = match encoding {
        Encoding::Protobuf => (PROTOBUF, response::to_protobuf(partial)),
        Encoding::Json => (JSON, response::to_json(signal, partial).unwrap_or_default()),
    };
    respond(StatusCode::OK, content_type, body)
}

/// Errors are `google.rpc.Status` in the encoding of the request (OTLP 1.x §OTLP/HTTP Response, Failures).
fn failure(refusal: Refusal, encoding: Encoding) -> Response<Full<Bytes>> {
    let Refusal { http, status } = refusal;
    let (content_type, body) = match encoding {
        Encoding::Protobuf => (PROTOBUF, status.to_protobuf()),
        Encoding::Json => (JSON, status.to_json()),
    };
    let mut response = respond(http, content_type, body);
    if let Some(delay) = status.retry_after {
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        response.headers_mut().insert(RETRY_AFTER, seconds.max(1).into());
    }
    if http == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

fn respond(status: StatusCode, content_type: HeaderValue, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
