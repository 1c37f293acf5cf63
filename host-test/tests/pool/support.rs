//! The pool in a workload, real servers behind it, and real clients before it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mainstay_host_test::workload::Workload;
use mainstay_peers::{Postgres, Redis, postgres, redis, tools};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::common::{self, Builder, DEADLINE};

/// The service, with ports of the machine that it may reach.
pub(crate) fn service(ports: &[u16]) -> Builder {
    service_of("pool", ports)
}

/// [`service`] made of this artefact.
pub(crate) fn service_of(artefact: &str, ports: &[u16]) -> Builder {
    let ports = ports.to_owned();
    common::service(artefact)
        .environment("MAINSTAY_LOG", "debug")
        .with_service(move |service| {
            service.resources.allowed_host_loopback_ports.extend(ports);
            service.resources.allowed_hosts.push("*".parse().unwrap());
            service.resources.allowed_ip_name_lookups.push("*".parse().unwrap());
        })
}

/// The service with the pool `app` before this server, and these settings of it.
pub(crate) fn before_postgres(server: &Postgres, settings: &str) -> Builder {
    let (port, password) = (server.port(), postgres::PASSWORD_IN_URL);
    let url = format!("postgres://app:{password}@host.wasmcloud.internal:{port}/app?{settings}");
    service(&[port]).environment("POOL_APP_URL", &url)
}

/// The service with the pool `cache` before this server, and these settings of it.
pub(crate) fn before_redis(server: &Redis, settings: &str) -> Builder {
    let port = server.port();
    let url = format!("redis://host.wasmcloud.internal:{port}?{settings}");
    service(&[port]).environment("POOL_CACHE_URL", &url)
}

/// A way to a server that can be cut in the middle of an answer, or swallows answers, or lets them through byte by byte.
pub(crate) struct Cutter {
    pub port: u16,
    way: Arc<Way>,
}

struct Way {
    /// Bytes of answers before a connection is cut.
    left: AtomicUsize,
    /// How many connections there have been, and up to which no answer comes any more.
    connections: AtomicUsize,
    silent: AtomicUsize,
    /// What passes at once.
    piece: usize,
}

impl Cutter {
    pub(crate) async fn start(server: u16) -> Self {
        Self::in_pieces(server, 64 * 1024).await
    }

    /// No more than so many bytes at once.
    pub(crate) async fn in_pieces(server: u16, piece: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let way = Arc::new(Way {
            left: AtomicUsize::new(usize::MAX),
            connections: AtomicUsize::new(0),
            silent: AtomicUsize::new(0),
            piece,
        });
        let shared = Arc::clone(&way);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                tokio::spawn(pass(client, server, Arc::clone(&shared)));
            }
        });
        Self { port, way }
    }

    /// After so many more bytes of answers the connection that they are on is cut, once.
    pub(crate) fn cut_after(&self, bytes: usize) {
        self.way.left.store(bytes, Ordering::SeqCst);
    }

    /// On the connections that there are nothing is answered any more; they stay open.
    pub(crate) fn fall_silent(&self) {
        let connections = self.way.connections.load(Ordering::SeqCst);
        self.way.silent.store(connections, Ordering::SeqCst);
    }
}

async fn pass(client: TcpStream, server: TcpStream, way: Arc<Way>) {
    let number = way.connections.fetch_add(1, Ordering::SeqCst) + 1;
    let left = &way.left;
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let asks = async { tokio::io::copy(&mut from_client, &mut to_server).await.map(drop) };
    let answers = async {
        let mut buffer = vec![0; way.piece];
        loop {
            let read = from_server.read(&mut buffer).await?;
            if number <= way.silent.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            let may = left.load(Ordering::SeqCst);
            if read == 0 || read > may {
                to_client.write_all(&buffer[..read.min(may)]).await?;
                left.store(usize::MAX, Ordering::SeqCst);
                return Ok::<(), std::io::Error>(());
            }
            if may != usize::MAX {
                left.fetch_sub(read, Ordering::SeqCst);
            }
            to_client.write_all(&buffer[..read]).await?;
        }
    };
    tokio::select! {
        _ = asks => {}
        _ = answers => {}
    }
}

