//! Components of `wasmcloud:messaging` as they are, with messages of a real server: by `nats-messaging.wasm`, and with
//! `messaging-sync-adapter.wasm` beside it or beside `nats.wasm`.

use std::time::{Duration, Instant};

use async_nats::jetstream::consumer;
use futures::StreamExt;
use mainstay_host_test::workload::Workload;
use mainstay_peers::NatsServer;

use crate::common::Builder;
use crate::support::{self, client, count, eventually, log, loopback_client, printed, ready, service, with_streams};

/// A handler of the asynchronous revision. No grant: what it may publish is what it was asked.
fn asynchronous(server: &NatsServer) -> Builder {
    service("nats-messaging", server)
        .component("test/nats-messaging")
        .component("nats-client")
}

/// A handler of the synchronous revision.
fn synchronous(server: &NatsServer) -> Builder {
    synchronous_with("nats", server)
}

/// One that the service calls by the asynchronous revision.
fn synchronous_behind_asynchronous(server: &NatsServer) -> Builder {
    synchronous_with("nats-messaging", server)
}

fn synchronous_with(artefact: &str, server: &NatsServer) -> Builder {
    service(artefact, server)
        .component("messaging-sync-adapter")
        .component("test/nats-messaging-sync")
        .component("nats-client")
}

fn worker(builder: Builder) -> Builder {
    builder
        .environment("NATS_STREAM", "ORDERS")
        .environment("NATS_CONSUMER", "worker")
        .environment("NATS_ENSURE", "true")
        .environment("NATS_ACK_WAIT", "2s")
        .environment("NATS_BACK_OFF", "20ms")
        .environment("NATS_MAX_DELIVER", "3")
        .environment("NATS_DEAD_LETTER", "dead.orders")
}

/// Publishes each of these to `orders.<verb>` and waits until all are done; subject and reason of the dead letters.
async fn handled(builder: fn(&NatsServer) -> Builder, bodies: &[&str]) -> (Workload, Vec<String>) {
    let (server, context) = with_streams().await;
    let workload = worker(builder(&server)).start();
    ready(&workload).await;
    for body in bodies {
        let subject = format!("orders.{}", body.split(' ').next().unwrap());
        let published = context.publish(subject, (*body).to_owned().into()).await;
        published.unwrap().await.unwrap();
    }
    let worker: consumer::PullConsumer = context.get_consumer_from_stream("worker", "ORDERS").await.unwrap();
    eventually("all are done", &workload, async || {
        let info = worker.get_info().await.unwrap();
        (info.num_ack_pending, info.num_pending) == (0, 0)
    })
    .await;
    let dead = context.get_stream("DEAD").await.unwrap();
    let reader = dead.create_consumer(consumer::pull::Config::default()).await.unwrap();
    let letters = reader.fetch().max_messages(100).messages().await.unwrap();
    let mut told: Vec<String> = letters
        .map(|letter| {
            let letter = letter.unwrap();
            let headers = letter.headers.as_ref().unwrap();
            let header = |name: &str| headers.get(name).unwrap().as_str().to_owned();
            format!("{}: {}", header("Dead-Letter-Subject"), header("Dead-Letter-Reason"))
        })
        .collect()
        .await;
    told.sort_unstable();
    (workload, told)
}

#[tokio::test]
async fn a_request_is_answered_by_publishing_to_its_reply_subject() {
    for (builder, name) in [
        (asynchronous as fn(&NatsServer) -> Builder, "asynchronous"),
        (synchronous, "synchronous"),
        (synchronous_behind_asynchronous, "synchronous behind asynchronous"),
    ] {
        let server = NatsServer::start().unwrap();
        let workload = builder(&server).environment("NATS_SUBJECTS", "ask.>").start();
        ready(&workload).await;
        let client = client(&server).await;
        for body in ["hello".to_owned(), String::new(), "x".repeat(300_000)] {
            let answer = client.request("ask.me", body.clone().into()).await.unwrap();
            assert_eq!(answer.payload, body, "{name}");
        }
        eventually("each publish has returned", &workload, async || {
            count(&workload, "replied Ok(())") == 3
        })
        .await;
    }
}

