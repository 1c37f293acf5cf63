//! Messages of JetStream to a component: acknowledged after the call, delivered again, given up, never lost.

use async_nats::HeaderMap;
use async_nats::jetstream::{self, consumer, stream};
use futures::StreamExt;
use mainstay_host_test::workload::Workload;
use mainstay_peers::NatsServer;

use crate::common;
use crate::support::{client, count, eventually, handler, log, metric, page, printed, ready, streams_on, with_streams};

fn worker(server: &NatsServer) -> common::Builder {
    handler(server)
        .environment("NATS_NAME", "orders")
        .environment("NATS_STREAM", "ORDERS")
        .environment("NATS_CONSUMER", "worker")
        .environment("NATS_ENSURE", "true")
        .environment("NATS_ACK_WAIT", "2s")
        .environment("NATS_BACK_OFF", "20ms,40ms")
        .environment("NATS_DEAD_LETTER", "dead.orders")
}

async fn publish(context: &jetstream::Context, subject: &str, action: &str, body: &str) {
    let mut headers = HeaderMap::new();
    headers.insert("Do", action);
    headers.insert("Nats-Msg-Id", &body[..body.len().min(40)]);
    let published = context.publish_with_headers(subject.to_owned(), headers, body.to_owned().into());
    published.await.unwrap().await.unwrap();
}

/// Publishes what the handler does something with until its attempt of this number.
async fn publish_until(
    context: &jetstream::Context,
    subject: &'static str,
    action: &str,
    until: &str,
    body: &'static str,
) {
    let mut headers = HeaderMap::new();
    headers.insert("Do", action);
    headers.insert("Until", until);
    let published = context.publish_with_headers(subject, headers, body.into());
    published.await.unwrap().await.unwrap();
}

/// What the handler has said of messages that it was done with.
fn ends(workload: &Workload) -> Vec<String> {
    let printed = printed(workload);
    let ends = printed.lines().filter(|line| line.starts_with("end"));
    ends.map(str::to_owned).collect()
}

/// Messages that the consumer has not seen acknowledged, and those that it has still to deliver.
async fn outstanding(context: &jetstream::Context) -> (usize, u64) {
    let consumer: consumer::PullConsumer = context.get_consumer_from_stream("worker", "ORDERS").await.unwrap();
    let info = consumer.get_info().await.unwrap();
    (info.num_ack_pending, info.num_pending)
}

async fn dead_letters(context: &jetstream::Context) -> Vec<async_nats::Message> {
    let stream = context.get_stream("DEAD").await.unwrap();
    let config = consumer::pull::Config::default();
    let consumer = stream.create_consumer(config).await.unwrap();
    let letters = consumer.fetch().max_messages(1000).messages().await.unwrap();
    letters.map(|letter| letter.unwrap().message.clone()).collect().await
}

#[tokio::test]
async fn a_message_is_acknowledged_when_the_handler_has_returned() {
    let (server, context) = with_streams().await;
    let workload = worker(&server).start();
    ready(&workload).await;
    publish(&context, "orders.a", "sleep 300", "1").await;
    eventually("it has begun", &workload, async || {
        count(&workload, "begin orders.a 1/1") == 1
    })
    .await;
    assert_eq!(outstanding(&context).await, (1, 0), "not before");
    eventually("it is acknowledged", &workload, async || {
        outstanding(&context).await == (0, 0)
    })
    .await;
    assert_eq!(count(&workload, "begin"), 1);
}

