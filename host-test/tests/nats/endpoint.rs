//! The loopback endpoint: clients that know nothing of this project, what they may do, and what is no client at all.

use std::path::Path;
use std::time::Duration;

use async_nats::jetstream;
use futures::StreamExt;
use mainstay_host_test::workload::Workload;
use mainstay_peers::{NatsServer, tools};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::common::{self, Builder, DEADLINE};
use crate::malformed;
use crate::support::{client, eventually, log, loopback_client, metric, ready, service};

/// The service with the endpoint alone. It imports a handler, so there has to be one.
fn endpoint(server: &NatsServer, publish: &str, subscribe: &str) -> Builder {
    service("nats", server)
        .component("test/nats-handler")
        .environment("NATS_PUBLISH_ALLOW", publish)
        .environment("NATS_SUBSCRIBE_ALLOW", subscribe)
}

#[tokio::test]
async fn nats_py_runs_unmodified() {
    let server = NatsServer::with_jetstream().unwrap();
    let grants = "app.>,stored.>,$JS.API.>,$KV.>,$O.>";
    let workload = endpoint(&server, grants, "app.>").start();
    ready(&workload).await;
    all_parts_pass(&workload, Command::new(tools::python().unwrap()), "client.py").await;
}

#[tokio::test]
async fn transport_node_runs_unmodified() {
    let server = NatsServer::with_jetstream().unwrap();
    let grants = "node.>,nodestored.>,$JS.API.>,$KV.>,$O.>";
    let workload = endpoint(&server, grants, "node.>").start();
    ready(&workload).await;
    let mut node = Command::new("node");
    node.current_dir(tools::node_packages().unwrap());
    all_parts_pass(&workload, node, "client.mjs").await;
}

/// Runs a client's script, which tells of each of its six parts that it has passed.
async fn all_parts_pass(workload: &Workload, mut interpreter: Command, script: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nats").join(script);
    let url = format!("nats://{}:4222", workload.loopback());
    let script = interpreter.arg(script).arg(url).kill_on_drop(true);
    let output = script.output().await.expect("it is not installed");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}\n{}", log(workload));
    assert_eq!(stdout.lines().count(), 6, "{stdout}");
}

#[tokio::test]
async fn a_rust_client_runs_unmodified() {
    let server = NatsServer::with_jetstream().unwrap();
    let workload = endpoint(&server, "app.>,stored.>,$JS.API.>,$KV.>", "app.>").start();
    ready(&workload).await;
    let client = loopback_client(&workload).await;
    let mut subscription = client.subscribe("app.*").await.unwrap();
    client.publish("app.a", "hello".into()).await.unwrap();
    assert_eq!(subscription.next().await.unwrap().payload, "hello");
    let context = jetstream::new(client);
    let bucket = jetstream::kv::Config {
        bucket: "settings".to_owned(),
        ..jetstream::kv::Config::default()
    };
    let kv = context.create_key_value(bucket).await.unwrap();
    let revision = kv.put("colour", "red".into()).await.unwrap();
    kv.update("colour", "blue".into(), revision).await.unwrap();
    assert!(kv.update("colour", "green".into(), revision).await.is_err());
    assert_eq!(kv.get("colour").await.unwrap().unwrap(), "blue");
}