#[tokio::test]
async fn only_the_reply_subject_of_a_message_that_came_is_open_to_a_component_without_grants() {
    let server = NatsServer::start().unwrap();
    let workload = asynchronous(&server).environment("NATS_SUBJECTS", "ask.>").start();
    ready(&workload).await;
    let client = client(&server).await;
    let mut elsewhere = client.subscribe("elsewhere").await.unwrap();
    let answer = client.request("ask.me", "publish elsewhere".into()).await.unwrap();
    assert_eq!(answer.payload, "publish elsewhere");
    assert!(
        printed(&workload).contains("published elsewhere: Err(Error::AccessDenied)"),
        "{}",
        printed(&workload)
    );
    client.publish("elsewhere", "from outside".into()).await.unwrap();
    assert_eq!(elsewhere.next().await.unwrap().payload, "from outside");
}

#[tokio::test]
async fn a_handler_need_not_read_the_body() {
    let server = NatsServer::start().unwrap();
    let workload = asynchronous(&server).environment("NATS_SUBJECTS", "ask.>").start();
    ready(&workload).await;
    let client = client(&server).await;
    for _ in 0..20 {
        client.publish("ask.unread", "x".repeat(500_000).into()).await.unwrap();
    }
    eventually("all are handled", &workload, async || {
        count(&workload, "end ask.unread unread") == 20
    })
    .await;
    assert_eq!(
        client.request("ask.me", "still there".into()).await.unwrap().payload,
        "still there"
    );
}

#[tokio::test]
async fn retry_is_delivered_again_and_reject_and_other_are_not() {
    let (workload, letters) = handled(asynchronous, &["retry", "reject", "other no stock", "good"]).await;
    for (verb, attempts) in [("retry", 3), ("reject", 1), ("other", 1), ("good", 1)] {
        let begun = count(&workload, &format!("begin orders.{verb}"));
        assert_eq!(begun, attempts, "{verb}\n{}", printed(&workload));
    }
    assert_eq!(
        letters,
        [
            "orders.other: rejected by the handler",
            "orders.reject: rejected by the handler",
            "orders.retry: the handler asked for another attempt"
        ]
    );
    assert!(log(&workload).contains("default: no stock"), "{}", log(&workload));
}

#[tokio::test]
async fn a_synchronous_handler_s_error_is_not_delivered_again() {
    for builder in [
        synchronous as fn(&NatsServer) -> Builder,
        synchronous_behind_asynchronous,
    ] {
        let (workload, letters) = handled(builder, &["fail no stock", "good"]).await;
        assert_eq!(count(&workload, "begin orders.fail"), 1, "{}", printed(&workload));
        assert_eq!(count(&workload, "end orders.good"), 1);
        assert_eq!(letters, ["orders.fail: rejected by the handler"]);
        assert!(log(&workload).contains("default: no stock"), "{}", log(&workload));
    }
}

#[tokio::test]
async fn slow_handlers_of_either_revision_hold_up_nobody_else() {
    let builders = [asynchronous, synchronous, synchronous_behind_asynchronous] as [fn(&NatsServer) -> Builder; 3];
    for builder in builders {
        let server = NatsServer::start().unwrap();
        let workload = builder(&server)
            .environment("NATS_SUBJECTS", "ask.>")
            .environment("NATS_PUBLISH_ALLOW", "app")
            .environment("NATS_SUBSCRIBE_ALLOW", "app")
            .start();
        ready(&workload).await;
        let client = client(&server).await;
        let began = Instant::now();
        for _ in 0..5 {
            client.publish("ask.slow", "sleep 6000".into()).await.unwrap();
        }
        client.flush().await.unwrap();
        eventually("all five are with a handler", &workload, async || {
            count(&workload, "begin ask.slow") == 5
        })
        .await;
        assert_eq!(
            client.request("ask.fast", "hello".into()).await.unwrap().payload,
            "hello"
        );
        let loopback = loopback_client(&workload).await;
        let mut subscription = loopback.subscribe("app").await.unwrap();
        loopback.publish("app", "meanwhile".into()).await.unwrap();
        assert_eq!(subscription.next().await.unwrap().payload, "meanwhile");
        assert!(support::page(&workload, "/healthz").await.contains("200"));
        assert!(began.elapsed() < Duration::from_secs(6), "one waited for another");
        assert_eq!(count(&workload, "end ask.slow"), 0, "{}", printed(&workload));
        eventually("the slow ones end", &workload, async || {
            count(&workload, "end ask.slow") == 5
        })
        .await;
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "they ran one after the other"
        );
    }
}
