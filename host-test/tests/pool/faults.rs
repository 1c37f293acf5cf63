//! PostgreSQL that is killed, cut, away, or not who it should be; and the pool that stands before it.

use std::time::{Duration, Instant};

use mainstay_host_test::workload::Workload;
use mainstay_peers::{Postgres, postgres};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

use crate::common;
use crate::support::{self, before_postgres, eventually, figures, log, metric, psql, ready, run, succeed};

/// One query, by a client of its own.
async fn ask(workload: &Workload) -> support::Ran {
    run(&mut psql(workload, &["-c", "SELECT 1"])).await
}

/// The service with the pool `app` before the servers on these ports.
fn before(ports: &[u16], settings: &str) -> common::Builder {
    let password = postgres::PASSWORD_IN_URL;
    let hosts: Vec<String> = ports
        .iter()
        .map(|port| format!("host.wasmcloud.internal:{port}"))
        .collect();
    let url = format!("postgres://app:{password}@{}/app?{settings}", hosts.join(","));
    support::service(ports).environment("POOL_APP_URL", &url)
}

#[tokio::test]
async fn a_server_that_was_killed_is_used_again_when_it_is_back() {
    let mut server = Postgres::start().unwrap();
    let workload = before_postgres(&server, "max=4&min_idle=2").start();
    ready(&workload).await;
    for _ in 0..2 {
        assert!(ask(&workload).await.succeeded);
        server.kill();
        let ran = ask(&workload).await;
        assert!(
            ran.stderr.contains("pool \"app\": ") && ran.stderr.contains("refused, nothing listens there"),
            "{}",
            ran.stderr
        );
        server.start_again().unwrap();
        let back = Instant::now();
        eventually("it serves", &workload, async || ask(&workload).await.succeeded).await;
        println!(
            "served {:?} after the server was back, psql's start included",
            back.elapsed()
        );
    }
    assert_eq!(figures(&workload, "app").await["active"], 0);
}

#[tokio::test]
async fn when_all_fails_clients_are_refused_at_once() {
    let mut server = Postgres::start().unwrap();
    let workload = before_postgres(
        &server,
        "acquire_timeout=60s&eject_failures=3&eject_base=60s&eject_max=60s",
    )
    .start();
    ready(&workload).await;
    server.kill();
    let first = ask(&workload).await;
    assert!(first.stderr.contains("is left alone for another"), "{}", first.stderr);
    let began = Instant::now();
    assert!(!ask(&workload).await.succeeded);
    assert!(began.elapsed() < Duration::from_secs(30), "not after the time to wait");
    assert_eq!(metric(&workload, "pool_ejections_total{pool=\"app\"}").await, 1.0);
    assert_eq!(figures(&workload, "app").await["circuit-open"], true);
    eventually("not ready", &workload, async || {
        support::http(&workload, 8081, "GET", "/readyz").await.0 == 503
    })
    .await;
    // An operator who knows better.
    server.start_again().unwrap();
    support::operate(&workload, "app", "reconnect").await;
    eventually("it serves", &workload, async || ask(&workload).await.succeeded).await;
}

#[tokio::test]
async fn the_next_address_takes_over_from_one_that_fails() {
    let (mut first, second) = (Postgres::start().unwrap(), Postgres::start().unwrap());
    let ports = [first.port(), second.port()];
    let workload = before(&ports, "eject_failures=2").start();
    ready(&workload).await;
    let port = async || {
        let ran = run(&mut psql(&workload, &["-c", "SELECT inet_server_port()"])).await;
        ran.stdout.trim().to_owned()
    };
    assert_eq!(port().await, ports[0].to_string());
    first.kill();
    let began = Instant::now();
    eventually("the second serves", &workload, async || {
        port().await == ports[1].to_string()
    })
    .await;
    println!("the second served {:?} after the first was killed", began.elapsed());
}