#[tokio::test]
async fn grants_hold_and_a_refusal_is_the_protocols_own() {
    let server = NatsServer::start().unwrap();
    let workload = endpoint(&server, "orders.>", "orders.eu.*").start();
    ready(&workload).await;
    let outside = client(&server).await;
    let mut all = outside.subscribe(">").await.unwrap();
    outside.flush().await.unwrap();
    let mut stream = common::connect(&workload, 4222).await;
    let said = "CONNECT {\"verbose\":false}\r\nPUB secret 1\r\n1\r\nPUB $SYS.x 1\r\n2\r\nPUB $JS.API.INFO 0\r\n\r\n\
                PUB orders.eu 1\r\n4\r\nSUB orders.* 1\r\nSUB > q 2\r\nSUB orders.eu.* 3\r\nPING\r\n";
    let answer = answer(&mut stream, said, "PONG\r\n").await;
    let (_, after_info) = answer.split_once("\r\n").unwrap();
    assert_eq!(
        after_info,
        "-ERR 'Permissions Violation for Publish to \"secret\"'\r\n\
         -ERR 'Permissions Violation for Publish to \"$SYS.x\"'\r\n\
         -ERR 'Permissions Violation for Publish to \"$JS.API.INFO\"'\r\n\
         -ERR 'Permissions Violation for Subscription to \"orders.*\"'\r\n\
         -ERR 'Permissions Violation for Subscription to \">\" using queue \"q\"'\r\n\
         PONG\r\n"
    );
    let only = all.next().await.unwrap();
    assert_eq!((only.subject.as_str(), &only.payload[..]), ("orders.eu", &b"4"[..]));
    assert_eq!(metric(&workload, "nats_client_errors_total").await, 5.0);
}