#[tokio::test]
async fn failures_are_delivered_again_and_end_as_dead_letters_with_the_original_headers_and_the_reason() {
    let (server, context) = with_streams().await;
    let workload = worker(&server).environment("NATS_MAX_DELIVER", "3").start();
    ready(&workload).await;
    publish(&context, "orders.fail", "fail no stock", "f").await;
    publish(&context, "orders.retry", "retry 10", "t").await;
    publish(&context, "orders.reject", "reject", "r").await;
    publish(&context, "orders.good", "", "g").await;
    eventually("all are done", &workload, async || {
        outstanding(&context).await == (0, 0)
    })
    .await;
    for (subject, attempts) in [("fail", 3), ("retry", 3), ("reject", 1), ("good", 1)] {
        assert_eq!(
            count(&workload, &format!("begin orders.{subject} ")),
            attempts,
            "{}",
            printed(&workload)
        );
    }
    let mut letters = dead_letters(&context).await;
    letters.sort_by_key(|letter| letter.payload.clone());
    let told: Vec<String> = letters
        .iter()
        .map(|letter| {
            let headers = letter.headers.as_ref().unwrap();
            let header = |name: &str| headers.get(name).unwrap().as_str().to_owned();
            let names = [
                "Dead-Letter-Subject",
                "Dead-Letter-Attempts",
                "Dead-Letter-Msg-Id",
                "Dead-Letter-Reason",
                "Do",
            ];
            names.map(header).join(" | ")
        })
        .collect();
    assert_eq!(
        told,
        [
            "orders.fail | 3 | f | no stock | fail no stock",
            "orders.reject | 1 | r | rejected by the handler | reject",
            "orders.retry | 3 | t | the handler asked for another attempt | retry 10",
        ]
    );
}

#[tokio::test]
async fn a_long_call_is_reported_as_in_progress_and_not_delivered_twice() {
    let (server, context) = with_streams().await;
    let workload = worker(&server).environment("NATS_ACK_WAIT", "1s").start();
    ready(&workload).await;
    publish(&context, "orders.long", "sleep 3500", "1").await;
    eventually("it is done", &workload, async || {
        count(&workload, "end orders.long") == 1
    })
    .await;
    eventually("it is acknowledged", &workload, async || {
        outstanding(&context).await == (0, 0)
    })
    .await;
    assert_eq!(count(&workload, "begin"), 1, "{}", printed(&workload));
}

#[tokio::test]
async fn a_call_that_does_not_end_is_cancelled_and_delivered_again() {
    let (server, context) = with_streams().await;
    let workload = worker(&server)
        .environment("NATS_HANDLER_TIMEOUT", "200ms")
        .environment("NATS_MAX_DELIVER", "2")
        .start();
    ready(&workload).await;
    publish(&context, "orders.hang", "hang", "1").await;
    eventually("it is given up", &workload, async || {
        outstanding(&context).await == (0, 0)
    })
    .await;
    assert_eq!(count(&workload, "begin orders.hang"), 2);
    let letters = dead_letters(&context).await;
    let headers = letters[0].headers.as_ref().unwrap();
    assert_eq!(
        headers.get("Dead-Letter-Reason").unwrap().as_str(),
        "no result within 200ms"
    );
}

#[tokio::test]
async fn with_an_order_a_failed_message_holds_up_those_of_its_key_only() {
    let (server, context) = with_streams().await;
    let workload = worker(&server).environment("NATS_ORDER", "subject").start();
    ready(&workload).await;
    publish_until(&context, "orders.a", "retry 100", "2", "a1").await;
    publish(&context, "orders.a", "", "a2").await;
    publish(&context, "orders.b", "", "b1").await;
    eventually("all are done", &workload, async || {
        outstanding(&context).await == (0, 0)
    })
    .await;
    assert_eq!(
        ends(&workload),
        ["end orders.b 3/1 b1", "end orders.a 1/3 a1", "end orders.a 2/1 a2"]
    );
}

#[tokio::test]
async fn a_dead_letter_that_no_stream_takes_keeps_its_message_until_one_does() {
    let (server, context) = with_streams().await;
    let workload = worker(&server)
        .environment("NATS_MAX_DELIVER", "1")
        .environment("NATS_DEAD_LETTER", "later.orders")
        .start();
    ready(&workload).await;
    publish(&context, "orders.reject", "reject", "1").await;
    eventually("it is said", &workload, async || {
        log(&workload).contains("no stream takes the subject")
    })
    .await;
    assert_eq!(outstanding(&context).await.0, 1);
    let config = stream::Config {
        name: "LATER".to_owned(),
        subjects: vec!["later.>".to_owned()],
        ..stream::Config::default()
    };
    let stream = context.create_stream(config).await.unwrap();
    eventually("it is stored", &workload, async || {
        stream.get_info().await.unwrap().state.messages == 1
    })
    .await;
    eventually("it is done", &workload, async || outstanding(&context).await == (0, 0)).await;
    assert_eq!(count(&workload, "begin"), 1, "the handler is not asked again");
}

