//! Each workload has a loopback of its own, and nothing else unless it is granted.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use mainstay_host_test::workload::Workload;
use mainstay_host_test::workload::spec::Resources;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{self, DEADLINE, service};

/// What a component sees when it looks, with these grants.
async fn look(at: &str, grant: impl FnOnce(&mut Resources)) -> String {
    let builder = service("test/link-caller")
        .component_with("test/link-callee", |callee| grant(&mut callee.resources))
        .arguments(&[&format!("look {at}")]);
    let (_, stdout, _) = builder.run().await;
    stdout.trim().to_owned()
}

/// What a service says when it connects, with these grants.
async fn connect(address: &str, grant: impl FnOnce(&mut Resources)) -> String {
    let builder = service("test/plain-cli").arguments(&["connect", address]);
    let (_, stdout, _) = builder
        .with_service(|service| grant(&mut service.resources))
        .run()
        .await;
    stdout.trim().to_owned()
}

async fn echo(workload: &Workload, port: u16, text: &str) -> String {
    let mut stream = common::connect(workload, port).await;
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = vec![0; text.len()];
    tokio::time::timeout(DEADLINE, stream.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn two_workloads_listen_on_the_same_port() {
    let workloads = [0, 1].map(|_| service("test/plain-cli").arguments(&["serve", "8081"]).start());
    for (workload, text) in workloads.iter().zip(["one", "two"]) {
        assert_eq!(echo(workload, 8081, text).await, text);
    }
    assert_ne!(workloads[0].loopback(), workloads[1].loopback());
}

#[tokio::test]
async fn a_service_takes_its_loopback_for_127_0_0_1() {
    let workload = service("test/plain-cli").arguments(&["serve", "8081"]).start();
    echo(&workload, 8081, "x").await;
    let stdout = workload.stdout().unwrap().text();
    assert_eq!(stdout, "serving on 127.0.0.1:8081\npeer 127.0.0.1 of 127.0.0.1:8081\n");
}

#[tokio::test]
async fn a_component_reaches_its_service() {
    let workload = service("test/link-caller")
        .component("test/link-callee")
        .arguments(&["look connect 127.0.0.1:9"])
        .run()
        .await;
    assert!(workload.1.contains("Connection refused"), "{}", workload.1);
    // The service listens, and so the component connects.
    let (_, stdout, _) = service("test/loop-probe")
        .component("test/loop-callee")
        .environment("PROBE_MODE", "overlap")
        .run()
        .await;
    assert!(stdout.contains("\"in_flight\":32"), "{stdout}");
}

/// More than the 128 operations that tokio lets an ordinary task make in a turn.
#[tokio::test]
async fn a_service_with_hundreds_of_sockets_ready_at_once_goes_on() {
    let builder = service("test/loop-probe").component("test/loop-callee");
    let builder = builder
        .environment("PROBE_MODE", "overlap")
        .environment("PROBE_IN_FLIGHT", "400");
    let (_, stdout, _) = builder.run().await;
    assert!(
        stdout.contains("\"in_flight\":400") && stdout.contains("\"left\":0"),
        "{stdout}"
    );
}

#[tokio::test]
async fn a_component_cannot_listen() {
    assert!(
        look("listen 127.0.0.1:8080", |_| {})
            .await
            .contains("Permission denied")
    );
}

#[tokio::test]
async fn a_service_cannot_listen_to_the_world() {
    for address in ["0.0.0.0:8080", "[::]:8080", "[::1]:8080"] {
        let (_, stdout, _) = service("test/plain-cli").arguments(&["serve-at", address]).run().await;
        assert!(stdout.contains("not served: Permission denied"), "{address}: {stdout}");
    }
}

#[tokio::test]
async fn a_guest_does_not_reach_another_workloads_loopback() {
    let other = service("test/plain-cli").arguments(&["serve", "8081"]).start();
    common::connect(&other, 8081).await;
    let address = format!("{}:8081", other.loopback());
    let star = |resources: &mut Resources| resources.allowed_hosts = vec!["*".parse().unwrap()];
    // To a guest, all of 127.0.0.0/8 is its own loopback, where nothing listens.
    assert!(connect(&address, star).await.contains("Connection refused"));
}

#[tokio::test]
async fn egress_is_denied_unless_it_is_granted() {
    // 192.0.2.0/24 is for documentation: nobody answers, so only the refusal comes at once.
    assert!(connect("192.0.2.1:80", |_| {}).await.contains("Permission denied"));
    assert!(look("connect 192.0.2.1:80", |_| {}).await.contains("Permission denied"));
}

#[tokio::test]
async fn the_machines_loopback_is_reached_by_name_and_port_grant_only() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let address = format!("host.wasmcloud.internal:{port}");
    let granted = |resources: &mut Resources| resources.allowed_host_loopback_ports = vec![port];
    let star = |resources: &mut Resources| resources.allowed_hosts = vec!["*".parse().unwrap()];
    assert!(connect(&address, granted).await.starts_with("connected to "));
    assert!(connect(&address, star).await.contains("Permission denied"));
    assert!(
        connect(&format!("127.0.0.1:{port}"), granted)
            .await
            .contains("Connection refused")
    );
}

#[tokio::test]
async fn names_are_not_looked_up_unless_they_are_granted() {
    assert!(look("resolve localhost", |_| {}).await.starts_with("not seen"));
    let granted = |resources: &mut Resources| resources.allowed_ip_name_lookups = vec!["localhost".parse().unwrap()];
    assert!(look("resolve localhost", granted).await.contains("127.0.0.1"));
    assert_eq!(
        look("resolve service.wasmcloud.internal", |_| {}).await,
        "seen 127.0.0.1"
    );
    assert!(
        look("resolve other.wasmcloud.internal", |_| {})
            .await
            .starts_with("not seen")
    );
}

/// Nagle's algorithm would hold back the second of two small writes until the first is acknowledged, 40 ms later.
#[tokio::test]
async fn small_writes_of_a_guest_are_not_held_back() {
    const EXCHANGES: u32 = 50;
    let workload = service("test/plain-cli").arguments(&["serve-twice", "8081"]).start();
    let mut stream = common::connect(&workload, 8081).await;
    stream.set_nodelay(true).unwrap();
    let started = Instant::now();
    for _ in 0..EXCHANGES {
        stream.write_all(b"x").await.unwrap();
        let mut answer = [0; 2];
        tokio::time::timeout(DEADLINE, stream.read_exact(&mut answer))
            .await
            .unwrap()
            .unwrap();
    }
    assert!(
        started.elapsed() < Duration::from_millis(20) * EXCHANGES,
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_stopped_workload_leaves_its_address() {
    let workload = service("test/plain-cli").arguments(&["serve", "8081"]).start();
    common::connect(&workload, 8081).await;
    let address = SocketAddr::from((workload.loopback(), 8081));
    workload.stop().await;
    assert!(std::net::TcpStream::connect(address).is_err());
}