/// Says something and reads until the answer ends so, or the connection does.
async fn answer(stream: &mut TcpStream, said: &str, end: &str) -> String {
    stream.write_all(said.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = async {
        while !answer.ends_with(end.as_bytes()) && stream.read_buf(&mut answer).await.is_ok_and(|count| count > 0) {}
    };
    let _ = tokio::time::timeout(DEADLINE, read).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn two_components_with_the_same_inbox_see_their_own_replies_only() {
    let server = NatsServer::start().unwrap();
    let workload = endpoint(&server, "ask", "")
        .environment("NATS_INBOX_PREFIX", "_INBOX_team")
        .start();
    ready(&workload).await;
    let outside = client(&server).await;
    let mut asked = outside.subscribe("ask").await.unwrap();
    outside.flush().await.unwrap();
    let mut streams = [
        common::connect(&workload, 4222).await,
        common::connect(&workload, 4222).await,
    ];
    for (index, stream) in streams.iter_mut().enumerate() {
        let said = format!(
            "CONNECT {{\"verbose\":false}}\r\nSUB _INBOX.same 1\r\nPUB ask _INBOX.same 1\r\n{index}\r\nPING\r\n"
        );
        assert!(answer(stream, &said, "PONG\r\n").await.ends_with("PONG\r\n"));
    }
    for _ in 0..2 {
        let question = asked.next().await.unwrap();
        let reply = question.reply.unwrap();
        assert!(reply.starts_with("_INBOX_team."), "{reply}");
        outside.publish(reply, question.payload).await.unwrap();
    }
    outside.flush().await.unwrap();
    for (index, stream) in streams.iter_mut().enumerate() {
        let own = format!("MSG _INBOX.same 1 1\r\n{index}\r\n");
        assert_eq!(answer(stream, "", &own).await, own);
        assert_eq!(
            answer(stream, "PING\r\n", "PONG\r\n").await,
            "PONG\r\n",
            "nothing of the other's"
        );
    }
}

#[tokio::test]
async fn a_client_without_echo_does_not_hear_itself() {
    let server = NatsServer::start().unwrap();
    let workload = endpoint(&server, "app", "app").start();
    ready(&workload).await;
    let [mut quiet, mut other] = [
        common::connect(&workload, 4222).await,
        common::connect(&workload, 4222).await,
    ];
    let said = "CONNECT {\"verbose\":false,\"echo\":false}\r\nSUB app 1\r\nPING\r\n";
    let told = answer(&mut quiet, said, "PONG\r\n").await;
    assert!(told.ends_with("}\r\nPONG\r\n"), "{told}");
    let said = "CONNECT {\"verbose\":false}\r\nSUB app 1\r\nPING\r\n";
    assert!(answer(&mut other, said, "PONG\r\n").await.ends_with("}\r\nPONG\r\n"));
    assert_eq!(
        answer(&mut quiet, "PUB app 1\r\n1\r\nPING\r\n", "PONG\r\n").await,
        "PONG\r\n"
    );
    assert_eq!(answer(&mut other, "", "1\r\n1\r\n").await, "MSG app 1 1\r\n1\r\n");
    let heard = answer(&mut other, "PUB app 1\r\n2\r\nPING\r\n", "PONG\r\n").await;
    assert_eq!(heard, "MSG app 1 1\r\n2\r\nPONG\r\n");
    assert_eq!(answer(&mut quiet, "", "1\r\n2\r\n").await, "MSG app 1 1\r\n2\r\n");
}

#[tokio::test]
async fn clients_stay_when_the_broker_is_killed_and_get_what_comes_after() {
    let mut server = NatsServer::start().unwrap();
    let workload = endpoint(&server, "app", "app").start();
    ready(&workload).await;
    let loopback = loopback_client(&workload).await;
    let mut subscription = loopback.subscribe("app").await.unwrap();
    loopback.flush().await.unwrap();
    server.kill();
    eventually("it is noticed", &workload, async || {
        metric(&workload, "nats_connected").await == 0.0
    })
    .await;
    // Waits in memory until there is a server again.
    loopback.publish("app", "meanwhile".into()).await.unwrap();
    server.start_again().unwrap();
    let message = tokio::time::timeout(DEADLINE, subscription.next())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(message.payload, "meanwhile");
    assert_eq!(metric(&workload, "nats_clients").await, 1.0);
}

/// What a server answers to an input, INFO left out, and whether it hangs up.
async fn reaction(mut stream: TcpStream, input: &[u8]) -> (String, bool) {
    let _ = stream.write_all(input).await;
    let mut answer = Vec::new();
    let read = async { while stream.read_buf(&mut answer).await.is_ok_and(|count| count > 0) {} };
    let ends = tokio::time::timeout(Duration::from_millis(700), read).await.is_ok();
    let text = String::from_utf8_lossy(&answer);
    let told = text.lines().filter(|line| !line.starts_with("INFO "));
    (told.map(|line| format!("{line}\r\n")).collect(), ends)
}

#[tokio::test]
async fn malformed_inputs_are_answered_as_by_nats_server_itself() {
    let server = NatsServer::with_config(
        "max_subscriptions: 2\nauthorization { users: [ { user: u, password: p, permissions: { \
         publish: [\"foo\", \"foo.>\"], subscribe: [\"foo\", \"foo.>\", \"_INBOX.mainstay-inbox.instance.1.>\"] } } ] }\nno_auth_user: u",
    )
    .unwrap();
    let workload = endpoint(&server, "foo,foo.>", "foo,foo.>")
        .environment("NATS_MAX_SUBSCRIPTIONS", "2")
        .start();
    ready(&workload).await;
    let checks = malformed::inputs().into_iter().map(|input| {
        let (server, workload) = (&server, &workload);
        async move {
            let ours = common::connect(workload, 4222).await;
            let real = TcpStream::connect(server.address()).await.unwrap();
            let (ours, real) = tokio::join!(reaction(ours, &input.bytes), reaction(real, &input.bytes));
            (input, ours, real)
        }
    });
    let results: Vec<_> = futures::stream::iter(checks).buffer_unordered(8).collect().await;
    let mut differences = Vec::new();
    for (input, ours, real) in results {
        if !input.what.contains("others' inboxes") {
            assert_eq!(ours, (input.answer.clone(), input.ends), "{}", input.what);
        }
        let silent = real.0.is_empty() && ours.0 == "-ERR 'Parser Error'\r\n";
        if real != ours && !(silent && real.1) {
            differences.push(input.what);
        }
    }
    differences.sort_unstable();
    let known: Vec<&str> = DIFFERENCES.iter().map(|(what, _)| *what).collect();
    assert_eq!(differences, known);
    assert!(metric(&workload, "nats_client_errors_total").await > 40.0);
}

/// Where the endpoint answers otherwise than nats-server, each on purpose.
const DIFFERENCES: &[(&str, &str)] = &[
    ("HPUB before CONNECT", "nats-server hangs up without a word"),
    (
        "HPUB with an open block",
        "nats-server passes it on for others to stumble over",
    ),
    (
        "HPUB without a version",
        "nats-server passes it on for others to stumble over",
    ),
    (
        "PUB of others",
        "nats-server has no grants of replies: whoever answers would publish in its place",
    ),
    (
        "PUB to an empty token",
        "nats-server says both that it is invalid and that it is denied",
    ),
    ("PUB with a wildcard reply", "nats-server does not look at replies"),
    ("SUB to an empty token", "nats-server says that it is denied"),
    ("UNSUB with a maximum that is none", "nats-server takes it for at once"),
];

#[tokio::test]
async fn a_client_that_does_not_read_is_told_so_and_let_go() {
    let server = NatsServer::start().unwrap();
    let workload = endpoint(&server, "", "flood")
        .environment("NATS_CLIENT_BUFFER", "64KiB")
        .start();
    ready(&workload).await;
    let mut stream = flooded(&server, &workload, "{\"verbose\":false,\"name\":\"sleepy\"}").await;
    let told = answer(&mut stream, "", "-ERR 'Slow Consumer'\r\n").await;
    assert!(told.ends_with("-ERR 'Slow Consumer'\r\n"), "{}", told.len());
    eventually("it is gone", &workload, async || {
        metric(&workload, "nats_clients").await == 0.0
    })
    .await;
    eventually("it is in the log", &workload, async || {
        log(&workload).contains("sleepy") && log(&workload).contains("flood")
    })
    .await;
}

/// A client that connects so, subscribes to `flood`, and has not read when it has lost something.
async fn flooded(server: &NatsServer, workload: &Workload, connect: &str) -> TcpStream {
    let mut stream = common::connect(workload, 4222).await;
    let said = format!("CONNECT {connect}\r\nSUB flood 1\r\nPING\r\n");
    assert!(answer(&mut stream, &said, "PONG\r\n").await.ends_with("PONG\r\n"));
    let outside = client(server).await;
    let body = "x".repeat(10_000);
    eventually("it is too slow", workload, async || {
        for _ in 0..100 {
            outside.publish("flood", body.clone().into()).await.unwrap();
        }
        outside.flush().await.unwrap();
        metric(workload, "nats_client_dropped_total").await > 0.0
    })
    .await;
    stream
}

#[tokio::test]
async fn a_client_that_never_reads_is_gone_and_handlers_go_on() {
    let server = NatsServer::start().unwrap();
    let workload = endpoint(&server, "", "flood")
        .environment("NATS_SUBJECTS", "greet")
        .environment("NATS_CLIENT_BUFFER", "64KiB")
        .start();
    ready(&workload).await;
    let stream = flooded(&server, &workload, "{\"verbose\":false}").await;
    let outside = client(&server).await;
    let began = std::time::Instant::now();
    // Past the farewell that nobody reads.
    while began.elapsed() < Duration::from_secs(5) {
        let answer = tokio::time::timeout(Duration::from_secs(2), outside.request("greet", "hello".into()));
        assert_eq!(answer.await.expect("all is frozen").unwrap().payload, "hello");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    eventually("it is gone", &workload, async || {
        metric(&workload, "nats_clients").await == 0.0
    })
    .await;
    drop(stream);
}

#[tokio::test]
async fn a_client_that_does_not_read_may_stay_and_loses_what_does_not_fit() {
    let server = NatsServer::start().unwrap();
    let workload = endpoint(&server, "", "flood")
        .environment("NATS_CLIENT_BUFFER", "64KiB")
        .environment("NATS_SLOW_CONSUMER", "drop")
        .start();
    ready(&workload).await;
    let mut stream = flooded(&server, &workload, "{\"verbose\":false}").await;
    assert_eq!(metric(&workload, "nats_clients").await, 1.0);
    let told = answer(&mut stream, "UNSUB 1\r\nPING\r\n", "PONG\r\n").await;
    assert!(told.contains("MSG flood 1 10000\r\n") && told.ends_with("PONG\r\n"));
    assert!(told.contains("-ERR 'Slow Consumer'\r\n"));
    assert_eq!(answer(&mut stream, "PING\r\n", "PONG\r\n").await, "PONG\r\n");
}

#[tokio::test]
async fn no_more_clients_are_served_at_once_than_there_may_be() {
    let server = NatsServer::start().unwrap();
    let workload = endpoint(&server, "", "").environment("NATS_MAX_CLIENTS", "1").start();
    ready(&workload).await;
    let mut first = common::connect(&workload, 4222).await;
    let said = "CONNECT {\"verbose\":false}\r\nPING\r\n";
    assert!(answer(&mut first, said, "PONG\r\n").await.ends_with("PONG\r\n"));
    let mut second = common::connect(&workload, 4222).await;
    let mut greeting = [0; 5];
    let early = tokio::time::timeout(Duration::from_millis(500), second.read_exact(&mut greeting)).await;
    assert!(early.is_err(), "{greeting:?}");
    assert_eq!(metric(&workload, "nats_clients").await, 1.0);
    drop(first);
    let greeted = tokio::time::timeout(DEADLINE, second.read_exact(&mut greeting)).await;
    greeted.unwrap().unwrap();
    assert_eq!(&greeting, b"INFO ");
}

#[tokio::test]
async fn a_reply_for_a_client_without_echo_is_shown_to_nobody_else() {
    let server = NatsServer::start().unwrap();
    let workload = endpoint(&server, "ask", ">").start();
    ready(&workload).await;
    let outside = client(&server).await;
    let mut asked = outside.subscribe("ask").await.unwrap();
    outside.flush().await.unwrap();
    let [mut quiet, mut curious] = [
        common::connect(&workload, 4222).await,
        common::connect(&workload, 4222).await,
    ];
    let said = "CONNECT {\"verbose\":false}\r\nSUB > 1\r\nPING\r\n";
    assert!(answer(&mut curious, said, "PONG\r\n").await.ends_with("PONG\r\n"));
    let said = "CONNECT {\"verbose\":false,\"echo\":false}\r\nSUB _INBOX.x 1\r\nPUB ask _INBOX.x 0\r\n\r\nPING\r\n";
    assert!(answer(&mut quiet, said, "PONG\r\n").await.ends_with("PONG\r\n"));
    let question = asked.next().await.unwrap();
    outside.publish(question.reply.unwrap(), "secret".into()).await.unwrap();
    outside.flush().await.unwrap();
    assert_eq!(
        answer(&mut quiet, "", "secret\r\n").await,
        "MSG _INBOX.x 1 6\r\nsecret\r\n"
    );
    // Its PONG comes behind all that the server has sent by then.
    let told = answer(&mut curious, "PUB ask 4\r\nlast\r\nPING\r\n", "PONG\r\n").await;
    assert!(told.contains("last\r\n") && !told.contains("secret"), "{told}");
    // Both are counted, and the shared connection alone says whether the service is connected.
    assert_eq!(metric(&workload, "nats_clients").await, 2.0);
    assert_eq!(metric(&workload, "nats_connections_total").await, 1.0);
    drop(quiet);
    eventually("one is left", &workload, async || {
        metric(&workload, "nats_clients").await == 1.0
    })
    .await;
    assert_eq!(metric(&workload, "nats_connected").await, 1.0);
}

#[tokio::test]
async fn the_server_may_refuse_a_subscription_and_the_connection_goes_on() {
    let server = NatsServer::with_config("max_subscriptions: 3").unwrap();
    let workload = endpoint(&server, "", "app.*")
        .environment("NATS_SUBJECTS", "greet")
        .start();
    ready(&workload).await;
    let mut stream = common::connect(&workload, 4222).await;
    let said = "CONNECT {\"verbose\":false}\r\nSUB app.1 1\r\nSUB app.2 2\r\nSUB app.3 3\r\nPING\r\n";
    assert!(answer(&mut stream, said, "PONG\r\n").await.ends_with("PONG\r\n"));
    eventually("it is said", &workload, async || {
        metric(&workload, "nats_server_refusals_total").await >= 1.0
    })
    .await;
    let outside = client(&server).await;
    assert_eq!(outside.request("greet", "hello".into()).await.unwrap().payload, "hello");
    assert_eq!(metric(&workload, "nats_connections_total").await, 1.0);
    assert!(log(&workload).contains("maximum subscriptions exceeded"));
}