#[tokio::test]
async fn a_trap_loses_nothing_and_repeats_only_what_was_in_flight() {
    let (server, context) = with_streams().await;
    let workload = worker(&server).max_restarts(10).start();
    ready(&workload).await;
    publish_until(&context, "orders.trap", "trap", "1", "t").await;
    for n in 0..50 {
        publish(&context, "orders.a", "", &n.to_string()).await;
    }
    eventually("all are done", &workload, async || {
        count(&workload, "end") > 50 && outstanding(&context).await == (0, 0)
    })
    .await;
    for n in 0..50 {
        assert!(printed(&workload).contains(&format!(" {n}\n")), "{n} is lost");
    }
    assert_eq!(count(&workload, "begin orders.trap"), 2);
}

#[tokio::test]
async fn a_broker_that_is_killed_is_found_again_and_nothing_is_lost() {
    let (mut server, context) = with_streams().await;
    let workload = worker(&server).start();
    ready(&workload).await;
    for n in 0..20 {
        publish(&context, "orders.a", "sleep 20", &format!("before-{n}")).await;
    }
    server.restart().unwrap();
    eventually("connected again", &workload, async || {
        log(&workload).matches("connected server=").count() > 1
    })
    .await;
    let context = jetstream::new(client(&server).await);
    for n in 0..20 {
        publish(&context, "orders.a", "", &format!("after-{n}")).await;
    }
    eventually("all are done", &workload, async || {
        count(&workload, "end") >= 40 && outstanding(&context).await == (0, 0)
    })
    .await;
    for n in 0..20 {
        for when in ["before", "after"] {
            assert!(
                printed(&workload).contains(&format!("{when}-{n}\n")),
                "{when}-{n} is lost"
            );
        }
    }
}

#[tokio::test]
async fn a_consumer_that_is_not_there_is_a_state_and_is_used_when_it_comes() {
    let (server, context) = with_streams().await;
    let workload = worker(&server).environment("NATS_ENSURE", "false").start();
    drop(common::connect(&workload, 8081).await);
    eventually("it says what is missing", &workload, async || {
        page(&workload, "/readyz").await.contains("has no consumer \"worker\"")
    })
    .await;
    let stream = context.get_stream("ORDERS").await.unwrap();
    let config = consumer::pull::Config {
        durable_name: Some("worker".to_owned()),
        max_deliver: 2,
        ..consumer::pull::Config::default()
    };
    stream.create_consumer(config).await.unwrap();
    ready(&workload).await;
    publish(&context, "orders.a", "", "1").await;
    eventually("it is handled", &workload, async || {
        count(&workload, "end orders.a") == 1
    })
    .await;
    assert!(
        log(&workload).contains("let the consumer's be unlimited"),
        "{}",
        log(&workload)
    );
}

#[tokio::test]
async fn an_older_server_does_as_well() {
    let server = NatsServer::older("jetstream { store_dir: \"$FOLDER/jetstream\" }").unwrap();
    let context = jetstream::new(client(&server).await);
    let config = stream::Config {
        name: "ORDERS".to_owned(),
        subjects: vec!["orders.>".to_owned()],
        ..stream::Config::default()
    };
    context.create_stream(config).await.unwrap();
    let workload = worker(&server).environment("NATS_ACK", "double").start();
    ready(&workload).await;
    for n in 0..100 {
        publish(&context, "orders.a", "", &n.to_string()).await;
    }
    eventually("all are done", &workload, async || {
        count(&workload, "end") == 100 && outstanding(&context).await == (0, 0)
    })
    .await;
}

