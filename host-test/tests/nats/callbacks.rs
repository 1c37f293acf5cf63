//! The optional callbacks: what a filter decides, and the six kinds of event.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream;
use mainstay_host_test::workload::Workload;
use mainstay_peers::NatsServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{self, Builder};
use crate::support::{client, count, eventually, log, metric, printed, ready, service, with_streams};

/// The service with a component that takes part in all callbacks and prints what it is told.
fn recorder(server: &NatsServer) -> Builder {
    service("nats-open", server)
        .component("test/nats-recorder")
        .environment("NATS_RECONNECT_MAX", "100ms")
}

fn worker(server: &NatsServer) -> Builder {
    recorder(server)
        .environment("NATS_NAME", "orders")
        .environment("NATS_STREAM", "ORDERS")
        .environment("NATS_CONSUMER", "worker")
        .environment("NATS_ENSURE", "true")
        .environment("NATS_MAX_DELIVER", "1")
        .environment("NATS_DEAD_LETTER", "dead.orders")
}

fn headers(name: &str, value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(name, value);
    headers
}

async fn publish(context: &jetstream::Context, subject: &str, headers: HeaderMap) {
    let published = context.publish_with_headers(subject.to_owned(), headers, "body".into());
    published.await.unwrap().await.unwrap();
}

async fn told(workload: &Workload, event: &str) {
    eventually(event, workload, async || {
        count(workload, &format!("event Event::{event}")) > 0
    })
    .await;
}

#[tokio::test]
async fn a_filter_skips_and_rejects_messages_that_the_handler_never_sees() {
    let (server, context) = with_streams().await;
    let workload = worker(&server).start();
    ready(&workload).await;
    for verdict in ["skip", "reject", "accept"] {
        publish(&context, &format!("orders.{verdict}"), headers("Filter", verdict)).await;
    }
    let ended = async |outcome: &str| {
        let series = format!(r#"nats_deliveries_total{{subscription="orders",outcome="{outcome}"}}"#);
        metric(&workload, &series).await
    };
    eventually("each has ended", &workload, async || {
        (ended("skipped").await, ended("given-up").await, ended("handled").await) == (1.0, 1.0, 1.0)
    })
    .await;
    for verdict in ["skip", "reject", "accept"] {
        assert_eq!(count(&workload, &format!("check orders.{verdict} 4 bytes")), 1);
    }
    assert_eq!(count(&workload, "handle"), 1, "{}", printed(&workload));
    assert_eq!(count(&workload, "handle orders.accept body"), 1);
    let dead = context.get_stream("DEAD").await.unwrap();
    let letter = dead.get_raw_message(1).await.unwrap();
    let reason = letter.headers.get("Dead-Letter-Reason").unwrap();
    assert_eq!(reason.as_str(), "rejected by the handler");
    assert_eq!(dead.get_info().await.unwrap().state.messages, 1);
}

#[tokio::test]
async fn the_connection_tells_of_itself_without_a_subscription_too() {
    let mut server = NatsServer::with_config("server_name: first").unwrap();
    let workload = recorder(&server).start();
    told(&workload, "Connected(Server { name: \"first\"").await;
    server.restart().unwrap();
    told(&workload, "Disconnected(").await;
    eventually("it is connected again", &workload, async || {
        count(&workload, "event Event::Connected(") == 2
    })
    .await;
    let events = printed(&workload);
    let kinds: Vec<&str> = events
        .lines()
        .filter_map(|line| line.strip_prefix("event Event::")?.split('(').next())
        .collect();
    assert_eq!(kinds, ["Connected", "Disconnected", "Connected"]);
}

#[tokio::test]
async fn a_server_that_is_about_to_go_is_an_event() {
    let server = NatsServer::with_config("lame_duck_duration: \"30s\"\nlame_duck_grace_period: \"10s\"").unwrap();
    let workload = recorder(&server).start();
    ready(&workload).await;
    server.signal("ldm").unwrap();
    told(&workload, "LameDuck(").await;
}

#[tokio::test]
async fn a_dead_letter_is_an_event() {
    let (server, context) = with_streams().await;
    let workload = worker(&server).start();
    ready(&workload).await;
    publish(&context, "orders.a", headers("Fail", "no stock")).await;
    told(
        &workload,
        "DeadLettered(DeadLettered { subscription: \"orders\", subject: \"orders.a\", stream: \"ORDERS\", sequence: 1, \
         attempts: 1, reason: \"no stock\", target: Some(\"dead.orders\") })",
    )
    .await;
}

#[tokio::test]
async fn what_a_slow_subscription_drops_is_two_events() {
    let server = NatsServer::start().unwrap();
    let workload = recorder(&server)
        .environment("NATS_NAME", "slow")
        .environment("NATS_SUBJECTS", "work")
        .environment("NATS_CONCURRENCY", "1")
        .environment("NATS_MAX_MESSAGES", "1")
        .start();
    ready(&workload).await;
    let outside = client(&server).await;
    for _ in 0..2000 {
        outside.publish("work", "".into()).await.unwrap();
    }
    outside.flush().await.unwrap();
    told(&workload, "SlowConsumer(SlowConsumer { name: \"slow\", messages: 1").await;
    told(
        &workload,
        "Dropped(Dropped { name: \"slow\", subject: \"work\", count: ",
    )
    .await;
}

#[tokio::test]
async fn a_slow_client_of_the_endpoint_is_told_of_by_the_name_that_it_gave_itself() {
    let server = NatsServer::start().unwrap();
    let workload = recorder(&server)
        .environment("NATS_SUBSCRIBE_ALLOW", "flood")
        .environment("NATS_CLIENT_BUFFER", "64KiB")
        .environment("NATS_SLOW_CONSUMER", "drop")
        .start();
    ready(&workload).await;
    let mut stream = common::connect(&workload, 4222).await;
    let said = b"CONNECT {\"verbose\":false,\"name\":\"sleepy\"}\r\nSUB flood 1\r\nPING\r\n";
    stream.write_all(said).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"PONG\r\n") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "{}", log(&workload));
    }
    let outside = client(&server).await;
    let body = "x".repeat(10_000);
    eventually("it is too slow", &workload, async || {
        for _ in 0..100 {
            outside.publish("flood", body.clone().into()).await.unwrap();
        }
        outside.flush().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        count(
            &workload,
            "event Event::Dropped(Dropped { name: \"sleepy\", subject: \"flood\"",
        ) > 0
    })
    .await;
    let events = printed(&workload);
    let slow = events
        .lines()
        .find(|line| line.contains("SlowConsumer { name: \"sleepy\""));
    assert!(slow.is_some_and(|line| !line.contains("messages: 0")), "{events}");
}
