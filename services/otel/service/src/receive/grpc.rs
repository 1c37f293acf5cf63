//! Calls and trailers of OTLP/gRPC (OTLP 1.x §OTLP/gRPC).

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use mainstay_otel_core::Signal;
use mainstay_otel_core::grpc;
use mainstay_otel_core::response::{self, PartialSuccess};
use mainstay_otel_core::status::{Code, Status};

use super::Receiver;
use super::body::{self, BodyError};
use crate::coding::{self, DecodeError};
use crate::component::Component;
use crate::config::Compression;
use crate::intake::Encoding;

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const OK: HeaderValue = HeaderValue::from_static("0");

/// What this receiver decompresses.
const ACCEPTED: HeaderValue = HeaderValue::from_static("identity,gzip,zstd");

/// Answers one call.
pub(super) async fn answer<C: Component>(receiver: &Receiver<C>, request: Request<Incoming>) -> Response<Answer> {
    let content_type = request
        .headers()
        .get(CONTENT_TYPE)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    if !content_type.starts_with(b"application/grpc") || request.method() != Method::POST {
        let mut response = Response::new(Answer::default());
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return response;
    }
    match take(receiver, request).await {
        Ok(partial) => success(partial.as_ref()),
        Err(status) => failure(&status),
    }
}

async fn take<C: Component>(
    receiver: &Receiver<C>,
    request: Request<Incoming>,
) -> Result<Option<PartialSuccess>, Status> {
    let Some(signal) = Signal::of_grpc_path(request.uri().path()) else {
        return Err(Status::new(
            Code::UNIMPLEMENTED,
            format!("no method {:?}", request.uri().path()),
        ));
    };
    let coding = coding(request.headers())?;
    let limit = receiver.max_request;
    let read = body::read(request.into_body(), limit + grpc::PREFIX, &receiver.memory).await;
    let (body, mut reserved) = read.map_err(|error| unreadable(receiver, signal, &error))?;
    let malformed = |reason: String| {
        receiver.intake.malformed(signal);
        Status::new(Code::INTERNAL, reason)
    };
    let Some((compressed, message)) = grpc::message(&body).map_err(|error| malformed(error.to_string()))? else {
        return Err(malformed("a unary call without a message".to_owned()));
    };
    let coding = match (compressed, coding) {
        (false, _) => Compression::None,
        (true, Compression::None) => return Err(malformed("a compressed message without grpc-encoding".to_owned())),
        (true, coding) => coding,
    };
    let message = body.slice_ref(message);
    let message =
        body::decode(coding, message, limit, &mut reserved).map_err(|error| unreadable(receiver, signal, &error))?;
    receiver.intake.take(signal, Encoding::Protobuf, message).await
}

fn unreadable<C: Component>(receiver: &Receiver<C>, signal: Signal, error: &BodyError) -> Status {
    match error {
        BodyError::TooLarge(_) | BodyError::Decode(DecodeError::TooLarge(_)) => {
            receiver.intake.too_large(signal);
            Status::new(Code::RESOURCE_EXHAUSTED, error.to_string())
        }
        BodyError::Stalled(_) => {
            receiver.intake.stalled(signal);
            Status::new(Code::DEADLINE_EXCEEDED, error.to_string())
        }
        BodyError::NoMemory => receiver.intake.overloaded(signal),
        BodyError::Decode(DecodeError::Malformed { .. }) | BodyError::Broken(_) => {
            receiver.intake.malformed(signal);
            Status::new(Code::INTERNAL, error.to_string())
        }
    }
}

fn coding(headers: &HeaderMap) -> Result<Compression, Status> {
    let Some(value) = headers.get("grpc-encoding") else {
        return Ok(Compression::None);
    };
    let found = value.to_str().ok().and_then(coding::named);
    // Refused with the list of what would be taken (grpc/grpc doc/compression.md).
    found.ok_or_else(|| Status::new(Code::UNIMPLEMENTED, "grpc-encoding is not gzip, zstd or identity"))
}

fn success(partial: Option<&PartialSuccess>) -> Response<Answer> {
    let message = response::to_protobuf(partial);
    let mut data = grpc::prefix(false, message.len()).to_vec();
    data.extend_from_slice(&message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", OK);
    head(Answer {
        data: Some(data.into()),
        trailers: Some(trailers),
    })
}

/// A call that fails has a head only, with the status in it.
fn failure(status: &Status) -> Response<Answer> {
    let mut response = head(Answer::default());
    let headers = response.headers_mut();
    headers.insert("grpc-status", status.code.0.into());
    let texts = [
        ("grpc-message", grpc::encode_message(&status.message)),
        ("grpc-status-details-bin", status.to_header()),
    ];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    response
}

fn head(answer: Answer) -> Response<Answer> {
    let mut response = Response::new(answer);
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response.headers_mut().insert("grpc-accept-encoding", ACCEPTED);
    response
}

/// The body of an answer: a message and trailers, or nothing.
#[derive(Debug, Default)]
pub(super) struct Answer {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let data = self.data.take().map(Frame::data);
        let frame = data.or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.as_ref().map_or(0, Bytes::len) as u64)
    }
}