#[tokio::test]
async fn an_answer_that_is_cut_ends_its_client_and_no_other() {
    let server = Postgres::start().unwrap();
    let cutter = support::Cutter::start(server.port()).await;
    let workload = before(&[cutter.port], "max=2").start();
    ready(&workload).await;
    succeed(&workload, &mut psql(&workload, &["-c", "SELECT 1"])).await;
    for after in [0, 1, 4, 5, 100, 50_000] {
        cutter.cut_after(after);
        let ran = run(&mut psql(&workload, &["-c", "SELECT repeat('x', 100000)"])).await;
        // Within a message nothing can be said: it would be taken for the rest of it.
        let told = ran.stderr.contains("the server is lost") || ran.stderr.contains("server closed the connection");
        assert!(
            !ran.succeeded && told,
            "cut after {after}: {} {}",
            ran.stderr,
            log(&workload)
        );
        succeed(&workload, &mut psql(&workload, &["-c", "SELECT 1"])).await;
    }
    assert_eq!(figures(&workload, "app").await["active"], 0);
}

/// What a client says from its first byte on: a session, a query, and one by the extended protocol.
fn conversation() -> Vec<u8> {
    let message = |tag: &[u8], body: &[u8]| {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [tag, &length[..], body].concat()
    };
    [
        message(b"", b"\0\x03\0\0user\0app\0database\0app\0\0"),
        message(b"Q", b"BEGIN\0"),
        message(b"Q", b"CREATE TABLE never (id int)\0"),
        message(b"P", b"s\0SELECT $1::int\0\0\0"),
        message(b"B", b"\0s\0\0\0\0\x01\0\0\0\x017\0\0"),
        message(b"E", b"\0\0\0\0\0"),
        message(b"S", b""),
    ]
    .concat()
}

#[tokio::test]
async fn a_client_that_dies_at_any_byte_holds_up_nobody() {
    let server = Postgres::start().unwrap();
    let workload = before_postgres(&server, "max=4").start();
    ready(&workload).await;
    let said = conversation();
    for end in 0..=said.len() {
        let mut stream = common::connect(&workload, 5432).await;
        stream.write_all(&said[..end]).await.unwrap();
        drop(stream);
    }
    eventually("all are gone", &workload, async || {
        figures(&workload, "app").await["active"] == 0 && metric(&workload, "pool_clients{pool=\"app\"}").await == 0.0
    })
    .await;
    let never = "SELECT count(*) FROM pg_class WHERE relname = 'never'";
    assert_eq!(
        succeed(&workload, &mut psql(&workload, &["-c", never])).await.trim(),
        "0"
    );
    let open = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND state LIKE 'idle in transaction%'";
    assert_eq!(server.sql("postgres", open).unwrap(), "0");
}

#[tokio::test]
async fn a_server_that_trickles_is_as_good_as_another() {
    let server = Postgres::start().unwrap();
    let cutter = support::Cutter::in_pieces(server.port(), 1).await;
    let workload = before(&[cutter.port], "max=2&connect_timeout=60s").start();
    ready(&workload).await;
    for _ in 0..2 {
        let sql = "SELECT string_agg(i::text, ',') FROM generate_series(1, 500) i";
        let said = succeed(&workload, &mut psql(&workload, &["-c", sql])).await;
        assert!(
            said.starts_with("1,2,3,") && said.trim().ends_with(",499,500"),
            "{said}"
        );
    }
    assert_eq!(figures(&workload, "app").await["connects"], 1);
}

#[tokio::test]
async fn a_server_that_hangs_in_a_query_holds_up_its_client_alone_and_is_let_go_with_it() {
    let server = Postgres::start().unwrap();
    let cutter = support::Cutter::start(server.port()).await;
    let workload = before(&[cutter.port], "max=2").start();
    ready(&workload).await;
    succeed(&workload, &mut psql(&workload, &["-c", "SELECT 1"])).await;
    let mut hanging = psql(&workload, &["-c", "SELECT pg_sleep(0.5)"])
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    eventually("it asks", &workload, async || {
        figures(&workload, "app").await["active"] == 1
    })
    .await;
    cutter.fall_silent();
    // On a connection that is made anew.
    succeed(&workload, &mut psql(&workload, &["-c", "SELECT 1"])).await;
    assert_eq!(figures(&workload, "app").await["active"], 1, "it still waits");
    hanging.kill().await.unwrap();
    eventually("it is let go", &workload, async || {
        figures(&workload, "app").await["active"] == 0
    })
    .await;
    succeed(&workload, &mut psql(&workload, &["-c", "SELECT 1"])).await;
}

