//! Connections as values: a component with `pool-client.wasm` in it.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use mainstay_compose::{Component, chain};
use mainstay_host_test::workload::Workload;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::{self, Builder};
use crate::line_server::{Lines, Manner};
use crate::support::{self, eventually, figures, operate, ready};

/// The component that requests tell what to do, with the client composed in: a lease belongs to who holds it, and so cannot
/// pass between the instances of a workload.
static USER: LazyLock<PathBuf> = LazyLock::new(|| {
    let read = |name: &str| Component::decode(name, &fs::read(common::component_path(name)).unwrap()).unwrap();
    let joined = chain(&[read("test/pool-user"), read("pool-client")]).unwrap();
    // Below target, so that it is kept compiled.
    let path = common::target().join("tmp/pool-user.wasm");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, joined).unwrap();
    path
});

fn before(server: &Lines, settings: &str) -> Workload {
    with_token(server, settings, None).start()
}

/// The component is given this token.
fn with_token(server: &Lines, settings: &str, token: Option<&str>) -> Builder {
    let port = server.port;
    let url = format!("tcp://host.wasmcloud.internal:{port}?listen=9000&{settings}");
    support::service(&[port])
        .environment("POOL_LINES_URL", &url)
        .component_with("test/pool-user", |component| {
            component.image.clone_from(&USER);
            let token = token.map(|token| ("POOL_LEASES_TOKEN".to_owned(), token.to_owned()));
            component.resources.environment.extend(token);
        })
        .http()
}

async fn http(workload: &Workload, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(workload.http().unwrap()).await.unwrap();
    let request = format!("GET {path} HTTP/1.0\r\nHost: test\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (
        head.split(' ').nth(1).unwrap().parse().unwrap(),
        body.trim_end().to_owned(),
    )
}

async fn done(workload: &Workload, path: &str) -> String {
    let (status, body) = http(workload, path).await;
    assert_eq!(status, 200, "{path}: {body}\n{}", support::log(workload));
    body
}

#[tokio::test]
async fn a_connection_that_is_released_as_clean_is_used_again_and_no_other() {
    let server = Lines::start(Manner::default()).await;
    let workload = before(&server, "max=2");
    ready(&workload).await;
    for text in ["one", "two", "three"] {
        assert_eq!(
            done(&workload, &format!("/ask/lines/{text}")).await,
            format!("1 {text}")
        );
    }
    assert_eq!(done(&workload, "/figures/lines").await, "0 active, 1 idle, 1 connects");
    assert_eq!(done(&workload, "/break/lines/four").await, "1 four");
    assert_eq!(done(&workload, "/figures/lines").await, "0 active, 0 idle, 1 connects");
    assert_eq!(done(&workload, "/ask/lines/five").await, "2 five");
    let released = "Err(Error::Released) Err(Error::Released) Err(Error::Released)";
    assert_eq!(done(&workload, "/after/lines/six").await, released);
    assert_eq!(
        done(&workload, "/much/lines/3000000").await,
        "3000000 bytes, the same: true"
    );
    assert_eq!(figures(&workload, "lines").await["connects"], 2);
}

#[tokio::test]
async fn many_leases_of_one_instance_go_on_side_by_side() {
    let manner = Manner {
        together: 8,
        ..Manner::default()
    };
    let server = Lines::start(manner).await;
    let workload = before(&server, "max=8");
    ready(&workload).await;
    let said = done(&workload, "/together/lines/8").await;
    let mut connections = std::collections::BTreeSet::new();
    for (number, line) in said.lines().enumerate() {
        let (connection, answer) = line.split_once(' ').unwrap();
        assert_eq!(answer, format!("number {number}"));
        assert!(connections.insert(connection.to_owned()), "{said}");
    }
    assert_eq!(connections.len(), 8, "{said}");
}

#[tokio::test]
async fn who_gets_no_connection_is_told_why_by_type() {
    let server = Lines::start(Manner::default()).await;
    let workload = before(&server, "max=1&max_waiting=1");
    ready(&workload).await;
    let mut holder = common::connect(&workload, 9000).await;
    holder.write_all(b"mine\n").await.unwrap();
    holder.read_u8().await.unwrap();
    let (one, other) = tokio::join!(http(&workload, "/wait/lines/5000"), async {
        eventually("one waits", &workload, async || {
            figures(&workload, "lines").await["waiting"] == 1
        })
        .await;
        done(&workload, "/wait/lines/2000").await
    });
    assert!(one.1.starts_with("Error::Timeout(\"no connection within 5"), "{one:?}");
    assert!(one.1.ends_with("others have all 1\")"), "{one:?}");
    assert_eq!(other, "Error::QueueFull(\"1 wait for a connection already\")");
    let nobody = "Error::NoSuchPool(\"no pool has the name \\\"nobody\\\"; there are: lines\")";
    assert_eq!(done(&workload, "/wait/nobody/10").await, nobody);
    assert_eq!(done(&workload, "/figures/nobody").await, nobody);
    operate(&workload, "lines", "drain").await;
    assert_eq!(
        done(&workload, "/wait/lines/2000").await,
        "Error::Draining(\"the pool is being drained\")"
    );
}

#[tokio::test]
async fn a_lease_that_is_not_given_back_in_words_closes_its_connection() {
    let server = Lines::start(Manner::default()).await;
    let workload = before(&server, "max=1");
    ready(&workload).await;
    assert_eq!(done(&workload, "/drop/lines/one").await, "1 one");
    eventually("it is closed", &workload, async || server.was_told("1 gone")).await;
    // Its instance ends in a trap with the lease in its hands.
    let (status, body) = http(&workload, "/die/lines/two").await;
    assert!(status >= 500, "{status} {body}");
    eventually("it is closed too", &workload, async || server.was_told("2 gone")).await;
    let left = done(&workload, "/leave/lines/three").await;
    assert!(left.starts_with("1 byte, Err(Error::Unclean(\""), "{left}");
    eventually("and this one", &workload, async || server.was_told("3 gone")).await;
    assert_eq!(done(&workload, "/ask/lines/four").await, "4 four");
    let hung = done(&workload, "/ask/lines/hang%20up").await;
    assert!(hung.contains("Error::Unclean(\"the upstream has hung up\")"), "{hung}");
    assert_eq!(done(&workload, "/ask/lines/six").await, "5 six");
    assert_eq!(figures(&workload, "lines").await["active"], 0);
}

#[tokio::test]
async fn a_lease_wants_a_token_where_one_is_set() {
    let server = Lines::start(Manner::default()).await;
    for (token, expected) in [
        (None, "Error::Rejected(\"the service wants a token"),
        (
            Some("wrong"),
            "Error::Rejected(\"POOL_LEASES_TOKEN is no token of the service",
        ),
        (Some("l3ase"), ""),
    ] {
        let workload = with_token(&server, "max=2", token)
            .environment("POOL_LEASES_TOKENS", "user = \"l3ase\"")
            .start();
        ready(&workload).await;
        if expected.is_empty() {
            assert!(done(&workload, "/ask/lines/one").await.ends_with(" one"));
            let of_user = "pool_logins_total{pool=\"lines\",component=\"user\"}";
            assert_eq!(support::metric(&workload, of_user).await, 1.0);
        } else {
            let refused = done(&workload, "/wait/lines/2000").await;
            assert!(refused.starts_with(expected), "{refused}");
        }
        assert!(!support::log(&workload).contains("l3ase"));
    }
}
