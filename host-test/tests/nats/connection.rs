//! The connection to the server: servers that come and go, what waits meanwhile, and what is not sent at all.

use std::time::Duration;

use mainstay_host_test::workload::{Phase, Workload};
use mainstay_peers::NatsServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common;
use crate::support::{self, client, eventually, handler, log, metric, page, ready, with, works};

#[tokio::test]
async fn a_server_that_is_not_there_at_start_is_a_state() {
    let mut server = NatsServer::start().unwrap();
    server.kill();
    let workload = handler(&server).environment("NATS_SUBJECTS", "greet").start();
    eventually("it says so", &workload, async || {
        let readyz = page(&workload, "/readyz").await;
        readyz.contains("503") && readyz.contains("not connected to a NATS server yet")
    })
    .await;
    assert_eq!(workload.status().state, Phase::Running);
    server.start_again().unwrap();
    works(&workload, &client(&server).await).await;
}

#[tokio::test]
async fn a_wrong_setting_ends_the_service_with_one_line() {
    let server = NatsServer::start().unwrap();
    let (status, _, stderr) = handler(&server).environment("NATS_TIMEOUT", "soon").run().await;
    assert_eq!(status.state, Phase::Error);
    assert!(
        stderr.contains("NATS_TIMEOUT \\\"soon\\\"") || stderr.contains("NATS_TIMEOUT \"soon\""),
        "{stderr}"
    );
}

/// Lets the service reach another server of the test as well.
fn reaching(builder: common::Builder, port: u16) -> common::Builder {
    builder.with_service(|service| service.resources.allowed_host_loopback_ports.push(port))
}

fn url(port: u16) -> String {
    format!("nats://host.wasmcloud.internal:{port}")
}

fn was_connected_to(workload: &Workload, server: &NatsServer) -> bool {
    log(workload).contains(&format!(" connected server={} ", url(server.port())))
}

#[tokio::test]
async fn the_service_moves_on_when_its_server_is_about_to_go() {
    let lame = NatsServer::with_config("lame_duck_duration: \"30s\"\nlame_duck_grace_period: \"10s\"").unwrap();
    let mut other = NatsServer::start().unwrap();
    // Not there at first, so that the service is with the one that will go.
    other.kill();
    let urls = [&lame, &other].map(|server| url(server.port())).join(",");
    let workload = reaching(with(&lame, &[("NATS_URL", &urls)]), other.port()).start();
    works(&workload, &client(&lame).await).await;
    other.start_again().unwrap();
    assert!(!was_connected_to(&workload, &other));
    lame.signal("ldm").unwrap();
    eventually("it has moved", &workload, async || was_connected_to(&workload, &other)).await;
    works(&workload, &client(&other).await).await;
    assert_eq!(metric(&workload, "nats_connected").await, 1.0);
    assert!(log(&workload).contains("about to go, moving to another one"));
    assert!(
        !log(&workload).contains("disconnected"),
        "it did not wait to be let down: {}",
        log(&workload)
    );
}

/// A port for the servers of a cluster among themselves.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test]
async fn a_server_that_another_one_tells_of_is_used_when_that_one_dies() {
    let [mut known, mut told] = [NatsServer::start().unwrap(), NatsServer::start().unwrap()];
    let routes = [free_port(), free_port()];
    for (server, own, name) in [(&mut known, routes[0], "known"), (&mut told, routes[1], "told")] {
        // How others reach it: the machine's loopback has another name in a workload.
        let advertised = url(server.port());
        let advertised = advertised.strip_prefix("nats://").unwrap();
        let lines = format!(
            "server_name: {name}\nclient_advertise: \"{advertised}\"\n\
             cluster {{ name: test, listen: \"127.0.0.1:{own}\", \
             routes: [\"nats://127.0.0.1:{}\", \"nats://127.0.0.1:{}\"] }}",
            routes[0], routes[1]
        );
        server.configure(&lines).unwrap();
        server.restart().unwrap();
    }
    let base = with(&known, &[("NATS_URL", &url(known.port()))]);
    let [workload, deaf] = [base.clone(), base.environment("NATS_DISCOVER", "false")]
        .map(|builder| reaching(builder, told.port()).start());
    for workload in [&workload, &deaf] {
        ready(workload).await;
    }
    // It is told of as soon as the servers know each other.
    let mut outside = std::net::TcpStream::connect(known.address()).unwrap();
    outside.set_read_timeout(Some(common::DEADLINE)).unwrap();
    let mut info = String::new();
    std::io::Write::write_all(&mut outside, b"CONNECT {\"protocol\":1,\"verbose\":false}\r\nPING\r\n").unwrap();
    let deadline = std::time::Instant::now() + common::DEADLINE;
    while !info.contains(&format!("host.wasmcloud.internal:{}", told.port())) {
        assert!(
            std::time::Instant::now() < deadline,
            "the servers do not find each other: {info}\n{}",
            known.log()
        );
        let mut piece = [0; 4096];
        let count = std::io::Read::read(&mut outside, &mut piece).unwrap();
        info.push_str(&String::from_utf8_lossy(&piece[..count]));
    }
    // What this client was told the others were told before or at the same time; they have only to read it.
    let client = client(&told).await;
    known.kill();
    eventually("it has moved", &workload, async || was_connected_to(&workload, &told)).await;
    works(&workload, &client).await;
    eventually("the other one looks for the one that it knows", &deaf, async || {
        metric(&deaf, "nats_connection_failures_total").await > 2.0
    })
    .await;
    assert!(!was_connected_to(&deaf, &told));
}

