//! Several services in the one slot of a workload: each does its work, and they are watched as one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod common;
#[path = "cron/support.rs"]
mod cron;
#[path = "otel/support/mod.rs"]
mod otel;

use common::{DEADLINE, service};
use cron::{logged, page, said};
use mainstay_collector::{Collector, Encoding, Signal};
use mainstay_host_test::workload::Phase;
use otel::arrived;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn cron_calls_a_component_while_the_sidecar_takes_what_others_have_to_tell() {
    let collector = Collector::start().unwrap();
    let workload = otel::to_collector(service("bundle-cron"), collector.http(), Encoding::Protobuf)
        .component("example-cron")
        .component("test/otel-emitter")
        .component("otel-client")
        .environment("MAINSTAY_SERVICES", "cron, otel")
        .environment("CRON_SCHEDULE", "@every 1s")
        .environment("CRON_OTLP_ENDPOINT", "http://127.0.0.1:4318")
        .http()
        .start();
    said(&workload, "hello, world (job@").await;
    otel::receiver(&workload, Encoding::Protobuf).await;
    let mut asked = tokio::net::TcpStream::connect(workload.http().unwrap()).await.unwrap();
    asked
        .write_all(b"GET /spans HTTP/1.1\r\nhost: emitter\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    asked.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    arrived(&workload, &collector, Signal::Traces, 2).await;
    let tick_arrived = collector.wait_for(DEADLINE, |exports| {
        let spans = exports.iter().filter_map(|export| export.traces().ok());
        let mut spans = spans
            .flat_map(|traces| traces.resource_spans)
            .flat_map(|resource| resource.scope_spans);
        spans.any(|scope| {
            scope
                .spans
                .iter()
                .any(|span| span.name == "cron job" && span.trace_id.len() == 16)
        })
    });
    tick_arrived.await.unwrap();
    // One page for both.
    let metrics = page(&workload, "/metrics").await;
    assert!(metrics.contains("\ncron_jobs 1\n"), "{metrics}");
    assert!(
        metrics.contains("\notel_accepted_requests_total{signal=\"traces\"} "),
        "{metrics}"
    );
    assert!(page(&workload, "/readyz").await.starts_with("HTTP/1.1 200 "));
    assert_eq!(workload.stop().await.state, Phase::Completed);
}

#[tokio::test]
async fn the_whole_is_ready_when_every_part_is_and_says_which_is_not() {
    let workload = service("bundle-cron")
        .component("example-cron")
        .environment("MAINSTAY_SERVICES", "cron,otel,pool,nats")
        .environment("CRON_SCHEDULE", "@every 1s")
        .environment("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
        .environment("POOL_CACHE_URL", "redis://127.0.0.1:1")
        .environment("NATS_URL", "nats://127.0.0.1:1")
        .environment("NATS_SUBJECTS", "orders")
        .start();
    logged(&workload, "not ready service=\"nats\"").await;
    let ready = page(&workload, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 503 "), "{ready}");
    let reason = ready.lines().last().unwrap();
    assert!(reason.starts_with("pool: ") || reason.starts_with("nats: "), "{reason}");
    // As they come, no two want the same port.
    said(&workload, "hello, world (job@").await;
    let log = workload.stderr().unwrap().text();
    assert!(!log.contains("in use"), "{log}");
    assert_eq!(workload.stop().await.state, Phase::Completed);
}

#[tokio::test]
async fn a_wrong_setting_of_one_ends_all_and_is_told_once() {
    for (services, said) in [
        ("cron,otel", "no job: set CRON_SCHEDULE"),
        (
            "cron,mcp",
            "MAINSTAY_SERVICES \"mcp\": not one of cron, nats, otel, pool",
        ),
        ("otel,otel", "MAINSTAY_SERVICES \"otel\": named twice"),
        (
            " , ",
            "MAINSTAY_SERVICES \" , \": names no service, must name some of cron, nats, otel, pool",
        ),
    ] {
        let (status, _, log) = service("bundle")
            .environment("MAINSTAY_SERVICES", services)
            .max_restarts(0)
            .run()
            .await;
        assert_eq!(status.state, Phase::Error, "{services:?}: {log}");
        let errors: Vec<&str> = log.lines().filter(|line| line.contains("ERROR")).collect();
        assert_eq!(errors.len(), 1, "{services:?}: {log}");
        assert!(errors[0].contains(said), "{services:?}: {log}");
    }
}
