//! `health.wasm` in a workload: what a probe is answered for a service that lives, dies, or misbehaves.

use std::time::Duration;

use mainstay_host_test::workload::{Phase, Workload};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::common;

/// The whole answer to a request, sent as a probe does.
async fn ask(workload: &Workload, request: &str) -> String {
    let mut stream = TcpStream::connect(workload.http().unwrap()).await.unwrap();
    let request = format!("{request} HTTP/1.1\r\nhost: probe\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = tokio::time::timeout(common::DEADLINE, stream.read_to_string(&mut answer)).await;
    read.expect("no answer in time").unwrap();
    answer
}

fn status(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .unwrap_or_else(|| panic!("{answer:?}"))
        .parse()
        .unwrap()
}

/// The body, which may come in one chunk.
fn body(answer: &str) -> &str {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    if !head.contains("transfer-encoding: chunked") {
        return body;
    }
    let (length, rest) = body.split_once("\r\n").unwrap();
    &rest[..usize::from_str_radix(length, 16).unwrap()]
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    answer
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// A service that is ready, until somebody connects to port 9000 of the workload.
fn with_service() -> common::Builder {
    common::service("test/net-probe")
        .component("health")
        .environment("PROBE_STAY", "127.0.0.1:9000")
        .http()
}

/// A workload in which the test itself plays the service, with these settings of the component.
fn without_service(environment: &[(&str, &str)]) -> Workload {
    let set = |component: &mut mainstay_host_test::workload::spec::Component| {
        let owned = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        component.resources.environment.extend(owned);
    };
    common::without_service().component_with("health", set).http().start()
}

#[tokio::test]
async fn a_living_service_is_ready_a_dead_one_is_not_and_a_restarted_one_is_again() {
    let seconds = |seconds| Duration::from_secs(seconds);
    let workload = with_service()
        .max_restarts(1)
        .with_options(|options| (options.restart.backoff_min, options.restart.backoff_max) = (seconds(2), seconds(2)))
        .start();
    until_ready(&workload).await;
    let alive = ask(&workload, "GET /healthz").await;
    assert_eq!((status(&alive), body(&alive)), (200, "ok\n"));
    assert_eq!(header(&alive, "content-type"), Some("text/plain; charset=utf-8"));
    let metrics = ask(&workload, "GET /metrics").await;
    assert_eq!(
        header(&metrics, "content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert!(body(&metrics).contains("mainstay_loop_wakeups_total"), "{metrics}");

    drop(common::connect(&workload, 9000).await);
    common::status(&workload, |status| status.state == Phase::Starting).await;
    let dead = ask(&workload, "GET /healthz").await;
    assert_eq!(status(&dead), 503);
    assert_eq!(
        body(&dead),
        "the service at 127.0.0.1:8081 is not there: connection refused\n"
    );

    common::status(&workload, |status| status.restarts == 1).await;
    until_ready(&workload).await;
    workload.stop().await;
}

async fn until_ready(workload: &Workload) {
    let ready = async {
        while status(&ask(workload, "GET /readyz").await) != 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(common::DEADLINE, ready)
        .await
        .expect("not ready in time");
}

#[tokio::test]
async fn only_the_pages_are_there_and_only_to_be_read() {
    let workload = with_service().start();
    until_ready(&workload).await;
    for (request, expected) in [
        ("GET /", 404),
        ("GET /healthz/../secret", 404),
        ("POST /", 404),
        ("POST /healthz", 405),
        ("DELETE /metrics", 405),
        ("BREW /readyz", 405),
        ("GET /readyz?verbose=1", 200),
    ] {
        let answer = ask(&workload, request).await;
        assert_eq!(status(&answer), expected, "{request}: {answer}");
        assert_eq!(header(&answer, "allow").is_some(), expected == 405);
    }
    let head = ask(&workload, "HEAD /readyz").await;
    assert_eq!((status(&head), body(&head)), (200, ""));
}

#[tokio::test]
async fn a_service_that_misbehaves_is_unavailable_with_the_reason() {
    let workload = without_service(&[("HEALTH_TIMEOUT", "200ms")]);
    let service = TcpListener::bind((workload.loopback(), 8081)).await.unwrap();
    let long = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(2 * 1024 * 1024));
    let cases = [
        ("", "closed the connection without an answer"),
        ("220 smtp.example ESMTP\r\n\r\n", "answered no HTTP"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf",
            "broke off its answer",
        ),
        (&long, "answers with more than 1024 KiB"),
    ];
    for (answer, reason) in cases {
        let answering = async {
            let (mut stream, _) = service.accept().await.unwrap();
            stream.read_u8().await.unwrap();
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        };
        let (asked, ()) = tokio::join!(ask(&workload, "GET /healthz"), answering);
        let expected = format!("the service at 127.0.0.1:8081 {reason}\n");
        assert_eq!((status(&asked), body(&asked)), (503, &*expected));
    }
    // One that accepts and says nothing, and one that speaks without end but slowly.
    let silent = async { service.accept().await.unwrap() };
    let (asked, _open) = tokio::join!(ask(&workload, "GET /healthz"), silent);
    let slow = "the service at 127.0.0.1:8081 did not answer within 200ms\n";
    assert_eq!((status(&asked), body(&asked)), (503, slow));
    let dripping = async {
        let (mut stream, _) = service.accept().await.unwrap();
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (asked, ()) = tokio::join!(ask(&workload, "GET /healthz"), dripping);
    assert_eq!((status(&asked), body(&asked)), (503, slow));
}

#[tokio::test]
async fn one_probe_is_one_connection() {
    let workload = without_service(&[("HEALTH_TARGET", "127.0.0.1:8090")]);
    let service = TcpListener::bind((workload.loopback(), 8090)).await.unwrap();
    let mut connections = 0;
    for _ in 0..5 {
        let answering = async {
            let (mut stream, _) = service.accept().await.unwrap();
            let mut request = vec![0; 18];
            stream.read_exact(&mut request).await.unwrap();
            assert_eq!(request, b"GET /healthz HTTP/");
            stream
                .write_all(b"HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nfine")
                .await
                .unwrap();
            stream.shutdown().await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
            connections += 1;
        };
        let (asked, ()) = tokio::join!(ask(&workload, "GET /healthz"), answering);
        assert_eq!((status(&asked), body(&asked)), (200, "fine"));
    }
    assert_eq!(connections, 5);
    let more = tokio::time::timeout(Duration::from_millis(50), service.accept()).await;
    assert!(more.is_err(), "a connection that nobody asked for");
}

#[tokio::test]
async fn a_wrong_setting_is_what_the_probe_is_told() {
    let workload = without_service(&[("HEALTH_TARGET", "localhost:8081")]);
    let asked = ask(&workload, "GET /readyz").await;
    assert_eq!(status(&asked), 503);
    assert!(body(&asked).starts_with("HEALTH_TARGET \"localhost:8081\""), "{asked}");
}
