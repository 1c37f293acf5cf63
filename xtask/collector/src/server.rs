//! HTTP/1.1 and HTTP/2: from connections to exports, and from answers to responses.

use std::io::Read as _;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use flate2::read::GzDecoder;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::collector::Shared;
use crate::export::{Encoding, Export, Signal};
use crate::{Answer, grpc};

/// What is left of a service that has no answer: hyper closes the connection.
pub(crate) type Closed = std::io::Error;

/// Serves OTLP/HTTP.
pub(crate) async fn http(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(|request| respond(request, &shared));
            let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // The other end has gone, or was sent away.
            let _ = served.await;
        });
    }
}

/// Serves OTLP/gRPC.
pub(crate) async fn grpc(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| grpc::respond(request, Arc::clone(&shared)));
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            // As above.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn respond(request: Request<Incoming>, shared: &Shared) -> Result<Response<Full<Bytes>>, Closed> {
    let (answer, json) = match receive(request).await {
        Ok(export) => {
            let json = export.encoding == Encoding::Json;
            (shared.receive(export), json)
        }
        Err(error) => (Answer::bad(&format!("{error:#}")), false),
    };
    let (status, retry_after, body) = match answer {
        Answer::Accept => (200, None, Vec::new()),
        Answer::Partial { rejected, message } => (200, None, partial(rejected, message).encode_to_vec()),
        Answer::Refuse {
            http,
            grpc,
            retry_after,
            message,
        } => (
            http,
            retry_after,
            grpc::status(grpc, message, retry_after).encode_to_vec(),
        ),
        Answer::Close => return Err(Closed::other("told to close")),
    };
    let kind = if json {
        "application/json"
    } else {
        "application/x-protobuf"
    };
    let mut response = Response::builder().status(status).header("content-type", kind);
    if let Some(after) = retry_after {
        response = response.header("retry-after", after.as_millis().div_ceil(1000).to_string());
    }
    let body = if json { as_json(status, &body) } else { body };
    let response = response.body(Full::new(Bytes::from(body)));
    Ok(response.unwrap_or_else(|_| Response::new(Full::default())))
}

/// A response's body in JSON. Of a partial success and a status only few fields are set.
fn as_json(status: u16, body: &[u8]) -> Vec<u8> {
    let text = match status {
        200 => {
            let response = ExportTraceServiceResponse::decode(body).unwrap_or_default();
            match response.partial_success {
                Some(partial) => serde_json::json!({"partialSuccess": {
                    // Each signal has a name of its own for it; a reader passes over those that it does not know.
                    "rejectedSpans": partial.rejected_spans.to_string(),
                    "rejectedDataPoints": partial.rejected_spans.to_string(),
                    "rejectedLogRecords": partial.rejected_spans.to_string(),
                    "errorMessage": partial.error_message,
                }}),
                None => serde_json::json!({}),
            }
        }
        _ => {
            let status = grpc::Status::decode(body).unwrap_or_default();
            serde_json::json!({"code": status.code, "message": status.message})
        }
    };
    text.to_string().into_bytes()
}

/// A partial success; the three signals have it at the same place.
pub(crate) fn partial(rejected: i64, message: String) -> ExportTraceServiceResponse {
    ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: rejected,
            error_message: message,
        }),
    }
}

async fn receive(request: Request<Incoming>) -> Result<Export> {
    let (head, body) = request.into_parts();
    let signal =
        Signal::of_path(head.uri.path()).with_context(|| format!("nothing is taken at {}", head.uri.path()))?;
    let encoding = match head.headers.get("content-type").map(|kind| kind.as_bytes()) {
        Some(b"application/x-protobuf") => Encoding::Protobuf,
        Some(kind) if kind.starts_with(b"application/json") => Encoding::Json,
        other => bail!("content-type {:?} is not OTLP's", other.map(String::from_utf8_lossy)),
    };
    let body = body.collect().await?.to_bytes();
    let body = match head.headers.get("content-encoding").map(|coding| coding.as_bytes()) {
        None | Some(b"identity") => body,
        Some(b"gzip") => gunzip(&body)?,
        Some(other) => bail!("content-encoding {:?} is not known", String::from_utf8_lossy(other)),
    };
    Ok(Export {
        signal,
        encoding,
        path: head.uri.path().to_owned(),
        headers: headers(&head.headers),
        body,
    })
}

pub(crate) fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let pair = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (
            name.as_str().to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    };
    headers.iter().map(pair).collect()
}

pub(crate) fn gunzip(compressed: &[u8]) -> Result<Bytes> {
    let mut bytes = Vec::new();
    GzDecoder::new(compressed)
        .read_to_end(&mut bytes)
        .context("the body is not gzip")?;
    Ok(bytes.into())
}