#[tokio::test]
async fn no_more_is_in_flight_than_the_bounds_allow_in_messages_and_in_bytes() {
    let (server, context) = with_streams().await;
    let workload = worker(&server)
        .environment("NATS_CONCURRENCY", "4")
        .environment("NATS_MAX_MESSAGES", "10")
        .environment("NATS_MAX_BYTES", "64KiB")
        .start();
    ready(&workload).await;
    let body = "x".repeat(20_000);
    for n in 0..40 {
        publish(&context, "orders.a", "sleep 20", &format!("{n}{body}")).await;
    }
    let large = format!("large{}", "y".repeat(200_000));
    publish(&context, "orders.large", "", &large).await;
    let mut most = 0;
    eventually("all are done", &workload, async || {
        let (pending, rest) = outstanding(&context).await;
        most = most.max(pending);
        pending == 0 && rest == 0
    })
    .await;
    assert!(most <= 4, "{most} messages of 20 kB were in flight");
    assert_eq!(count(&workload, "end orders.a"), 40);
    assert_eq!(
        count(&workload, "end orders.large"),
        1,
        "larger than the bound, it comes alone"
    );
}

#[tokio::test]
async fn a_dead_letter_is_never_larger_than_the_server_takes() {
    let config = "jetstream { store_dir: \"$FOLDER/jetstream\" }\nmax_payload: 16384";
    let (server, context) = streams_on(NatsServer::with_config(config).unwrap()).await;
    let workload = worker(&server).start();
    ready(&workload).await;
    // It fits with the headers that it has, and not with those that say why.
    let body = "x".repeat(16_250);
    publish(&context, "orders.big", "reject", &body).await;
    publish(&context, "orders.small", "reject", "small").await;
    eventually("both are done", &workload, async || {
        outstanding(&context).await == (0, 0)
    })
    .await;
    let mut letters = dead_letters(&context).await;
    letters.sort_by_key(|letter| letter.payload.len());
    let left_out: Vec<_> = letters
        .iter()
        .map(|letter| {
            let headers = letter.headers.as_ref().unwrap();
            let left_out = headers
                .get("Dead-Letter-Left-Out")
                .map(|value| value.as_str().to_owned());
            (letter.payload.len(), left_out)
        })
        .collect();
    assert_eq!(left_out, [(0, Some("16250".to_owned())), (5, None)]);
    let cut = r#"nats_dead_letters_cut_total{subscription="orders"}"#;
    assert_eq!(metric(&workload, cut).await, 1.0);
    assert!(!log(&workload).contains("disconnected"), "{}", log(&workload));
}

#[tokio::test]
async fn a_consumer_with_a_short_ack_wait_delivers_nothing_twice_from_the_first_message_on() {
    let (server, context) = with_streams().await;
    let stream = context.get_stream("ORDERS").await.unwrap();
    let config = consumer::pull::Config {
        durable_name: Some("worker".to_owned()),
        ack_wait: std::time::Duration::from_millis(600),
        ..consumer::pull::Config::default()
    };
    stream.create_consumer(config).await.unwrap();
    publish(&context, "orders.long", "sleep 3000", "1").await;
    let workload = worker(&server)
        .environment("NATS_ENSURE", "false")
        .environment("NATS_ACK_WAIT", "30s")
        .start();
    eventually("it is acknowledged", &workload, async || {
        count(&workload, "end orders.long") >= 1 && outstanding(&context).await == (0, 0)
    })
    .await;
    assert_eq!(count(&workload, "begin"), 1, "{}", printed(&workload));
}

#[tokio::test]
async fn a_dead_letter_that_need_not_be_stored_is_published() {
    let (server, context) = with_streams().await;
    let outside = client(&server).await;
    let mut letters = outside.subscribe("lost.orders").await.unwrap();
    outside.flush().await.unwrap();
    let workload = worker(&server)
        .environment("NATS_DEAD_LETTER", "lost.orders")
        .environment("NATS_DEAD_LETTER_STORED", "false")
        .start();
    ready(&workload).await;
    publish(&context, "orders.reject", "reject", "1").await;
    eventually("it is done", &workload, async || outstanding(&context).await == (0, 0)).await;
    let letter = letters.next().await.unwrap();
    assert_eq!((&letter.payload[..], letter.reply), (&b"1"[..], None));
}

