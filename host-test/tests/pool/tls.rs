//! TLS to Redis and PostgreSQL, with a certificate of the pool's own.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use mainstay_host_test::workload::Workload;
use mainstay_peers::{Postgres, Redis, postgres};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{self, Builder};
use crate::support::{self, eventually, log, psql, run, succeed};

const NAME: &str = "host.wasmcloud.internal";

/// Files of an authority, of a server's certificate and of a client's, in a folder.
fn certificates(folder: &Path) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // What it signs has another name, or OpenSSL takes that for signed by itself.
    params.distinguished_name.push(DnType::CommonName, "authority");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    for (file, name) in [("server", NAME), ("client", "pool.example")] {
        sign(folder, file, name, &authority);
    }
}

fn sign(folder: &Path, file: &str, name: &str, authority: &Issuer<'_, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, authority).unwrap();
    fs::write(folder.join(format!("{file}.pem")), certificate.pem()).unwrap();
    fs::write(folder.join(format!("{file}.key")), key.serialize_pem()).unwrap();
}

/// A Redis that speaks TLS on this port, and only to who has a certificate.
fn redis(folder: &Path) -> (Redis, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = |name: &str| folder.join(name).display().to_string();
    let (certificate, key, authority) = (file("server.pem"), file("server.key"), file("ca.pem"));
    let tls = port.to_string();
    let server = Redis::start(&[
        "--tls-port",
        &tls,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &authority,
        "--tls-auth-clients",
        "yes",
    ]);
    (server.unwrap(), port)
}

/// A PostgreSQL that lets nobody in without TLS, a certificate and a password.
fn postgres(folder: &Path) -> Postgres {
    let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
    let mut server = Postgres::with_config("scram-sha-256", "ssl_ca_file = '$FOLDER/ca.pem'").unwrap();
    fs::write(server.folder().join("ca.pem"), read("ca.pem")).unwrap();
    let access = "host all postgres 127.0.0.1/32 trust\n\
                  hostssl all app 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n";
    fs::write(server.folder().join("data/pg_hba.conf"), access).unwrap();
    server.enable_tls(&read("server.pem"), &read("server.key")).unwrap();
    server
}

/// What the configuration says of the pool's own certificate.
fn own(folder: &Path) -> String {
    let certificate = fs::read_to_string(folder.join("client.pem")).unwrap();
    format!("tls_certificate = \"\"\"\n{certificate}\"\"\"\ntls_key_file = \"/config/client.key\"\n")
}

fn before(port: u16, folder: &TempDir, mode: &str, certificate: &str) -> Builder {
    let authority = fs::read_to_string(folder.path().join("ca.pem")).unwrap();
    let listen = if mode == "postgres" { 5432 } else { 6379 };
    let toml = format!(
        "[[pool]]\nname = \"cache\"\nmode = \"{mode}\"\nupstream = \"{NAME}:{port}\"\nlisten = {listen}\n\
         tls = \"verify-full\"\ntls_ca = \"\"\"\n{authority}\"\"\"\n{certificate}"
    );
    fs::write(folder.path().join("pool.toml"), toml).unwrap();
    support::service(&[port])
        .volume(folder.path(), "/config")
        .environment("POOL_CONFIG", "/config/pool.toml")
}

/// What the server answers to a command, as far as this many bytes.
async fn say(workload: &Workload, text: &str, bytes: usize) -> String {
    let mut stream = common::connect(workload, 6379).await;
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut heard = vec![0; bytes];
    match tokio::time::timeout(common::DEADLINE, stream.read_exact(&mut heard)).await {
        Ok(Ok(_)) => String::from_utf8(heard).unwrap(),
        other => panic!("{other:?}\n{}", log(workload)),
    }
}

#[tokio::test]
async fn redis_and_bytes_go_over_tls_with_a_certificate_of_the_pool() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let (server, port) = redis(folder.path());
    for mode in ["redis", "tcp"] {
        let workload = before(port, &folder, mode, &own(folder.path())).start();
        let set = format!("SET {mode} 1\r\n");
        assert_eq!(say(&workload, &set, 5).await, "+OK\r\n", "{}", log(&workload));
        let mut direct = support::redis_program("redis-cli", "127.0.0.1", server.port(), &["GET", mode]);
        assert_eq!(succeed(&workload, &mut direct).await.trim(), "1");
    }
    // Without one the server does not want it, and the pool says why.
    let workload = before(port, &folder, "redis", "").start();
    drop(common::connect(&workload, 6379).await);
    let mut stream = common::connect(&workload, 6379).await;
    stream.write_all(b"GET redis\r\n").await.unwrap();
    eventually("it is refused", &workload, async || {
        log(&workload).to_lowercase().contains("certificate")
    })
    .await;
}

#[tokio::test]
async fn postgresql_is_shown_the_certificate_of_the_pool() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let server = postgres(folder.path());
    let before = |certificate: &str| {
        let user = format!("user = \"app\"\ndatabase = \"app\"\n{certificate}");
        before(server.port(), &folder, "postgres", &user).environment("POOL_CACHE_PASSWORD", postgres::PASSWORD)
    };
    let workload = before(&own(folder.path())).start();
    drop(common::connect(&workload, 5432).await);
    let asked = succeed(&workload, &mut psql(&workload, &["-c", "SELECT 6 * 7"])).await;
    assert_eq!(asked.trim(), "42");
    let workload = before("").start();
    drop(common::connect(&workload, 5432).await);
    let ran = run(&mut psql(&workload, &["-c", "SELECT 6 * 7"])).await;
    assert!(!ran.succeeded);
    assert!(
        ran.stderr.contains("valid client certificate"),
        "{}\n{}",
        ran.stderr,
        log(&workload)
    );
}