#[tokio::test]
async fn it_connects_again_after_pauses_that_grow_to_a_cap_and_are_random() {
    let mut server = NatsServer::start().unwrap();
    let workload = with(&server, &[("NATS_RECONNECT_MAX", "400ms")]).start();
    ready(&workload).await;
    server.kill();
    eventually("it has tried for a while", &workload, async || {
        metric(&workload, "nats_connection_failures_total").await >= 15.0
    })
    .await;
    let text = log(&workload);
    let pauses: Vec<f64> = text
        .lines()
        .filter_map(|line| line.split_once("retry_in=")?.1.split(' ').next())
        .map(|text| match text.strip_suffix("ms") {
            Some(milliseconds) => milliseconds.parse().unwrap(),
            None => text
                .strip_suffix("\u{b5}s")
                .map_or(0.0, |text| text.parse::<f64>().unwrap() / 1000.0),
        })
        .collect();
    for (pause, most) in pauses
        .iter()
        .zip([100.0, 200.0, 400.0].iter().chain(std::iter::repeat(&400.0)))
    {
        assert!(pause <= most, "{pauses:?}");
    }
    assert!(pauses.iter().any(|pause| *pause > 200.0), "they grow: {pauses:?}");
    let later = &pauses[2..];
    let (least, most) = later.iter().fold((f64::MAX, 0.0_f64), |(least, most), pause| {
        (least.min(*pause), most.max(*pause))
    });
    assert!(most - least > 100.0, "they are random: {pauses:?}");
    server.start_again().unwrap();
    works(&workload, &client(&server).await).await;
}

#[tokio::test]
async fn what_is_published_while_there_is_no_server_waits_within_a_bound_and_all_of_it_arrives() {
    const SIZE: usize = 1000;
    let mut server = NatsServer::with_jetstream().unwrap();
    // It keeps all that arrives, from the moment the server is there again.
    let context = async_nats::jetstream::new(client(&server).await);
    let config = async_nats::jetstream::stream::Config {
        name: "OUT".to_owned(),
        subjects: vec!["out".to_owned()],
        ..Default::default()
    };
    let mut arrived = context.create_stream(config).await.unwrap();
    let variables = [("NATS_PENDING", "64KiB"), ("NATS_PUBLISH_ALLOW", "out")];
    let workload = with(&server, &variables).start();
    ready(&workload).await;
    let mut stream = common::connect(&workload, 4222).await;
    server.kill();
    eventually("it is noticed", &workload, async || {
        metric(&workload, "nats_connected").await == 0.0
    })
    .await;
    stream.write_all(b"CONNECT {\"verbose\":false}\r\n").await.unwrap();
    // Until it is not read any more: what is on the way then is in the sockets' buffers, not in the service.
    let mut sent = 0_u64;
    let publish = format!("PUB out {SIZE}\r\n{}\r\n", "x".repeat(SIZE));
    let mut taken = 0;
    while let Ok(written) =
        tokio::time::timeout(Duration::from_secs(2), stream.write(&publish.as_bytes()[taken..])).await
    {
        taken += written.unwrap();
        if taken == publish.len() {
            (taken, sent) = (0, sent + 1);
        }
        assert!(sent < 50_000, "it takes everything");
    }
    server.start_again().unwrap();
    // The rest of the last one.
    stream.write_all(&publish.as_bytes()[taken..]).await.unwrap();
    sent += 1;
    eventually("all of it arrives", &workload, async || {
        // The server may have been started just now.
        arrived.info().await.is_ok_and(|info| info.state.messages == sent)
    })
    .await;
    assert_eq!(
        arrived.cached_info().state.bytes / sent / SIZE as u64,
        1,
        "each as it was"
    );
}

