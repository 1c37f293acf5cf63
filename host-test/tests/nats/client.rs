//! `nats-client.wasm`: what components call to send messages and to keep values, against a real server.
//!
//! A component that exports HTTP calls it as the tests' requests say, so that there is no need of NATS to ask for a call.

use std::time::{Duration, Instant};

use async_nats::jetstream::{self, kv, stream};
use futures::StreamExt;
use mainstay_host_test::workload::Workload;
use mainstay_peers::NatsServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::{self, Builder, DEADLINE};
use crate::support::{self, client, eventually, metric, ready, service};

/// A workload with the client and a component that calls it. `pool` of the client's instances stay warm.
fn caller(server: &NatsServer, pool: u32) -> Builder {
    service("nats-endpoint", server)
        .component("test/nats-caller")
        .component_with("nats-client", |client| client.pool_size = pool)
        .environment("NATS_PUBLISH_ALLOW", "app.>,stored.>,$JS.API.>,$KV.>")
        .environment("NATS_RECONNECT_MAX", "100ms")
        .http()
}

/// Makes one call; its result as text.
async fn call(workload: &Workload, function: &str, arguments: &[(&str, &str)], body: &str) -> String {
    let mut stream = TcpStream::connect(workload.http().unwrap()).await.unwrap();
    let mut head = format!(
        "POST {function} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in arguments {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    tokio::time::timeout(DEADLINE, read).await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 "), "{answer}\n{}", support::log(workload));
    unchunked(body)
}

fn unchunked(body: &str) -> String {
    let parts: Vec<&str> = body.split("\r\n").collect();
    if parts.len() < 2 {
        return body.to_owned();
    }
    parts.chunks_exact(2).map(|pair| pair[1]).collect()
}

/// A native client that answers `app.echo`, and `app.three` three times.
async fn answerer(server: &NatsServer) -> async_nats::Client {
    let client = client(server).await;
    let mut asked = client.subscribe("app.*").await.unwrap();
    client.flush().await.unwrap();
    let answering = client.clone();
    tokio::spawn(async move {
        while let Some(message) = asked.next().await {
            let Some(reply) = message.reply else { continue };
            let times = if message.subject.ends_with("three") { 3 } else { 1 };
            if message.subject.ends_with("silent") {
                continue;
            }
            for n in 0..times {
                let body = format!("{} {n}", String::from_utf8_lossy(&message.payload));
                let headers = message.headers.clone().unwrap_or_default();
                answering
                    .publish_with_headers(reply.clone(), headers, body.into())
                    .await
                    .unwrap();
            }
        }
    });
    client
}

async fn jetstream(server: &NatsServer) -> jetstream::Context {
    let context = jetstream::new(client(server).await);
    let config = stream::Config {
        name: "STORED".to_owned(),
        subjects: vec!["stored.>".to_owned()],
        ..stream::Config::default()
    };
    context.create_stream(config).await.unwrap();
    context
}

async fn bucket(context: &jetstream::Context, name: &str) -> kv::Store {
    let config = kv::Config {
        bucket: name.to_owned(),
        history: 5,
        max_value_size: 1000,
        ..kv::Config::default()
    };
    context.create_key_value(config).await.unwrap()
}

#[tokio::test]
async fn a_message_is_published_with_its_headers_by_every_interface() {
    let server = NatsServer::start().unwrap();
    let workload = caller(&server, 0).start();
    ready(&workload).await;
    let outside = client(&server).await;
    let mut published = outside.subscribe("app.*").await.unwrap();
    outside.flush().await.unwrap();
    for function in ["/publisher/publish", "/0.2.0/publish", "/0.3.0/publish"] {
        let arguments = [
            ("subject", "app.a"),
            ("header", "Tag=a"),
            ("header", "Other=c"),
            ("header", "Tag=b"),
            ("reply-to", "app.reply"),
        ];
        assert_eq!(call(&workload, function, &arguments, "hello").await, "ok ()");
        let message = published.next().await.unwrap();
        assert_eq!(
            (message.subject.as_str(), &message.payload[..]),
            ("app.a", &b"hello"[..])
        );
        assert_eq!(message.reply.unwrap().as_str(), "app.reply");
        if function.starts_with("/publisher") {
            let headers = message.headers.unwrap();
            let tags: Vec<&str> = headers.get_all("Tag").map(|value| value.as_str()).collect();
            assert_eq!(tags, ["a", "b"]);
        }
    }
}

