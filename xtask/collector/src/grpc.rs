//! gRPC: a message in a frame, and the outcome in trailers.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Request, Response};
use prost::Message;

use crate::Answer;
use crate::collector::Shared;
use crate::export::{Encoding, Export, Signal};
use crate::server::{Closed, gunzip, headers, partial};

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Status {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Any {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

/// `google.rpc.RetryInfo`, whose one field is a `google.protobuf.Duration`.
#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    delay: Option<ProtoDuration>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ProtoDuration {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

pub(crate) fn status(code: i32, message: String, retry_after: Option<Duration>) -> Status {
    let info = |after: Duration| Any {
        type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
        value: RetryInfo {
            delay: Some(ProtoDuration {
                seconds: after.as_secs().try_into().unwrap_or(i64::MAX),
                nanos: after.subsec_nanos().try_into().unwrap_or_default(),
            }),
        }
        .encode_to_vec(),
    };
    Status {
        code,
        message,
        details: retry_after.map(info).into_iter().collect(),
    }
}

pub(crate) async fn respond(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<impl Body<Data = Bytes, Error = Infallible>>, Closed> {
    let answer = match receive(request).await {
        Ok(export) => shared.receive(export),
        Err(error) => Answer::bad(&format!("{error:#}")),
    };
    let (message, status) = match answer {
        Answer::Accept => (Some(Vec::new()), status(0, String::new(), None)),
        Answer::Partial { rejected, message } => {
            let message = partial(rejected, message).encode_to_vec();
            (Some(message), status(0, String::new(), None))
        }
        Answer::Refuse {
            grpc,
            retry_after,
            message,
            ..
        } => (None, status(grpc, message, retry_after)),
        Answer::Close => return Err(Closed::other("told to close")),
    };
    let body = message.map(|message| frame(&message)).unwrap_or_default();
    let trailers = trailers(&status);
    let mut response = Response::new(Full::new(body).with_trailers(async move { Some(Ok(trailers)) }));
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/grpc"));
    Ok(response)
}

fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    let mut insert = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            trailers.insert(name, value);
        }
    };
    insert("grpc-status", status.code.to_string());
    if status.code != 0 {
        insert("grpc-message", status.message.replace('%', "%25"));
        insert(
            "grpc-status-details-bin",
            STANDARD_NO_PAD.encode(status.encode_to_vec()),
        );
    }
    trailers
}

/// A message, not compressed.
fn frame(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(message.len().try_into().unwrap_or(u32::MAX));
    frame.extend_from_slice(message);
    frame.freeze()
}

async fn receive(request: Request<Incoming>) -> Result<Export> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let signal = Signal::ALL.into_iter().find(|signal| signal.method() == path);
    let signal = signal.with_context(|| format!("nothing is taken at {path}"))?;
    let kind = head.headers.get("content-type").map(|kind| kind.as_bytes());
    ensure!(
        kind.is_some_and(|kind| kind.starts_with(b"application/grpc")),
        "this is not gRPC"
    );
    let mut body = body.collect().await?.to_bytes();
    ensure!(body.len() >= 5, "the frame is cut off");
    let compressed = body.get_u8() != 0;
    let length = body.get_u32() as usize;
    ensure!(
        body.len() == length,
        "the frame says {length} bytes and has {}",
        body.len()
    );
    if compressed {
        match head.headers.get("grpc-encoding").map(|coding| coding.as_bytes()) {
            Some(b"gzip") => body = gunzip(&body)?,
            other => bail!("grpc-encoding {:?} is not known", other.map(String::from_utf8_lossy)),
        }
    }
    Ok(Export {
        signal,
        encoding: Encoding::Grpc,
        path: path.to_owned(),
        headers: headers(&head.headers),
        body,
    })
}