#[tokio::test]
async fn inboxes_have_the_prefix_that_the_account_may_use() {
    let server = NatsServer::with_config(
        "jetstream { store_dir: \"$FOLDER/jetstream\" }\n\
         authorization { users: [ { user: admin, password: p }, { user: team, password: p, permissions: { \
         publish: [\">\"], subscribe: [\"_INBOX_team.>\", \"greet\"] } } ] }",
    )
    .unwrap();
    let options = async_nats::ConnectOptions::with_user_and_password("admin".to_owned(), "p".to_owned());
    let admin = options.connect(server.url()).await.unwrap();
    let context = async_nats::jetstream::new(admin.clone());
    let config = async_nats::jetstream::stream::Config {
        name: "ORDERS".to_owned(),
        subjects: vec!["orders".to_owned()],
        ..Default::default()
    };
    context.create_stream(config).await.unwrap();
    let base = handler(&server)
        .environment("NATS_USER", "team")
        .environment("NATS_PASSWORD", "p")
        .environment("NATS_STREAM", "ORDERS")
        .environment("NATS_CONSUMER", "worker")
        .environment("NATS_ENSURE", "true");
    let workload = base.clone().environment("NATS_INBOX_PREFIX", "_INBOX_team").start();
    ready(&workload).await;
    context.publish("orders", "1".into()).await.unwrap().await.unwrap();
    eventually("it is handled", &workload, async || {
        support::count(&workload, "end orders") == 1
    })
    .await;
    let without = base.start();
    eventually("without it nobody is answered", &without, async || {
        log(&without).contains("Permissions Violation for Subscription to \"_INBOX.")
    })
    .await;
}

#[tokio::test]
async fn what_is_larger_than_the_server_takes_is_refused_before_it_is_sent() {
    let server = NatsServer::with_config("max_payload: 1000").unwrap();
    let workload = with(&server, &[("NATS_PUBLISH_ALLOW", "out")]).start();
    let outside = client(&server).await;
    works(&workload, &outside).await;
    // A client of the endpoint is told of the limit, and is let go when it does not keep to it, as by the server.
    let mut stream = common::connect(&workload, 4222).await;
    let said = format!(
        "CONNECT {{\"verbose\":false}}\r\nPUB out 1001\r\n{}\r\nPING\r\n",
        "x".repeat(1001)
    );
    stream.write_all(said.as_bytes()).await.unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).await.unwrap();
    assert!(
        told.contains("\"max_payload\":1000") && told.ends_with("-ERR 'Maximum Payload Violation'\r\n"),
        "{told}"
    );
    // A reply of the handler is dropped and counted: it is the message and the headers that are added to it.
    let request = outside.request("greet", "x".repeat(990).into());
    let none = tokio::time::timeout(Duration::from_millis(500), request).await;
    assert!(none.is_err(), "{none:?}");
    let dropped = r#"nats_deliveries_total{subscription="default",outcome="reply-dropped"}"#;
    assert_eq!(metric(&workload, dropped).await, 1.0);
    assert!(log(&workload).contains("larger than the server takes"));
    works(&workload, &outside).await;
    assert!(!server.log().contains("Maximum Payload") && !log(&workload).contains("disconnected"));
}

#[tokio::test]
async fn a_server_that_is_frozen_while_much_is_published_freezes_nothing_else() {
    let server = NatsServer::start().unwrap();
    let variables = [
        ("NATS_PUBLISH_ALLOW", "out"),
        ("NATS_PENDING", "64KiB"),
        ("NATS_PING_INTERVAL", "1s"),
        ("NATS_TIMEOUT", "200ms"),
    ];
    let workload = with(&server, &variables).start();
    works(&workload, &client(&server).await).await;
    let mut stream = common::connect(&workload, 4222).await;
    stream.write_all(b"CONNECT {\"verbose\":false}\r\n").await.unwrap();
    server.freeze().unwrap();
    // Until nothing more is taken: what the service has for the server waits in its socket by then.
    let publish = format!("PUB out 10000\r\n{}\r\n", "x".repeat(10_000));
    let all = async {
        loop {
            stream.write_all(publish.as_bytes()).await.unwrap();
        }
    };
    // Its end is the connection's, when the service gives the server up: what was published may be lost then.
    let _ = tokio::time::timeout(Duration::from_millis(800), all).await;
    eventually("it is taken for dead", &workload, async || {
        log(&workload).contains("gives no sign of life")
    })
    .await;
    for _ in 0..20 {
        let page = tokio::time::timeout(Duration::from_secs(2), page(&workload, "/readyz"));
        assert!(page.await.expect("all is frozen").contains("503"));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.thaw().unwrap();
    works(&workload, &client(&server).await).await;
}