/// Waits until `done` says so.
pub(crate) async fn eventually(what: &str, workload: &Workload, mut done: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done().await {
        assert!(Instant::now() < deadline, "never: {what}\n{}", log(workload));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// An answer of the service's own pages: its status, and its body.
pub(crate) async fn http(workload: &Workload, port: u16, method: &str, path: &str) -> (u16, String) {
    request(common::connect(workload, port).await, method, path).await
}

/// An answer of the workload's HTTP.
pub(crate) async fn visit(address: SocketAddr, method: &str, path: &str) -> (u16, String) {
    request(TcpStream::connect(address).await.unwrap(), method, path).await
}

async fn request(mut stream: TcpStream, method: &str, path: &str) -> (u16, String) {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// The figures of a pool.
pub(crate) async fn figures(workload: &Workload, pool: &str) -> Value {
    let (status, body) = http(workload, 8085, "GET", &format!("/pools/{pool}")).await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// Tells the service what an operator wants.
pub(crate) async fn operate(workload: &Workload, pool: &str, operation: &str) -> Value {
    let (status, body) = http(workload, 8085, "POST", &format!("/pools/{pool}/{operation}")).await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// Waits until the service is ready.
pub(crate) async fn ready(workload: &Workload) {
    eventually("ready", workload, async || {
        http(workload, 8081, "GET", "/readyz").await.0 == 200
    })
    .await;
}

/// The value of a metric, by its name and labels as they are rendered; 0 if it is not there.
pub(crate) async fn metric(workload: &Workload, series: &str) -> f64 {
    let (_, page) = http(workload, 8081, "GET", "/metrics").await;
    let line = page
        .lines()
        .find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
    line.and_then(|line| line.rsplit(' ').next())
        .map_or(0.0, |value| value.parse().unwrap())
}

/// What the service has logged.
pub(crate) fn log(workload: &Workload) -> String {
    workload.stderr().unwrap().text()
}

/// What a program printed, and whether it was content.
pub(crate) struct Ran {
    pub succeeded: bool,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a program to its end.
pub(crate) async fn run(command: &mut Command) -> Ran {
    let output = command.kill_on_drop(true).output();
    let output = tokio::time::timeout(4 * DEADLINE, output)
        .await
        .expect("it ends")
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran {
        succeeded: output.status.success(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// Runs a program that has to succeed; gives what it printed.
pub(crate) async fn succeed(workload: &Workload, command: &mut Command) -> String {
    let ran = run(command).await;
    assert!(
        ran.succeeded,
        "{command:?}\n{}\n{}\n{}",
        ran.stdout,
        ran.stderr,
        log(workload)
    );
    ran.stdout
}

/// psql on the pool's port, as the role `app`, with further arguments.
pub(crate) fn psql(workload: &Workload, arguments: &[&str]) -> Command {
    let mut command = Command::new(tools::postgres("psql").unwrap());
    command
        .args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h"])
        .arg(workload.loopback().to_string());
    command.args(["-p", "5432", "-U", "app", "-d", "app"]).args(arguments);
    command
}

/// pgbench on a port, with further arguments.
pub(crate) fn pgbench(host: &str, port: u16, arguments: &[&str]) -> Command {
    let mut command = Command::new(tools::postgres("pgbench").unwrap());
    command.args(["-h", host, "-p", &port.to_string(), "-U", "app"]);
    command.env("PGPASSWORD", postgres::PASSWORD).args(arguments).arg("app");
    command
}

/// One of Redis's programs on a port, with further arguments.
pub(crate) fn redis_program(name: &str, host: &str, port: u16, arguments: &[&str]) -> Command {
    let (program, libraries) = redis::program(name).unwrap();
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", libraries);
    command.args(["-h", host, "-p", &port.to_string()]).args(arguments);
    command
}

/// A Python script of this folder.
pub(crate) fn python(script: &str, arguments: &[&str]) -> Command {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pool").join(script);
    let mut command = Command::new(tools::python().unwrap());
    command.arg("-u").arg(path).args(arguments);
    command
}
