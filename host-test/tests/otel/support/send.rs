//! A sender that is nobody's SDK: a fixture in one of OTLP's encodings, over a connection of its own.

use std::io::Write as _;
use std::net::SocketAddr;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mainstay_collector::{Encoding, Signal, json};
use mainstay_host_test::workload::Workload;
use prost_reflect::DynamicMessage;
use tokio::net::TcpStream;

use crate::common;

/// What the sidecar said.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Of gRPC.
    pub trailers: HeaderMap,
    pub body: Bytes,
}

/// Sends a message and fails unless it is accepted whole.
pub async fn accepted(to: SocketAddr, signal: Signal, encoding: Encoding, message: &[u8]) {
    let reply = send(to, signal, encoding, message, false).await;
    let (status, body) = (reply.status, &reply.body);
    assert_eq!(status, StatusCode::OK, "{signal} {encoding:?}: {reply:?}");
    match encoding {
        Encoding::Grpc => {
            let status = reply.trailers.get("grpc-status").or(reply.headers.get("grpc-status"));
            assert_eq!(
                status.map(|status| status.as_bytes()),
                Some(b"0".as_slice()),
                "{signal}: {reply:?}"
            );
            assert_eq!(body.as_ref(), [0; 5], "{signal}: not an empty message");
        }
        Encoding::Json => assert_eq!(body.as_ref(), b"{}", "{signal}"),
        Encoding::Protobuf => assert!(body.is_empty(), "{signal}: {body:?}"),
    }
}

/// Sends a message, given as protobuf, in one of the encodings.
pub async fn send(to: SocketAddr, signal: Signal, encoding: Encoding, message: &[u8], gzip: bool) -> Reply {
    let body = match encoding {
        Encoding::Json => as_json(signal, message),
        Encoding::Protobuf | Encoding::Grpc => message.to_vec(),
    };
    let body = if gzip { compressed(&body) } else { body };
    let (path, kind, coding, body) = match encoding {
        Encoding::Protobuf => (signal.path(), "application/x-protobuf", "content-encoding", body),
        Encoding::Json => (signal.path(), "application/json", "content-encoding", body),
        Encoding::Grpc => (
            signal.method(),
            "application/grpc",
            "grpc-encoding",
            framed(&body, gzip),
        ),
    };
    let mut request = Request::post(format!("http://{to}{path}"))
        .header("host", to.to_string())
        .header("content-type", kind)
        .header("te", "trailers");
    if gzip {
        request = request.header(coding, "gzip");
    }
    exchange(to, encoding == Encoding::Grpc, request.body(Full::from(body)).unwrap()).await
}

/// A page of the sidecar's health.
pub async fn page(workload: &Workload, path: &str) -> String {
    drop(common::connect(workload, 8081).await);
    let request = Request::get(path).header("host", "otel");
    let request = request.body(Full::default()).unwrap();
    let reply = exchange((workload.loopback(), 8081).into(), false, request).await;
    String::from_utf8(reply.body.to_vec()).unwrap()
}

async fn exchange(to: SocketAddr, h2: bool, request: Request<Full<Bytes>>) -> Reply {
    let stream = TokioIo::new(TcpStream::connect(to).await.unwrap());
    let response = if h2 {
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
            .await
            .unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    };
    let (head, body) = response.into_parts();
    let collected = body.collect().await.unwrap();
    Reply {
        status: head.status,
        headers: head.headers,
        trailers: collected.trailers().cloned().unwrap_or_default(),
        body: collected.to_bytes(),
    }
}

/// The message that these bytes are.
pub fn message(signal: Signal, bytes: &[u8]) -> DynamicMessage {
    DynamicMessage::decode(json::descriptor(signal).unwrap(), bytes).unwrap()
}

fn as_json(signal: Signal, bytes: &[u8]) -> Vec<u8> {
    json::write(&message(signal, bytes)).unwrap()
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn framed(message: &[u8], compressed: bool) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[u8::from(compressed)], length.to_be_bytes().as_slice(), message].concat()
}
