//! The NATS service in a workload, a nats-server beside it, and a native client that looks at both.

use std::time::{Duration, Instant};

use async_nats::jetstream::{self, stream};
use mainstay_host_test::workload::Workload;
use mainstay_peers::NatsServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{self, Builder, DEADLINE};

/// A server with the streams `ORDERS` (`orders.>`) and `DEAD` (`dead.>`).
pub(crate) async fn with_streams() -> (NatsServer, jetstream::Context) {
    streams_on(NatsServer::with_jetstream().unwrap()).await
}

/// A server with JetStream, with these streams.
pub(crate) async fn streams_on(server: NatsServer) -> (NatsServer, jetstream::Context) {
    let context = jetstream::new(client(&server).await);
    for (name, subject) in [("ORDERS", "orders.>"), ("DEAD", "dead.>")] {
        let config = stream::Config {
            name: name.to_owned(),
            subjects: vec![subject.to_owned()],
            ..stream::Config::default()
        };
        context.create_stream(config).await.unwrap();
    }
    (server, context)
}

/// The service, with the address of a server that it may reach.
pub(crate) fn service(artefact: &str, server: &NatsServer) -> Builder {
    let port = server.port();
    common::service(artefact)
        .environment("NATS_URL", &format!("nats://host.wasmcloud.internal:{port}"))
        .environment("MAINSTAY_LOG", "debug")
        .with_service(|service| {
            service.resources.allowed_host_loopback_ports.push(port);
            service.resources.allowed_hosts.push("*".parse().unwrap());
            service.resources.allowed_ip_name_lookups.push("*".parse().unwrap());
        })
}

/// The service with the handler that does what messages say.
pub(crate) fn handler(server: &NatsServer) -> Builder {
    service("nats", server).component("test/nats-handler")
}

/// A service with these variables, which answers requests.
pub(crate) fn with(server: &NatsServer, variables: &[(&str, &str)]) -> Builder {
    let base = handler(server)
        .environment("NATS_SUBJECTS", "greet")
        .environment("NATS_RECONNECT_MAX", "100ms")
        .environment("MAINSTAY_LOG", "trace");
    variables
        .iter()
        .fold(base, |base, (name, value)| base.environment(name, value))
}

/// A native client of the server itself.
pub(crate) async fn client(server: &NatsServer) -> async_nats::Client {
    async_nats::connect(server.url()).await.unwrap()
}

/// A native client of the workload's loopback endpoint.
pub(crate) async fn loopback_client(workload: &Workload) -> async_nats::Client {
    drop(common::connect(workload, 4222).await);
    let address = format!("nats://{}:4222", workload.loopback());
    async_nats::connect(address).await.unwrap()
}

/// Waits until `done` says so.
pub(crate) async fn eventually(what: &str, workload: &Workload, mut done: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done().await {
        assert!(Instant::now() < deadline, "never: {what}\n{}", log(workload));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until the service is ready.
pub(crate) async fn ready(workload: &Workload) {
    eventually("ready", workload, async || {
        page(workload, "/readyz").await.starts_with("HTTP/1.1 200")
    })
    .await;
}

/// A page of the service's health port.
pub(crate) async fn page(workload: &Workload, path: &str) -> String {
    let mut stream = common::connect(workload, 8081).await;
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The value of a metric, by its name and labels as they are rendered; 0 if it is not there.
pub(crate) async fn metric(workload: &Workload, series: &str) -> f64 {
    let page = page(workload, "/metrics").await;
    let line = page
        .lines()
        .find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
    line.and_then(|line| line.rsplit(' ').next())
        .map_or(0.0, |value| value.parse().unwrap())
}

/// What the component has printed.
pub(crate) fn printed(workload: &Workload) -> String {
    workload.stdout().unwrap().text()
}

/// What the service has logged.
pub(crate) fn log(workload: &Workload) -> String {
    workload.stderr().unwrap().text()
}

/// How often the component has printed a line that begins so.
pub(crate) fn count(workload: &Workload, beginning: &str) -> usize {
    printed(workload)
        .lines()
        .filter(|line| line.starts_with(beginning))
        .count()
}

/// The handler answers a request.
pub(crate) async fn works(workload: &Workload, client: &async_nats::Client) {
    ready(workload).await;
    let answer = client.request("greet", "hello".into()).await.unwrap();
    assert_eq!(answer.payload, "hello");
}

/// Secrets are in no log line, however detailed, in no metric and on no health page.
pub(crate) async fn are_secret(workload: &Workload, secrets: &[&str]) {
    let seen = [
        log(workload),
        printed(workload),
        page(workload, "/metrics").await,
        page(workload, "/readyz").await,
        workload.status().to_string(),
    ];
    assert!(seen[0].contains("connected"), "{}", seen[0]);
    for secret in secrets {
        assert!(
            seen.iter().all(|text| !text.contains(secret)),
            "{secret} is shown: {seen:?}"
        );
    }
}
