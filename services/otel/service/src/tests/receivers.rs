//! The receivers, on real sockets: what the specification demands of a server (the README's table names these tests).

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::{http1, http2};
use hyper::header::HeaderMap;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use mainstay_otel_core::response::{self, PartialSuccess};
use mainstay_otel_core::status::{Code, Status};
use mainstay_otel_core::{Signal, grpc, json};
use mainstay_runtime::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::collector::{Collector, Connection};
use super::{SECOND, locally, spans};
use crate::coding;
use crate::component::Nobody;
use crate::config::{Compression, Configuration};
use crate::receive::Local;
use crate::service;

/// A running service.
pub(super) struct Running {
    pub(super) http: SocketAddr,
    pub(super) grpc: SocketAddr,
    pub(super) context: Context,
}

/// What a receiver answered.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    trailers: HeaderMap,
    pub(super) body: Bytes,
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn grpc(&self) -> Status {
        let found = |headers: &HeaderMap| grpc::status(|name| headers.get(name)?.to_str().ok());
        found(&self.trailers).or_else(|| found(&self.headers)).unwrap()
    }
}

/// Starts a service that sends to this collector.
pub(super) async fn start(collector: &Collector, settings: &[(&str, &str)]) -> Running {
    let free = || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let (http, grpc) = (free(), free());
    let (http_text, grpc_text) = (http.to_string(), grpc.to_string());
    let defaults = [
        ("OTEL_RECEIVE_HTTP", http_text.as_str()),
        ("OTEL_RECEIVE_GRPC", grpc_text.as_str()),
        ("OTEL_HEALTH", "off"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example:4318"),
    ];
    let configuration = Configuration::read_from(defaults.into_iter().chain(settings.iter().copied())).unwrap();
    let context = Context::new("otel");
    tokio::task::spawn_local(service::serve(
        context.clone(),
        configuration,
        Nobody,
        collector.connect(),
    ));
    let ready = async {
        while context.health.reason().is_some() {
            tokio::time::sleep(SECOND / 1000).await;
        }
    };
    tokio::time::timeout(30 * SECOND, ready)
        .await
        .expect("it is not ready in time");
    Running { http, grpc, context }
}

pub(super) async fn http(to: SocketAddr, request: Request<Full<Bytes>>) -> Reply {
    let stream = TcpStream::connect(to).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::task::spawn_local(connection);
    reply(sender.send_request(request).await.unwrap()).await
}

async fn reply(response: hyper::Response<hyper::body::Incoming>) -> Reply {
    let (head, body) = response.into_parts();
    let collected = body.collect().await.unwrap();
    let trailers = collected.trailers().cloned().unwrap_or_default();
    Reply {
        status: head.status,
        headers: head.headers,
        trailers,
        body: collected.to_bytes(),
    }
}

pub(super) fn post(path: &str, content_type: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::post(path)
        .header("host", "otel")
        .header("content-type", content_type);
    request.body(Full::new(body.into())).unwrap()
}

pub(super) async fn call(to: SocketAddr, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
    let stream = TcpStream::connect(to).await.unwrap();
    let (mut sender, connection) = http2::handshake(Local, TokioIo::new(stream)).await.unwrap();
    tokio::task::spawn_local(connection);
    let mut request = Request::post(format!("http://otel{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    reply(
        sender
            .send_request(request.body(Full::new(body.into())).unwrap())
            .await
            .unwrap(),
    )
    .await
}

pub(super) fn framed(compressed: bool, message: &[u8]) -> Vec<u8> {
    [&grpc::prefix(compressed, message.len()), message].concat()
}

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

#[tokio::test]
async fn full_success_is_an_empty_response_in_the_encoding_of_the_request() {
    locally(async {
        let collector = Collector::new();
        let running = start(&collector, &[]).await;
        for signal in Signal::ALL {
            let path = format!("/{}", signal.http_path());
            let reply = http(running.http, post(&path, PROTOBUF, Bytes::new())).await;
            assert_eq!(
                (reply.status, reply.header("content-type"), &*reply.body),
                (StatusCode::OK, PROTOBUF, &b""[..])
            );
            let reply = http(running.http, post(&path, "application/json; charset=utf-8", "{}")).await;
            assert_eq!(
                (reply.status, reply.header("content-type"), &*reply.body),
                (StatusCode::OK, JSON, &b"{}"[..])
            );
            let reply = call(running.grpc, signal.grpc_path(), &[], framed(false, b"")).await;
            assert_eq!(
                (reply.status, reply.header("content-type"), &*reply.body),
                (StatusCode::OK, "application/grpc", &[0; 5][..])
            );
            assert_eq!(reply.grpc().code, Code::OK);
        }
        // Empty requests succeed, and are sent to nobody.
        assert_eq!(collector.arrived().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn bodies_come_plain_and_compressed_under_any_prefix() {
    locally(async {
        let collector = Collector::new();
        let running = start(&collector, &[]).await;
        let body = spans(0..50);
        let text = json::encode(Signal::Traces.request(), &body).unwrap();
        let mut sent = 0;
        for coding in [Compression::None, Compression::Gzip, Compression::Zstd] {
            for (content_type, body) in [(PROTOBUF, &body), (JSON, &text)] {
                let mut request = post(
                    "/any/prefix/v1/traces",
                    content_type,
                    coding::encode(coding, body).unwrap(),
                );
                request
                    .headers_mut()
                    .insert("content-encoding", coding.name().parse().unwrap());
                assert_eq!(http(running.http, request).await.status, StatusCode::OK, "{coding:?}");
                sent += 50;
            }
            let message = framed(coding != Compression::None, &coding::encode(coding, &body).unwrap());
            let reply = call(
                running.grpc,
                Signal::Traces.grpc_path(),
                &[("grpc-encoding", coding.name())],
                message,
            )
            .await;
            assert_eq!(reply.grpc().code, Code::OK, "{coding:?}");
            sent += 50;
        }
        let arrived = async {
            while collector.names().len() < sent {
                tokio::time::sleep(SECOND / 100).await;
            }
        };
        tokio::time::timeout(30 * SECOND, arrived)
            .await
            .expect("all of it arrives");
        assert_eq!(collector.names(), (0..9).flat_map(|_| 0..50).collect::<Vec<u64>>());
    })
    .await;
}

#[tokio::test]
async fn what_is_no_request_of_otlp_is_answered_with_a_status_in_its_own_encoding() {
    locally(async {
        let running = start(&Collector::new(), &[]).await;
        let of = |method: Method, path: &str, content_type: &str, headers: &[(&'static str, &str)]| {
            let mut request = post(path, content_type, "x");
            *request.method_mut() = method;
            for (name, value) in headers {
                request.headers_mut().insert(*name, value.parse().unwrap());
            }
            request
        };
        let cases = [
            (of(Method::POST, "/v1/profiles", PROTOBUF, &[]), 404, PROTOBUF),
            (of(Method::POST, "/", JSON, &[]), 404, JSON),
            (of(Method::GET, "/v1/traces", JSON, &[]), 405, JSON),
            (of(Method::PUT, "/v1/logs", PROTOBUF, &[]), 405, PROTOBUF),
            (of(Method::POST, "/v1/logs", "text/plain", &[]), 415, PROTOBUF),
            (
                of(Method::POST, "/v1/logs", PROTOBUF, &[("content-encoding", "br")]),
                415,
                PROTOBUF,
            ),
            (
                of(Method::POST, "/v1/logs", JSON, &[("content-encoding", "deflate")]),
                415,
                JSON,
            ),
            (
                of(Method::POST, "/v1/logs", PROTOBUF, &[("content-encoding", "gzip")]),
                400,
                PROTOBUF,
            ),
            (of(Method::POST, "/v1/logs", JSON, &[]), 400, JSON),
            (of(Method::POST, "/v1/metrics", PROTOBUF, &[]), 400, PROTOBUF),
        ];
        for (request, status, content_type) in cases {
            let shown = format!("{} {} {:?}", request.method(), request.uri(), request.headers());
            let reply = http(running.http, request).await;
            assert_eq!(
                (reply.status.as_u16(), reply.header("content-type")),
                (status, content_type),
                "{shown}"
            );
            let told = match content_type {
                JSON => Status::from_json(&reply.body),
                _ => Status::from_protobuf(&reply.body),
            };
            let told = told.unwrap();
            assert!(!told.message.is_empty() && told.code != Code::OK, "{shown}: {told:?}");
            assert_eq!(reply.header("allow"), if status == 405 { "POST" } else { "" });
        }
    })
    .await;
}

#[tokio::test]
async fn calls_that_are_none_of_otlp_fail_with_the_code_that_says_so() {
    locally(async {
        let running = start(&Collector::new(), &[]).await;
        let path = Signal::Logs.grpc_path();
        let cases = [
            (
                "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
                &[][..],
                framed(false, b""),
                Code::UNIMPLEMENTED,
            ),
            (
                path,
                &[("grpc-encoding", "snappy")][..],
                framed(true, b""),
                Code::UNIMPLEMENTED,
            ),
            (path, &[][..], framed(true, b""), Code::INTERNAL),
            (
                path,
                &[("grpc-encoding", "gzip")][..],
                framed(true, b"no gzip"),
                Code::INTERNAL,
            ),
            (path, &[][..], Vec::new(), Code::INTERNAL),
            (path, &[][..], b"\0\0\0\0\x05abc".to_vec(), Code::INTERNAL),
            (
                path,
                &[][..],
                [framed(false, b""), framed(false, b"")].concat(),
                Code::INTERNAL,
            ),
            (path, &[][..], framed(false, b"x"), Code::INVALID_ARGUMENT),
        ];
        for (path, headers, body, code) in cases {
            let reply = call(running.grpc, path, headers, body.clone()).await;
            let told = reply.grpc();
            assert_eq!((reply.status, told.code), (StatusCode::OK, code), "{body:?}: {told:?}");
            assert_eq!(reply.header("grpc-accept-encoding"), "identity,gzip,zstd");
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_is_too_large_before_and_after_it_is_decompressed() {
    locally(async {
        let running = start(&Collector::new(), &[("OTEL_MAX_REQUEST", "64KiB")]).await;
        // Larger only when it is decompressed.
        let large = spans(0..20_000);
        let gzip = coding::encode(Compression::Gzip, &vec![0; 1 << 20]).unwrap();
        assert!(gzip.len() < 64 << 10);
        for (content_encoding, body) in [("identity", large.clone()), ("gzip", gzip.clone())] {
            let mut request = post("/v1/traces", PROTOBUF, body.clone());
            request
                .headers_mut()
                .insert("content-encoding", content_encoding.parse().unwrap());
            let reply = http(running.http, request).await;
            let told = Status::from_protobuf(&reply.body).unwrap();
            assert_eq!(
                (reply.status, told.code, told.retry_after),
                (StatusCode::PAYLOAD_TOO_LARGE, Code::RESOURCE_EXHAUSTED, None)
            );
            assert_eq!(reply.header("retry-after"), "");
            let message = framed(content_encoding == "gzip", &body);
            let told = call(
                running.grpc,
                Signal::Traces.grpc_path(),
                &[("grpc-encoding", content_encoding)],
                message,
            )
            .await
            .grpc();
            assert_eq!(
                (told.code, told.retry_after),
                (Code::RESOURCE_EXHAUSTED, None),
                "{told:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_again() {
    locally(async {
        let collector = Collector::new();
        collector.connections(|| Connection::Refused);
        let running = start(&collector, &[("OTEL_QUEUE_REQUESTS", "1"), ("OTEL_BATCH_DELAY", "60s")]).await;
        assert_eq!(
            http(running.http, post("/v1/traces", PROTOBUF, spans([1])))
                .await
                .status,
            StatusCode::OK
        );
        let reply = http(running.http, post("/v1/traces", PROTOBUF, spans([2]))).await;
        let told = Status::from_protobuf(&reply.body).unwrap();
        assert_eq!(
            (reply.status, reply.header("retry-after")),
            (StatusCode::TOO_MANY_REQUESTS, "1")
        );
        assert_eq!((told.code, told.retry_after), (Code::RESOURCE_EXHAUSTED, Some(SECOND)));
        let told = call(
            running.grpc,
            Signal::Traces.grpc_path(),
            &[],
            framed(false, &spans([3])),
        )
        .await
        .grpc();
        assert_eq!((told.code, told.retry_after), (Code::RESOURCE_EXHAUSTED, Some(SECOND)));
        // Another signal has a queue of its own.
        assert_eq!(
            http(running.http, post("/v1/logs", PROTOBUF, "")).await.status,
            StatusCode::OK
        );
    })
    .await;
}

#[tokio::test]
async fn what_a_full_queue_drops_is_rejected_in_the_encoding_of_the_request() {
    locally(async {
        let collector = Collector::new();
        collector.connections(|| Connection::Refused);
        let settings = [
            ("OTEL_QUEUE_REQUESTS", "1"),
            ("OTEL_QUEUE_FULL", "drop-newest"),
            ("OTEL_BATCH_DELAY", "60s"),
        ];
        let running = start(&collector, &settings).await;
        let body = spans(0..3);
        assert_eq!(
            http(running.http, post("/v1/traces", PROTOBUF, body.clone()))
                .await
                .body,
            ""
        );
        let partial = Some(PartialSuccess {
            rejected: 3,
            message: "the queue is full, and drops the newest spans".to_owned(),
        });
        let reply = http(running.http, post("/v1/traces", PROTOBUF, body.clone())).await;
        assert_eq!((reply.status, reply.header("content-type")), (StatusCode::OK, PROTOBUF));
        assert_eq!(response::from_protobuf(Signal::Traces, &reply.body).unwrap(), partial);
        let text = json::encode(Signal::Traces.request(), &body).unwrap();
        let reply = http(running.http, post("/v1/traces", JSON, text)).await;
        assert_eq!((reply.status, reply.header("content-type")), (StatusCode::OK, JSON));
        assert_eq!(response::from_json(Signal::Traces, &reply.body).unwrap(), partial);
        let reply = call(running.grpc, Signal::Traces.grpc_path(), &[], framed(false, &body)).await;
        assert_eq!(reply.grpc().code, Code::OK);
        let (_, message) = grpc::message(&reply.body).unwrap().unwrap();
        assert_eq!(response::from_protobuf(Signal::Traces, message).unwrap(), partial);
    })
    .await;
}

/// Sends the head of a request and a part of its body on a connection; what comes back until it is closed.
async fn half_sent(to: SocketAddr, text: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(text).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    answer
}

// In virtual time, which leaps as soon as nothing happens.
#[tokio::test(start_paused = true)]
async fn who_stops_in_the_middle_of_a_request_is_answered_and_gives_back_its_memory() {
    locally(async {
        let running = start(&Collector::new(), &[("OTEL_RECEIVE_MEMORY", "1MiB")]).await;
        let began = tokio::time::Instant::now();
        let head = "POST /v1/traces HTTP/1.1\r\nhost: otel\r\ncontent-type: application/x-protobuf\r\ncontent-length: 1000000\r\n\r\n";
        for _ in 0..3 {
            let answer = half_sent(running.http, &[head.as_bytes(), &[0; 900_000]].concat()).await;
            let answer = String::from_utf8_lossy(&answer);
            assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
        }
        assert!(began.elapsed() >= 90 * SECOND);
        let text = running.context.metrics.render();
        let counted = "otel_refused_requests_total{signal=\"traces\",reason=\"stalled\"} 3";
        assert!(text.contains(counted), "{text}");
        // A call whose body never ends.
        let stream = TcpStream::connect(running.grpc).await.unwrap();
        let (mut sender, connection) = http2::handshake(Local, TokioIo::new(stream)).await.unwrap();
        tokio::task::spawn_local(connection);
        let frames = futures::stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"\0\0\0\0\x05a")))]);
        let body = StreamBody::new(frames.chain(futures::stream::pending()));
        let request = Request::post(format!("http://otel{}", Signal::Traces.grpc_path()))
            .header("content-type", "application/grpc")
            .body(body)
            .unwrap();
        let told = reply(sender.send_request(request).await.unwrap()).await.grpc();
        assert_eq!(told.code, Code::DEADLINE_EXCEEDED, "{told:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_of_http_2_that_is_gone_without_a_word_loses_its_connection() {
    locally(async {
        let running = start(&Collector::new(), &[]).await;
        let began = tokio::time::Instant::now();
        // A preface with empty settings, and no answer to anything after that.
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        let answer = half_sent(running.grpc, preface).await;
        assert!(!answer.is_empty());
        assert!(
            (60 * SECOND..200 * SECOND).contains(&began.elapsed()),
            "{:?}",
            began.elapsed()
        );
    })
    .await;
}

#[tokio::test]
async fn more_than_the_memory_for_receiving_says_when_to_come_again() {
    locally(async {
        let running = start(&Collector::new(), &[("OTEL_RECEIVE_MEMORY", "1MiB")]).await;
        let reply = http(running.http, post("/v1/traces", PROTOBUF, vec![0; 2 << 20])).await;
        assert_eq!(
            (reply.status, reply.header("retry-after")),
            (StatusCode::TOO_MANY_REQUESTS, "1")
        );
        assert_eq!(
            http(running.http, post("/v1/traces", PROTOBUF, spans([1])))
                .await
                .status,
            StatusCode::OK
        );
    })
    .await;
}

#[tokio::test]
async fn many_requests_share_a_connection_and_many_connections_the_service() {
    locally(async {
        let collector = Collector::new();
        let running = start(&collector, &[]).await;
        let clients = (0..20_u64).map(|client| async move {
            let stream = TcpStream::connect(running.grpc).await.unwrap();
            let (sender, connection) = http2::handshake(Local, TokioIo::new(stream)).await.unwrap();
            tokio::task::spawn_local(connection);
            let calls = (0..20).map(|call| {
                let mut sender = sender.clone();
                async move {
                    let message = framed(false, &spans([client * 20 + call]));
                    let request = Request::post(format!("http://otel{}", Signal::Traces.grpc_path()))
                        .header("content-type", "application/grpc")
                        .body(Full::new(Bytes::from(message)))
                        .unwrap();
                    reply(sender.send_request(request).await.unwrap()).await.grpc().code
                }
            });
            assert_eq!(futures::future::join_all(calls).await, [Code::OK; 20]);
        });
        futures::future::join_all(clients).await;
        let arrived = async {
            while collector.names().len() < 400 {
                tokio::time::sleep(SECOND / 100).await;
            }
        };
        tokio::time::timeout(30 * SECOND, arrived)
            .await
            .expect("all of it arrives");
        let mut names = collector.names();
        names.sort_unstable();
        assert_eq!(names, (0..400).collect::<Vec<_>>());
    })
    .await;
}
