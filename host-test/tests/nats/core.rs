//! Messages of core NATS to a component: answered, shared, ordered, bounded.

use std::time::Duration;

use async_nats::HeaderMap;
use mainstay_peers::NatsServer;

use crate::support::{client, count, eventually, handler, log, loopback_client, metric, printed, ready};

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, *value);
    }
    headers
}

#[tokio::test]
async fn a_request_is_answered_by_the_component_with_all_its_headers() {
    let server = NatsServer::start().unwrap();
    let workload = handler(&server).environment("NATS_SUBJECTS", "greet.*, other").start();
    ready(&workload).await;
    let client = client(&server).await;
    let sent = headers(&[("Tag", "a"), ("Tag", "b")]);
    let answer = client
        .request_with_headers("greet.bob", sent, "hello".into())
        .await
        .unwrap();
    assert_eq!(answer.payload, "hello");
    let answered = answer.headers.unwrap();
    let tags: Vec<&str> = answered.get_all("Tag").map(|value| value.as_str()).collect();
    assert_eq!(tags, ["a", "b"]);
    assert_eq!(answered.get("Subject").unwrap().as_str(), "greet.bob");
    assert!(answered.get("traceparent").unwrap().as_str().starts_with("00-"));
    let other = client.request("other", "".into()).await.unwrap();
    assert_eq!(other.payload, "");
    let nobody = client.request("greet.bob.too", "".into()).await.unwrap_err();
    assert_eq!(nobody.kind(), async_nats::RequestErrorKind::NoResponders);
}

#[tokio::test]
async fn replicas_in_a_queue_group_share_the_messages() {
    let server = NatsServer::start().unwrap();
    let replica = handler(&server)
        .environment("NATS_SUBJECTS", "work")
        .environment("NATS_QUEUE", "workers");
    let (first, second) = (replica.start(), replica.start());
    ready(&first).await;
    ready(&second).await;
    let client = client(&server).await;
    for n in 0..100 {
        client.publish("work", n.to_string().into()).await.unwrap();
    }
    client.flush().await.unwrap();
    eventually("all are handled", &first, async || {
        count(&first, "end work") + count(&second, "end work") == 100
    })
    .await;
    assert!(count(&first, "end") > 0 && count(&second, "end") > 0);
}

#[tokio::test]
async fn every_message_that_a_full_subscription_drops_is_counted_and_told_with_its_subject() {
    let server = NatsServer::start().unwrap();
    let workload = handler(&server)
        .environment("NATS_SUBJECTS", "work.*")
        .environment("NATS_CONCURRENCY", "2")
        .environment("NATS_MAX_MESSAGES", "10")
        .start();
    ready(&workload).await;
    let client = client(&server).await;
    for n in 0..1000 {
        let slow = headers(&[("Do", "sleep 1")]);
        client
            .publish_with_headers(format!("work.{n}"), slow, "".into())
            .await
            .unwrap();
    }
    client.flush().await.unwrap();
    let labels = r#"{subscription="default"}"#;
    eventually("all are accounted for", &workload, async || {
        let handled = metric(
            &workload,
            r#"nats_deliveries_total{subscription="default",outcome="handled"}"#,
        )
        .await;
        let dropped = metric(&workload, &format!("nats_dropped_total{labels}")).await;
        assert!(handled + dropped <= 1000.0);
        handled + dropped == 1000.0 && count(&workload, "end") == handled as usize
    })
    .await;
    assert!(metric(&workload, &format!("nats_dropped_total{labels}")).await > 0.0);
    assert_eq!(metric(&workload, &format!("nats_received_total{labels}")).await, 1000.0);
    eventually("the losses are in the log", &workload, async || {
        log(&workload).contains("too slow, messages are dropped") && log(&workload).contains("work.")
    })
    .await;
}

