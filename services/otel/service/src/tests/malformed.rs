//! Forty bodies that are wrong in forty ways, in each encoding: refused with the code for it, and the service lives on.

use bytes::Bytes;
use hyper::StatusCode;
use mainstay_otel_core::Signal;
use mainstay_otel_core::status::Code;
use mainstay_otel_core::wire::put_bytes;

use super::collector::Collector;
use super::receivers::{call, framed, http, post, start};
use super::{locally, spans};

/// Protobuf of a request with one span of these bytes.
fn span(bytes: &[u8]) -> Vec<u8> {
    [2, 2, 1].iter().fold(bytes.to_vec(), |inner, number| {
        let mut outer = Vec::new();
        put_bytes(&mut outer, *number, &inner);
        outer
    })
}

fn protobuf() -> Vec<Vec<u8>> {
    let good = spans(0..10);
    let mut flipped = good.clone();
    flipped[0] = 0xFF;
    vec![
        b"x".to_vec(),
        b"<html></html>".to_vec(),
        b"{\"resourceSpans\":[]}".to_vec(),
        vec![0],
        vec![0xFF; 100],
        vec![0x80; 20],
        vec![0x0A],
        vec![0x0A, 0x7F],
        vec![0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
        vec![0x08, 0x01],
        vec![0x0D, 0, 0, 0, 0],
        vec![0x0B],
        vec![0x0C],
        vec![0x0E],
        good[..good.len() - 1].to_vec(),
        [&good[..], &[0x0A, 0x05]].concat(),
        flipped,
        span(&[0x0A]),
        span(&[0x2A, 0x01, 0xFF]),
        span(&[0x39, 1, 2, 3]),
        span(&[0x85, 0x01]),
        span(&[0x4A, 0x02, 0x0A, 0x09]),
        span(&[0x4A, 0x04, 0x12, 0x02, 0x0A, 0x01]),
    ]
}

fn json() -> Vec<String> {
    let span = |field: &str| format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{field}}}]}}]}}]}}"#);
    vec![
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "7".to_owned(),
        "{".to_owned(),
        "{}{}".to_owned(),
        r#"{"resourceSpans":7}"#.to_owned(),
        r#"{"resourceSpans":[7]}"#.to_owned(),
        span(r#""traceId":"no hex""#),
        span(r#""traceId":7"#),
        span(r#""name":{}"#),
        span(r#""kind":"SPAN_KIND_CLIENT""#),
        span(r#""startTimeUnixNano":"yesterday""#),
        span(r#""startTimeUnixNano":-1"#),
        span(r#""flags":4294967296"#),
        span(r#""attributes":[{"value":{"bytesValue":"="}}]"#),
        "[".repeat(100_000),
    ]
}

#[tokio::test]
async fn forty_malformed_bodies_are_refused_and_harm_nobody() {
    locally(async {
        let collector = Collector::new();
        let running = start(&collector, &[]).await;
        let (protobuf, json) = (protobuf(), json());
        assert_eq!(protobuf.len() + json.len(), 40);
        for body in protobuf {
            let reply = http(running.http, post("/v1/traces", "application/x-protobuf", body.clone())).await;
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{body:?}");
            let told = call(running.grpc, Signal::Traces.grpc_path(), &[], framed(false, &body))
                .await
                .grpc();
            assert_eq!(told.code, Code::INVALID_ARGUMENT, "{body:?}: {told:?}");
            // Framed wrongly as well: its own first bytes taken for a prefix.
            let told = call(running.grpc, Signal::Traces.grpc_path(), &[], body.clone())
                .await
                .grpc();
            assert_ne!(told.code, Code::OK, "{body:?}");
        }
        for text in json {
            let reply = http(
                running.http,
                post("/v1/traces", "application/json", Bytes::from(text.clone())),
            )
            .await;
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{text:.80}");
        }
        // Raw bytes that are no HTTP at all, on both ports.
        for address in [running.http, running.grpc] {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(&[0xFF; 4096]).await.unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
        }
        let reply = http(running.http, post("/v1/traces", "application/x-protobuf", spans([7]))).await;
        assert_eq!(reply.status, StatusCode::OK);
        let arrived = async {
            while collector.names() != [7] {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), arrived)
            .await
            .expect("what is good arrives, alone");
        let text = running.context.metrics.render();
        assert!(
            text.contains("otel_refused_requests_total{signal=\"traces\",reason=\"malformed\"}"),
            "{text}"
        );
    })
    .await;
}