#[tokio::test]
async fn a_request_gets_its_reply_by_every_interface() {
    let server = NatsServer::start().unwrap();
    let workload = caller(&server, 0).start();
    ready(&workload).await;
    let _answerer = answerer(&server).await;
    let arguments = [("subject", "app.echo"), ("header", "Tag=a"), ("timeout", "10000")];
    let said = call(&workload, "/publisher/request", &arguments, "hello").await;
    assert_eq!(said, r#"ok ([("Tag", "a")], "hello 0")"#);
    for function in ["/0.2.0/request", "/0.3.0/request"] {
        let said = call(&workload, function, &arguments, "hello").await;
        assert_eq!(said, r#"ok "hello 0""#, "{function}");
    }
    // Without a time of its own, and more than goes through the loopback in one piece.
    let large = [("subject", "app.echo"), ("size", "300000")];
    assert_eq!(
        call(&workload, "/0.3.0/request", &large, "").await,
        r#"ok "300002 bytes""#
    );
}

#[tokio::test]
async fn who_does_not_answer_and_who_is_not_there_are_told_apart() {
    let server = NatsServer::start().unwrap();
    let workload = caller(&server, 0).start();
    ready(&workload).await;
    let _answerer = answerer(&server).await;
    let silent = [("subject", "app.silent"), ("timeout", "200")];
    let nobody = [("subject", "app.no.body"), ("timeout", "30000")];
    for (function, timeout, no_responders) in [
        (
            "/publisher/request",
            "error Error::Timeout",
            "error Error::NoResponders",
        ),
        (
            "/publisher/request-many",
            "error Error::Timeout",
            "error Error::NoResponders",
        ),
        (
            "/0.2.0/request",
            r#"error "no answer in time""#,
            r#"error "nobody answers there""#,
        ),
        (
            "/0.3.0/request",
            "error Error::Timeout",
            r#"error Error::Other("nobody answers there")"#,
        ),
    ] {
        assert_eq!(call(&workload, function, &silent, "").await, timeout, "{function}");
        let began = Instant::now();
        assert_eq!(
            call(&workload, function, &nobody, "").await,
            no_responders,
            "{function}"
        );
        assert!(began.elapsed() < Duration::from_secs(20), "it was told by a timeout");
    }
}

#[tokio::test]
async fn a_request_for_many_replies_ends_by_the_first_of_its_three_ends() {
    let server = NatsServer::start().unwrap();
    let workload = caller(&server, 0).start();
    ready(&workload).await;
    let _answerer = answerer(&server).await;
    let all = r#"ok ["hi 0", "hi 1", "hi 2"]"#;
    for (ends, expected, seconds) in [
        ([("timeout", "400"), ("replies", "9")], all, 0.4..20.0),
        ([("timeout", "60000"), ("replies", "3")], all, 0.0..20.0),
        (
            [("timeout", "60000"), ("replies", "2")],
            r#"ok ["hi 0", "hi 1"]"#,
            0.0..20.0,
        ),
        ([("timeout", "60000"), ("stall", "300")], all, 0.3..20.0),
    ] {
        let mut arguments = vec![("subject", "app.three")];
        arguments.extend(ends);
        let began = Instant::now();
        let said = call(&workload, "/publisher/request-many", &arguments, "hi").await;
        assert_eq!(said, expected, "{ends:?}");
        assert!(seconds.contains(&began.elapsed().as_secs_f64()), "{ends:?}");
    }
}

#[tokio::test]
async fn a_stored_message_is_acknowledged_and_its_conditions_hold() {
    let server = NatsServer::with_jetstream().unwrap();
    let context = jetstream(&server).await;
    let workload = caller(&server, 0).start();
    ready(&workload).await;
    let ack = |sequence: u64, duplicate: bool| {
        format!("ok Ack {{ stream: \"STORED\", sequence: {sequence}, duplicate: {duplicate}, domain: None }}")
    };
    let wrong = |actual: u64| format!("error Error::Refused((10071, \"wrong last sequence: {actual}\"))");
    let other_stream = "error Error::Refused((10060, \"expected stream does not match\"))".to_owned();
    for (conditions, expected) in [
        (&[("message-id", "m1")][..], ack(1, false)),
        (&[("message-id", "m1")][..], ack(1, true)),
        (&[("expected-stream", "STORED")][..], ack(2, false)),
        (&[("expected-stream", "OTHER")][..], other_stream),
        (&[("expected-last-sequence", "2")][..], ack(3, false)),
        (&[("expected-last-sequence", "2")][..], wrong(3)),
        (&[("expected-last-subject-sequence", "3")][..], ack(4, false)),
        (&[("expected-last-subject-sequence", "3")][..], wrong(4)),
        (
            &[("message-id", "m2"), ("expected-stream", "STORED"), ("header", "Tag=a")][..],
            ack(5, false),
        ),
    ] {
        let mut arguments = vec![("subject", "stored.a")];
        arguments.extend_from_slice(conditions);
        let said = call(&workload, "/publisher/publish-stored", &arguments, "hello").await;
        assert_eq!(said, expected, "{conditions:?}");
    }
    let stream = context.get_stream("STORED").await.unwrap();
    let last = stream.get_raw_message(5).await.unwrap();
    assert_eq!(last.headers.get("Tag").unwrap().as_str(), "a");
    assert_eq!(stream.get_info().await.unwrap().state.messages, 5);
    let nowhere = [("subject", "app.nowhere")];
    assert_eq!(
        call(&workload, "/publisher/publish-stored", &nowhere, "").await,
        "error Error::NoResponders"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_message_is_told_before_it_is_sent() {
    /// What is sent, and the errors of the two interfaces.
    type Case = (&'static [(&'static str, &'static str)], String, String);

    let server = NatsServer::with_config("max_payload: 100000").unwrap();
    let workload = caller(&server, 0).start();
    ready(&workload).await;
    let denied = r#"Permissions Violation for Publish to \"secret\""#;
    let cases: [Case; 7] = [
        (
            &[("subject", "")],
            r#"InvalidSubject("")"#.into(),
            "SubjectInvalid".into(),
        ),
        (
            &[("subject", "app..a")],
            r#"InvalidSubject("app..a")"#.into(),
            "SubjectInvalid".into(),
        ),
        (
            &[("subject", "app.a b")],
            r#"InvalidSubject("app.a b")"#.into(),
            "SubjectInvalid".into(),
        ),
        (
            &[("subject", "app.*")],
            r#"InvalidSubject("app.*")"#.into(),
            "SubjectInvalid".into(),
        ),
        (
            &[("subject", "app.a"), ("size", "200000")],
            "TooLarge(100000)".into(),
            "MessageTooLarge".into(),
        ),
        (
            &[("subject", "secret")],
            format!("Denied(\"{denied}\")"),
            "AccessDenied".into(),
        ),
        (
            &[("subject", "app.a"), ("header", "Two words=x")],
            r#"InvalidHeader("header name \"Two words\" is not printable ASCII without blanks and colons")"#.into(),
            String::new(),
        ),
    ];
    for (arguments, ours, wasmclouds) in cases {
        for function in ["publish", "publish-stored", "request", "request-many"] {
            let mut arguments = arguments.to_vec();
            arguments.push(("timeout", "10000"));
            let said = call(&workload, &format!("/publisher/{function}"), &arguments, "").await;
            assert_eq!(said, format!("error Error::{ours}"), "{function} {arguments:?}");
        }
        for function in ["publish", "request"] {
            if !wasmclouds.is_empty() {
                let said = call(&workload, &format!("/0.3.0/{function}"), arguments, "").await;
                assert_eq!(said, format!("error Error::{wasmclouds}"), "{function} {arguments:?}");
                let said = call(&workload, &format!("/0.2.0/{function}"), arguments, "").await;
                assert!(said.starts_with("error \""), "{function} {arguments:?}: {said}");
            }
        }
    }
    let header = [("subject", "app.a"), ("header", "Tag=a\\rb")];
    assert_eq!(
        call(&workload, "/publisher/publish", &header, "").await,
        r#"error Error::InvalidHeader("the value of header \"Tag\" holds a line break")"#
    );
    let reply = [("subject", "app.a"), ("reply-to", "secret")];
    let said = call(&workload, "/publisher/publish", &reply, "").await;
    assert!(said.starts_with("error Error::Denied("), "{said}");
}

#[tokio::test]
async fn a_server_that_is_away_is_unavailable_and_nothing_is_sent_later() {
    let mut server = NatsServer::start().unwrap();
    for pool in [0, 1] {
        let workload = caller(&server, pool).start();
        ready(&workload).await;
        let arguments = [("subject", "app.echo"), ("timeout", "500")];
        assert_eq!(call(&workload, "/publisher/publish", &arguments, "").await, "ok ()");
        server.kill();
        eventually("it is noticed", &workload, async || {
            metric(&workload, "nats_connected").await == 0.0
        })
        .await;
        let unavailable = r#"Unavailable("the NATS service has no connection to a server")"#;
        for (function, expected) in [
            ("/publisher/request", format!("error Error::{unavailable}")),
            ("/publisher/publish-stored", format!("error Error::{unavailable}")),
            ("/0.3.0/request", "error Error::BrokerUnavailable".to_owned()),
        ] {
            assert_eq!(
                call(&workload, function, &arguments, "").await,
                expected,
                "{function} {pool}"
            );
        }
        server.start_again().unwrap();
        let outside = client(&server).await;
        let mut published = outside.subscribe("app.>").await.unwrap();
        outside.flush().await.unwrap();
        ready(&workload).await;
        let arguments = [("subject", "app.after")];
        assert_eq!(call(&workload, "/publisher/publish", &arguments, "").await, "ok ()");
        assert_eq!(published.next().await.unwrap().subject.as_str(), "app.after");
    }
}

#[tokio::test]
async fn a_publish_waits_for_a_server_that_comes_back() {
    let mut server = NatsServer::start().unwrap();
    let workload = caller(&server, 0).start();
    ready(&workload).await;
    server.kill();
    eventually("it is noticed", &workload, async || {
        metric(&workload, "nats_connected").await == 0.0
    })
    .await;
    let arguments = [("subject", "app.a")];
    let call = call(&workload, "/publisher/publish", &arguments, "");
    let (said, started) = tokio::join!(call, async {
        eventually("it waits", &workload, async || {
            metric(&workload, "nats_clients").await == 1.0
        })
        .await;
        server.start_again()
    });
    started.unwrap();
    assert_eq!(said, "ok ()");
}

#[tokio::test]
async fn a_service_that_does_not_listen_is_unavailable() {
    let server = NatsServer::start().unwrap();
    let workload = caller(&server, 0).environment("NATS_LISTEN", "127.0.0.1:4333").start();
    ready(&workload).await;
    let arguments = [("subject", "app.a"), ("timeout", "300")];
    let said = call(&workload, "/publisher/request", &arguments, "").await;
    assert!(
        said.starts_with(r#"error Error::Unavailable("the NATS service at 127.0.0.1:4222: "#),
        "{said}"
    );
    let said = call(&workload, "/kv/get", &[("bucket", "b"), ("key", "k")], "").await;
    assert!(said.starts_with("error Error::Unavailable("), "{said}");
    let elsewhere = caller(&server, 0).environment("NATS_LISTEN", "127.0.0.1:4333");
    let mut elsewhere = elsewhere.clone();
    for component in &mut elsewhere.spec.components {
        let environment = &mut component.resources.environment;
        environment.insert("NATS_LISTEN".to_owned(), "127.0.0.1:4333".to_owned());
    }
    let workload = elsewhere.start();
    ready(&workload).await;
    assert_eq!(call(&workload, "/publisher/publish", &arguments, "").await, "ok ()");
}

/// The endpoint numbers its connections.
async fn next_connection(workload: &Workload) -> u64 {
    let mut stream = common::connect(workload, 4222).await;
    let mut info = Vec::new();
    while !info.ends_with(b"\r\n") {
        stream.read_buf(&mut info).await.unwrap();
    }
    let text = String::from_utf8(info).unwrap();
    let value: serde_json::Value = serde_json::from_str(text.strip_prefix("INFO ").unwrap()).unwrap();
    value["client_id"].as_u64().unwrap()
}

#[tokio::test]
async fn a_warm_instance_keeps_its_connection_and_a_fresh_one_leaves_none_behind() {
    let server = NatsServer::start().unwrap();
    for (pool, connections) in [(0, 20), (1, 1)] {
        let workload = caller(&server, pool).start();
        ready(&workload).await;
        let _answerer = answerer(&server).await;
        let before = next_connection(&workload).await;
        for n in 0..20 {
            let arguments = [("subject", "app.echo"), ("timeout", "10000")];
            let said = call(&workload, "/publisher/request", &arguments, &n.to_string()).await;
            assert_eq!(said, format!("ok ([], \"{n} 0\")"));
        }
        assert_eq!(
            next_connection(&workload).await - before - 1,
            connections,
            "pool {pool}"
        );
        let left = if pool == 0 { 0.0 } else { 1.0 };
        eventually("the others are gone", &workload, async || {
            metric(&workload, "nats_clients").await == left
        })
        .await;
    }
}

#[tokio::test]
async fn a_warm_instance_is_of_use_after_refusals_and_timeouts() {
    let server = NatsServer::with_jetstream().unwrap();
    jetstream(&server).await;
    let workload = caller(&server, 1).start();
    ready(&workload).await;
    let _answerer = answerer(&server).await;
    for (function, arguments, expected) in [
        (
            "/publisher/request",
            [("subject", "app.silent"), ("timeout", "500")],
            "error Error::Timeout",
        ),
        (
            "/publisher/request",
            [("subject", "secret"), ("timeout", "9000")],
            "error Error::Denied",
        ),
        (
            "/publisher/request",
            [("subject", "app.three"), ("timeout", "9000")],
            "ok ([], \"hi 0\")",
        ),
        (
            "/publisher/request-many",
            [("subject", "app.silent"), ("timeout", "500")],
            "error Error::Timeout",
        ),
        (
            "/publisher/publish-stored",
            [("subject", "stored.a"), ("timeout", "9000")],
            "ok Ack",
        ),
        (
            "/publisher/publish-stored",
            [("subject", "stored.a"), ("expected-stream", "X")],
            "error Error::Refused",
        ),
        (
            "/kv/get",
            [("bucket", "nobucket"), ("key", "k")],
            "error Error::NoBucket",
        ),
        (
            "/publisher/request",
            [("subject", "app.echo"), ("timeout", "9000")],
            "ok ([], \"hi 0\")",
        ),
    ] {
        for _ in 0..2 {
            let said = call(&workload, function, &arguments, "hi").await;
            assert!(said.starts_with(expected), "{function} {arguments:?}: {said}");
        }
    }
}

#[tokio::test]
async fn values_are_kept_changed_and_deleted_by_revision() {
    let server = NatsServer::with_jetstream().unwrap();
    let context = jetstream::new(client(&server).await);
    let store = bucket(&context, "settings").await;
    for pool in [0, 1] {
        let workload = caller(&server, pool).start();
        ready(&workload).await;
        let first = store.put("unrelated", "x".into()).await.unwrap();
        let key = format!("colour.{pool}");
        let kv = async |function: &str, arguments: &[(&str, &str)], value: &str| {
            let mut all = vec![("bucket", "settings"), ("key", key.as_str())];
            all.extend_from_slice(arguments);
            call(&workload, &format!("/kv/{function}"), &all, value).await
        };
        let revision = |number: u64| (first + number).to_string();
        let ok = |number: u64| format!("ok {}", first + number);
        let conflict = "error Error::Conflict";
        assert_eq!(kv("get", &[], "").await, "ok None");
        assert_eq!(kv("create", &[], "red").await, ok(1));
        assert_eq!(kv("create", &[], "blue").await, conflict);
        assert_eq!(
            kv("get", &[], "").await,
            format!("ok Some((\"red\", {}, true))", first + 1)
        );
        assert_eq!(kv("put", &[], "green").await, ok(2));
        assert_eq!(kv("update", &[("revision", &revision(1))], "blue").await, conflict);
        assert_eq!(kv("update", &[("revision", &revision(2))], "blue").await, ok(3));
        assert_eq!(kv("delete", &[("revision", &revision(2))], "").await, conflict);
        assert_eq!(kv("delete", &[("revision", &revision(3))], "").await, "ok ()");
        assert_eq!(kv("get", &[], "").await, "ok None");
        assert_eq!(kv("create", &[], "again").await, ok(5), "a deleted key has no value");
        assert_eq!(kv("delete", &[], "").await, "ok ()");
        assert_eq!(kv("put", &[], "").await, ok(7));
        assert_eq!(
            kv("get", &[], "").await,
            format!("ok Some((\"\", {}, true))", first + 7)
        );
        assert_eq!(store.get(key.as_str()).await.unwrap().unwrap(), "");
    }
}

#[tokio::test]
async fn keys_are_those_that_have_a_value() {
    let server = NatsServer::with_jetstream().unwrap();
    let context = jetstream::new(client(&server).await);
    let (store, _empty) = (bucket(&context, "settings").await, bucket(&context, "empty").await);
    let workload = caller(&server, 0).start();
    ready(&workload).await;
    let mut expected = Vec::new();
    for n in 0..500 {
        let key = format!("key.{n:03}");
        store.put(key.as_str(), "x".repeat(900).into()).await.unwrap();
        expected.push(key);
    }
    for gone in ["key.007", "key.499"] {
        store.delete(gone).await.unwrap();
        expected.retain(|key| key != gone);
    }
    store.purge("key.100").await.unwrap();
    expected.retain(|key| key != "key.100");
    let said = call(&workload, "/kv/keys", &[("bucket", "settings")], "").await;
    assert_eq!(said, format!("ok {expected:?}"));
    assert_eq!(call(&workload, "/kv/keys", &[("bucket", "empty")], "").await, "ok []");
    let stream = context.get_stream("KV_settings").await.unwrap();
    eventually("no consumer is left behind", &workload, async || {
        stream.get_info().await.unwrap().state.consumer_count == 0
    })
    .await;
}

#[tokio::test]
async fn what_a_bucket_does_not_take_is_told_by_name() {
    let server = NatsServer::with_jetstream().unwrap();
    let context = jetstream::new(client(&server).await);
    bucket(&context, "settings").await;
    bucket(&context, "secrets").await;
    let grants = "$KV.settings.>,$KV.nobucket.>,$JS.API.STREAM.MSG.GET.KV_settings,$JS.API.STREAM.MSG.GET.KV_nobucket,\
                  $JS.API.CONSUMER.CREATE.KV_settings.>,$JS.API.CONSUMER.CREATE.KV_nobucket.>,\
                  $JS.API.CONSUMER.DELETE.KV_settings.>";
    let workload = caller(&server, 0).environment("NATS_PUBLISH_ALLOW", grants).start();
    ready(&workload).await;
    let functions = ["get", "put", "create", "update", "delete", "keys"];
    for (bucket, key, expected) in [
        ("a.b", "k", r#"InvalidBucket("a.b")"#),
        ("", "k", r#"InvalidBucket("")"#),
        ("settings", "a..b", r#"InvalidKey("a..b")"#),
        ("settings", "a.*", r#"InvalidKey("a.*")"#),
        ("settings", "", r#"InvalidKey("")"#),
        ("nobucket", "k", "NoBucket"),
        ("secrets", "k", "Denied("),
    ] {
        for function in functions {
            if function == "keys" && key != "k" {
                continue;
            }
            let arguments = [("bucket", bucket), ("key", key)];
            let said = call(&workload, &format!("/kv/{function}"), &arguments, "v").await;
            let expected = format!("error Error::{expected}");
            assert!(said.starts_with(&expected), "{function} {bucket} {key}: {said}");
        }
    }
    let good = [("bucket", "settings"), ("key", "k")];
    assert_eq!(
        call(&workload, "/kv/put", &good, "v").await,
        "ok 1",
        "the narrow grants do"
    );
    assert_eq!(call(&workload, "/kv/get", &good, "").await, "ok Some((\"v\", 1, true))");
    assert_eq!(call(&workload, "/kv/keys", &good, "").await, "ok [\"k\"]");
    let mut large = good.to_vec();
    large.push(("size", "2000"));
    let said = call(&workload, "/kv/put", &large, "").await;
    assert!(said.starts_with("error Error::Refused((10054, "), "{said}");
    large[2].1 = "2000000";
    assert_eq!(
        call(&workload, "/kv/put", &large, "").await,
        "error Error::TooLarge(1048576)"
    );
}

#[tokio::test]
async fn a_bucket_of_another_domain_is_used_through_its_prefix() {
    let config = "jetstream { store_dir: \"$FOLDER/jetstream\", domain: hub }";
    let server = NatsServer::with_config(config).unwrap();
    bucket(&jetstream::new(client(&server).await), "settings").await;
    let workload = service("nats-endpoint", &server)
        .component("test/nats-caller")
        .component_with("nats-client", |client| {
            let environment = &mut client.resources.environment;
            environment.insert("NATS_JS_DOMAIN".to_owned(), "hub".to_owned());
        })
        .environment("NATS_JS_DOMAIN", "hub")
        .environment("NATS_PUBLISH_ALLOW", "$JS.hub.API.>")
        .http()
        .start();
    ready(&workload).await;
    let arguments = [("bucket", "settings"), ("key", "colour")];
    assert_eq!(call(&workload, "/kv/put", &arguments, "red").await, "ok 1");
    let keys = call(&workload, "/kv/keys", &arguments[..1], "").await;
    assert_eq!(keys, r#"ok ["colour"]"#);
}