#[tokio::test]
async fn a_consumer_that_is_made_delivers_what_its_filters_say() {
    let (server, context) = with_streams().await;
    for subject in ["orders.eu.a", "orders.asia", "orders.us", "orders.eu.b.c"] {
        publish(&context, subject, "", subject).await;
    }
    let workload = worker(&server)
        .environment("NATS_FILTER", "orders.eu.>,orders.us")
        .start();
    ready(&workload).await;
    eventually("all are done", &workload, async || {
        count(&workload, "end") == 3 && outstanding(&context).await == (0, 0)
    })
    .await;
    assert_eq!(count(&workload, "begin orders.asia"), 0, "{}", printed(&workload));
}

#[tokio::test]
async fn an_older_server_does_not_pass_over_several_filters_in_silence() {
    let server = NatsServer::older("jetstream { store_dir: \"$FOLDER/jetstream\" }").unwrap();
    let (server, context) = streams_on(server).await;
    publish(&context, "orders.asia", "", "1").await;
    let workload = worker(&server)
        .environment("NATS_FILTER", "orders.eu.>,orders.us")
        .start();
    drop(common::connect(&workload, 8081).await);
    eventually("it says so", &workload, async || {
        page(&workload, "/readyz").await.contains("without its filters")
    })
    .await;
    assert_eq!(count(&workload, "begin"), 0);
}

#[tokio::test]
async fn a_consumer_that_is_made_begins_where_it_is_told_to() {
    let (server, context) = with_streams().await;
    for (subject, body) in [("orders.a", "1"), ("orders.a", "2"), ("orders.b", "3")] {
        publish(&context, subject, "", body).await;
    }
    for (deliver, expected) in [
        // First of all, while the last one is not one that was deleted.
        ("last", &["3", "4"][..]),
        ("all", &["1", "2", "3", "4"]),
        ("last-per-subject", &["2", "3", "4"]),
        ("new", &["4"]),
    ] {
        let workload = worker(&server)
            .environment("NATS_CONSUMER", deliver)
            .environment("NATS_DELIVER", deliver)
            .start();
        ready(&workload).await;
        let sequence = context
            .publish("orders.c", "4".into())
            .await
            .unwrap()
            .await
            .unwrap()
            .sequence;
        eventually("the last one is done", &workload, async || {
            count(&workload, "end orders.c") == 1
        })
        .await;
        eventually("all are done", &workload, async || {
            count(&workload, "end") == expected.len()
        })
        .await;
        let ends = ends(&workload);
        let mut bodies: Vec<&str> = ends.iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
        bodies.sort_unstable();
        assert_eq!(bodies, expected, "{deliver}");
        // The next consumer finds the stream as this one did.
        let stream = context.get_stream("ORDERS").await.unwrap();
        assert!(stream.delete_message(sequence).await.unwrap());
    }
}

#[tokio::test]
async fn a_double_acknowledgement_asks_for_an_answer_and_a_single_one_does_not() {
    let (server, context) = with_streams().await;
    let outside = client(&server).await;
    let mut acknowledgements = outside.subscribe("$JS.ACK.>").await.unwrap();
    outside.flush().await.unwrap();
    for (ack, asks) in [("single", false), ("double", true)] {
        let workload = worker(&server).environment("NATS_ACK", ack).start();
        ready(&workload).await;
        publish(&context, "orders.a", "", ack).await;
        let said = loop {
            let said = acknowledgements.next().await.unwrap();
            if said.payload == "+ACK" {
                break said;
            }
        };
        assert_eq!(said.reply.is_some(), asks, "{ack}");
        eventually("it is done", &workload, async || outstanding(&context).await == (0, 0)).await;
    }
}

#[tokio::test]
async fn a_message_that_waits_for_its_next_attempt_takes_no_place_of_those_that_run() {
    let (server, context) = with_streams().await;
    let workload = worker(&server)
        .environment("NATS_ORDER", "subject")
        .environment("NATS_CONCURRENCY", "1")
        .start();
    ready(&workload).await;
    publish_until(&context, "orders.a", "retry 3000", "1", "a1").await;
    publish(&context, "orders.a", "", "a2").await;
    publish(&context, "orders.b", "", "b1").await;
    eventually("all are done", &workload, async || {
        outstanding(&context).await == (0, 0)
    })
    .await;
    assert_eq!(
        ends(&workload),
        ["end orders.b 3/1 b1", "end orders.a 1/2 a1", "end orders.a 2/1 a2"]
    );
}