#[tokio::test]
async fn a_subscription_that_stops_reading_loses_nothing() {
    let server = NatsServer::start().unwrap();
    let workload = handler(&server)
        .environment("NATS_SUBJECTS", "work")
        .environment("NATS_CONCURRENCY", "4")
        .environment("NATS_MAX_MESSAGES", "10")
        .environment("NATS_WHEN_FULL", "stop-reading")
        .start();
    ready(&workload).await;
    let client = client(&server).await;
    for n in 0..3000 {
        client.publish("work", n.to_string().into()).await.unwrap();
    }
    client.flush().await.unwrap();
    eventually("all are handled", &workload, async || {
        count(&workload, "end work") == 3000
    })
    .await;
    assert_eq!(
        metric(&workload, r#"nats_dropped_total{subscription="default"}"#).await,
        0.0
    );
}

/// Publishes twice as many messages a second as the handler takes, for a while: ten at a time need 10 ms each.
async fn overload(client: &async_nats::Client) -> usize {
    const SENT: usize = 6000;
    let mut clock = tokio::time::interval(Duration::from_millis(10));
    for n in 0..SENT {
        if n % 20 == 0 {
            clock.tick().await;
        }
        let slow = headers(&[("Do", "sleep 10")]);
        client
            .publish_with_headers("work", slow, n.to_string().into())
            .await
            .unwrap();
    }
    client.flush().await.unwrap();
    SENT
}

/// What the log says was lost, all lines together.
fn losses(log: &str) -> usize {
    let lines = log
        .lines()
        .filter(|line| line.contains("too slow, messages are dropped"));
    lines
        .map(|line| {
            let (_, rest) = line.split_once("count=").unwrap();
            rest.split(' ').next().unwrap().parse::<usize>().unwrap()
        })
        .sum()
}

#[tokio::test]
async fn at_twice_the_handlers_rate_each_message_is_handled_or_counted_and_logged_as_dropped() {
    for policy in ["drop-new", "drop-old"] {
        let server = NatsServer::start().unwrap();
        let workload = handler(&server)
            .environment("NATS_SUBJECTS", "work")
            .environment("NATS_CONCURRENCY", "10")
            .environment("NATS_MAX_MESSAGES", "100")
            .environment("NATS_WHEN_FULL", policy)
            .start();
        ready(&workload).await;
        let sent = overload(&client(&server).await).await;
        let dropped = async || metric(&workload, r#"nats_dropped_total{subscription="default"}"#).await as usize;
        eventually("all are accounted for", &workload, async || {
            let (handled, dropped) = (count(&workload, "end work"), dropped().await);
            assert!(handled + dropped <= sent, "{policy}: {handled} + {dropped} > {sent}");
            handled + dropped == sent
        })
        .await;
        // Half of them have no room, but for those that wait at the end, and a handler that needs a little longer.
        let dropped = dropped().await;
        assert!(dropped > sent / 4, "{policy}: only {dropped} of {sent} dropped");
        eventually("the log tells of each", &workload, async || {
            losses(&log(&workload)) == dropped
        })
        .await;
        let kept_last = printed(&workload).contains(&format!("end work 0/1 {}\n", sent - 1));
        assert!(kept_last || policy == "drop-new", "{policy} keeps the newest");
    }
}

#[tokio::test]
async fn at_twice_the_handlers_rate_a_subscription_that_stops_reading_loses_nothing() {
    let server = NatsServer::start().unwrap();
    let workload = handler(&server)
        .environment("NATS_SUBJECTS", "work")
        .environment("NATS_CONCURRENCY", "10")
        .environment("NATS_MAX_MESSAGES", "100")
        .environment("NATS_WHEN_FULL", "stop-reading")
        .start();
    ready(&workload).await;
    let sent = overload(&client(&server).await).await;
    eventually("all are handled", &workload, async || {
        count(&workload, "end work") == sent
    })
    .await;
    assert_eq!(
        metric(&workload, r#"nats_dropped_total{subscription="default"}"#).await,
        0.0
    );
    assert_eq!(
        metric(&workload, r#"nats_received_total{subscription="default"}"#).await as usize,
        sent
    );
    assert_eq!(log(&workload).matches("disconnected").count(), 0, "{}", log(&workload));
}

#[tokio::test]
async fn a_server_that_will_not_wait_for_one_that_stops_reading_is_told_of() {
    let server = NatsServer::with_config("max_payload: 65536\nmax_pending: 65536").unwrap();
    let workload = handler(&server)
        .environment("NATS_SUBJECTS", "work")
        .environment("NATS_CONCURRENCY", "1")
        .environment("NATS_MAX_MESSAGES", "10")
        .environment("NATS_WHEN_FULL", "stop-reading")
        .start();
    ready(&workload).await;
    let client = client(&server).await;
    let body = "x".repeat(10_000);
    // Until what the sockets between them hold is full as well.
    eventually("the server lets go of it", &workload, async || {
        for _ in 0..100 {
            let slow = headers(&[("Do", "sleep 50")]);
            client
                .publish_with_headers("work", slow, body.clone().into())
                .await
                .unwrap();
        }
        client.flush().await.unwrap();
        server.log().contains("Slow Consumer")
    })
    .await;
    eventually("it is said that messages may be lost", &workload, async || {
        log(&workload).contains("disconnected")
    })
    .await;
    ready(&workload).await;
    client.request("work", "still there".into()).await.unwrap();
}

#[tokio::test]
async fn trace_context_comes_from_headers_and_goes_into_headers() {
    let server = NatsServer::start().unwrap();
    let workload = handler(&server).environment("NATS_SUBJECTS", "work").start();
    ready(&workload).await;
    let client = client(&server).await;
    let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let parent = format!("00-{trace}-{span}-01");
    let sent = headers(&[
        ("traceparent", &parent),
        ("tracestate", "vendor=1"),
        ("Do", "trace,bare"),
    ]);
    let answer = client.request_with_headers("work", sent, "".into()).await.unwrap();
    let told = printed(&workload);
    let told = told.lines().find_map(|line| line.strip_prefix("trace ")).unwrap();
    let parts: Vec<&str> = told.split('-').collect();
    assert_eq!(
        (parts.len(), parts[0], parts[1], parts[3]),
        (4, "00", trace, "01"),
        "{told}"
    );
    assert_ne!(parts[2], span, "the call is a span of its own");
    let answered = answer.headers.unwrap();
    assert_eq!(
        answered.get("traceparent").unwrap().as_str(),
        told,
        "the reply belongs to the call"
    );

    // Without one a trace begins; what is no trace context is none.
    for wrong in ["", "00-xyz-1-01"] {
        let sent = headers(&[("traceparent", wrong), ("Do", "trace,bare")]);
        let answer = client.request_with_headers("work", sent, "".into()).await.unwrap();
        let answered = answer.headers.unwrap();
        let fresh = answered.get("traceparent").unwrap().as_str();
        assert!(
            fresh.starts_with("00-") && fresh.len() == 55 && !fresh.contains(trace),
            "{fresh}"
        );
    }
}

#[tokio::test]
async fn messages_of_one_key_are_handled_one_after_the_other_and_others_beside_them() {
    let server = NatsServer::start().unwrap();
    let workload = handler(&server)
        .environment("NATS_SUBJECTS", "work")
        .environment("NATS_ORDER", "header:customer")
        .start();
    ready(&workload).await;
    let client = client(&server).await;
    for n in 0..10 {
        for customer in ["a", "b"] {
            // Whoever comes later would be done earlier.
            let pause = format!("sleep {}", 40 - 4 * n);
            let headers = headers(&[("Customer", customer), ("Do", &pause)]);
            client
                .publish_with_headers("work", headers, format!("{customer}{n}").into())
                .await
                .unwrap();
        }
    }
    eventually("all are handled", &workload, async || {
        count(&workload, "end work") == 20
    })
    .await;
    let printed = printed(&workload);
    for customer in ["a", "b"] {
        let body = |line: &str| line.rsplit(' ').next().unwrap().to_owned();
        let mine = printed.lines().filter(|line| body(line).starts_with(customer));
        let expected = (0..10).flat_map(|n| ["begin", "end"].map(|what| format!("{what} work 0/1 {customer}{n}")));
        assert!(mine.eq(expected), "{printed}");
    }
    let lines: Vec<&str> = printed.lines().collect();
    let overlap = lines
        .windows(2)
        .any(|pair| pair.iter().all(|line| line.starts_with("begin")));
    assert!(overlap, "customers do not wait for each other:\n{printed}");
}

#[tokio::test]
async fn what_core_nats_cannot_deliver_again_is_counted_as_failed() {
    let server = NatsServer::start().unwrap();
    let workload = handler(&server)
        .environment("NATS_SUBJECTS", "work")
        .environment("NATS_HANDLER_TIMEOUT", "200ms")
        .start();
    ready(&workload).await;
    let client = client(&server).await;
    for action in ["retry 1", "reject", "fail no stock", "hang"] {
        client
            .publish_with_headers("work", headers(&[("Do", action)]), "".into())
            .await
            .unwrap();
    }
    let failed = r#"nats_deliveries_total{subscription="default",outcome="failed"}"#;
    eventually("all have failed", &workload, async || {
        metric(&workload, failed).await == 4.0
    })
    .await;
    let log = log(&workload);
    for reason in [
        "no stock",
        "rejected by the handler",
        "cannot deliver it again",
        "no result within 200ms",
    ] {
        assert!(log.contains(reason), "{reason}: {log}");
    }
    tokio::time::timeout(Duration::from_secs(5), client.request("work", "still there".into()))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_subscription_that_stops_reading_holds_up_nobody_else() {
    let server = NatsServer::start().unwrap();
    let subscriptions = "
        [[subscription]]
        name = \"slow\"
        subjects = \"work\"
        when_full = \"stop-reading\"
        concurrency = 1
        max_messages = 2

        [[subscription]]
        name = \"quick\"
        subjects = \"greet\"
    ";
    let workload = handler(&server)
        .environment("NATS_SUBSCRIPTIONS", subscriptions)
        .environment("NATS_PUBLISH_ALLOW", "out")
        .environment("NATS_PING_INTERVAL", "1s")
        .start();
    ready(&workload).await;
    let outside = client(&server).await;
    for n in 0..10 {
        let slow = headers(&[("Do", "sleep 600")]);
        outside
            .publish_with_headers("work", slow, n.to_string().into())
            .await
            .unwrap();
    }
    outside.flush().await.unwrap();
    eventually("it is full", &workload, async || {
        metric(&workload, r#"nats_waiting{subscription="slow"}"#).await >= 2.0
    })
    .await;
    let component = loopback_client(&workload).await;
    for _ in 0..20 {
        let both = async {
            assert_eq!(outside.request("greet", "hello".into()).await.unwrap().payload, "hello");
            component.publish("out", "".into()).await.unwrap();
            component.flush().await.unwrap();
        };
        tokio::time::timeout(Duration::from_secs(2), both)
            .await
            .expect("held up");
    }
    assert!(count(&workload, "end work") < 10, "it was not full for long enough");
    eventually("nothing is lost", &workload, async || {
        count(&workload, "end work") == 10
    })
    .await;
    assert!(!log(&workload).contains("disconnected"), "{}", log(&workload));
}