#[tokio::test]
async fn an_idle_connection_whose_server_has_vanished_is_found_by_its_keepalive() {
    let server = Postgres::start().unwrap();
    let cutter = support::Cutter::start(server.port()).await;
    let workload = before(&[cutter.port], "max=2&keepalive=1s&check_after=off&acquire_timeout=2s").start();
    ready(&workload).await;
    succeed(&workload, &mut psql(&workload, &["-c", "SELECT 1"])).await;
    cutter.fall_silent();
    let failed = "pool_closed_total{pool=\"app\",reason=\"check-failed\"}";
    eventually("it is found", &workload, async || {
        metric(&workload, failed).await == 1.0
    })
    .await;
    succeed(&workload, &mut psql(&workload, &["-c", "SELECT 1"])).await;
}

#[tokio::test]
async fn a_server_that_says_nothing_holds_up_nobody_for_longer_than_its_time() {
    // It accepts, by its backlog, and that is all.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let workload = before(&[port], "connect_timeout=200ms&acquire_timeout=1s").start();
    drop(common::connect(&workload, 5432).await);
    let began = Instant::now();
    let ran = ask(&workload).await;
    assert!(ran.stderr.contains("no connection within 200ms"), "{}", ran.stderr);
    assert!(began.elapsed() < common::DEADLINE, "{:?}", began.elapsed());

    // The next address serves meanwhile.
    let server = Postgres::start().unwrap();
    let workload = before(&[port, server.port()], "connect_timeout=200ms").start();
    drop(common::connect(&workload, 5432).await);
    assert!(ask(&workload).await.succeeded, "{}", log(&workload));
}

#[tokio::test]
async fn a_service_that_ends_leaves_no_session_behind() {
    let server = Postgres::start().unwrap();
    let workload = before_postgres(&server, "min_idle=3").start();
    let sessions = || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'";
        server.sql("postgres", sql).unwrap()
    };
    eventually("they are there", &workload, async || sessions() == "3").await;
    workload.stop().await;
    let deadline = Instant::now() + common::DEADLINE;
    while sessions() != "0" {
        assert!(Instant::now() < deadline, "{} are left", sessions());
    }
}

/// An authority, and what it signed for a server of this name: certificate and key.
fn certificates(name: &str) -> (String, String, String) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &authority).unwrap();
    (authority.pem(), certificate.pem(), key.serialize_pem())
}

/// A pool that is set by a table.
fn by_table(server: &Postgres, lines: &str, authority: &str) -> (Workload, TempDir) {
    let port = server.port();
    let toml = format!(
        "[[pool]]\nname = \"app\"\nmode = \"postgres\"\nupstream = \"host.wasmcloud.internal:{port}\"\nuser = \
         \"app\"\n{lines}\ntls_ca = \"\"\"\n{authority}\"\"\"\n"
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pool.toml"), toml).unwrap();
    let workload = support::service(&[port])
        .volume(folder.path(), "/config")
        .environment("POOL_CONFIG", "/config/pool.toml")
        .environment("POOL_APP_PASSWORD", postgres::PASSWORD)
        .start();
    (workload, folder)
}

#[tokio::test]
async fn tls_to_the_server_is_verified_and_scram_bound_to_it() {
    let name = "host.wasmcloud.internal";
    let mut server = Postgres::start().unwrap();
    let (plain, _folder) = by_table(&server, "tls = \"require\"", &certificates(name).0);
    drop(common::connect(&plain, 5432).await);
    let ran = ask(&plain).await;
    assert!(
        ran.stderr
            .contains("the server has no TLS, and tls is set to require it"),
        "{}",
        ran.stderr
    );

    let (authority, certificate, key) = certificates(name);
    server.enable_tls(&certificate, &key).unwrap();
    let (workload, _folder) = by_table(&server, "tls = \"verify-full\"", &authority);
    ready(&workload).await;
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(succeed(&workload, &mut psql(&workload, &["-c", sql])).await.trim(), "t");

    // Another authority signed it; and it is another's.
    let (foreign, _folder) = by_table(&server, "tls = \"verify-full\"", &certificates(name).0);
    drop(common::connect(&foreign, 5432).await);
    assert!(!ask(&foreign).await.succeeded);
    assert!(log(&foreign).contains("certificate"), "{}", log(&foreign));
    let named = "tls = \"verify-full\"\ntls_server_name = \"other.example\"";
    let (named, _folder) = by_table(&server, named, &authority);
    drop(common::connect(&named, 5432).await);
    assert!(!ask(&named).await.succeeded);
    assert!(log(&named).contains("certificate"), "{}", log(&named));
}
