//! A batch as a destination wants it: encoded, compressed, framed.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderValue, TE, USER_AGENT};
use hyper::{Method, Request, Version};
use mainstay_otel_core::retry::Failure;
use mainstay_otel_core::{Signal, grpc, json};

use super::answer;
use crate::coding;
use crate::config::{Compression, Protocol, Target};

const AGENT: HeaderValue = HeaderValue::from_static(concat!("OTel-OTLP-Exporter-Mainstay/", env!("CARGO_PKG_VERSION")));

/// A body in pieces, sent as they are: protobuf requests that stand one after the other are one request.
#[derive(Clone, Debug, Default)]
pub(super) struct Payload {
    pieces: VecDeque<Bytes>,
}

/// Makes the body that all attempts send.
pub(super) fn prepare(signal: Signal, target: &Target, bodies: &[Bytes]) -> Result<Payload, Failure> {
    let compressed = |body: &[u8]| {
        let encoded = coding::encode(target.compression, body);
        encoded
            .map(Bytes::from)
            .map_err(|error| answer::refused(format!("cannot be compressed: {error}")))
    };
    let mut pieces: VecDeque<Bytes> = match (target.protocol, target.compression) {
        (Protocol::HttpJson, compression) => {
            let text = json::encode(signal.request(), &bodies.concat());
            let text = text.map_err(|error| answer::refused(error.to_string()))?;
            let body = if compression == Compression::None {
                text.into()
            } else {
                compressed(&text)?
            };
            [body].into()
        }
        (_, Compression::None) => bodies.iter().cloned().collect(),
        _ => [compressed(&bodies.concat())?].into(),
    };
    if target.protocol == Protocol::Grpc {
        let length = pieces.iter().map(Bytes::len).sum();
        let prefix = grpc::prefix(target.compression != Compression::None, length);
        pieces.push_front(Bytes::copy_from_slice(&prefix));
    }
    Ok(Payload { pieces })
}

impl Payload {
    /// The request that carries it.
    pub(super) fn into_request(self, target: &Target) -> Result<Request<Self>, hyper::http::Error> {
        let url = &target.url;
        let is_grpc = target.protocol == Protocol::Grpc;
        let content_type = match target.protocol {
            Protocol::Grpc => "application/grpc",
            Protocol::HttpProtobuf => "application/x-protobuf",
            Protocol::HttpJson => "application/json",
        };
        let mut request = Request::builder().method(Method::POST);
        if is_grpc {
            let scheme = if target.tls.is_some() { "https" } else { "http" };
            request = request
                .version(Version::HTTP_2)
                .uri(format!("{scheme}://{}{}", url.authority(), url.path))
                .header(TE, "trailers")
                .header("grpc-accept-encoding", "identity");
        } else {
            request = request
                .uri(&*url.path)
                .header(HOST, url.authority())
                .header(ACCEPT, content_type);
        }
        request = request.header(CONTENT_TYPE, content_type).header(USER_AGENT, AGENT);
        if target.compression != Compression::None {
            let name = if is_grpc {
                "grpc-encoding"
            } else {
                CONTENT_ENCODING.as_str()
            };
            request = request.header(name, target.compression.name());
        }
        let mut request = request.body(self)?;
        let headers = request.headers_mut();
        for (name, value) in &target.headers {
            headers.insert(name, value.clone());
        }
        Ok(request)
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.pieces.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.pieces.iter().map(|piece| piece.len() as u64).sum())
    }
}
