//! What a connection costs that is not used: a component's to the pool, and the pool's to its server.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mainstay_host_test::workload::Workload;
use mainstay_peers::{Postgres, Redis, postgres};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::figure::{Goal, row};
use crate::{bed, process};

const CLIENTS: usize = 900;

const SESSIONS: usize = 500;

pub(crate) async fn run() -> Result<()> {
    println!("\nmemory of a connection that is idle, the host's part included");
    row("", [&"KiB"], "");
    let client = client().await?;
    row(
        "a client, this program's end included",
        [&kib(client)],
        Goal::None.verdict(client),
    );
    let session = session().await?;
    row(
        "a session with PostgreSQL",
        [&kib(session)],
        Goal::None.verdict(session),
    );
    Ok(())
}

async fn client() -> Result<f64> {
    let server = Redis::start(&[])?;
    let port = server.port();
    let url = format!("redis://host.wasmcloud.internal:{port}");
    let pool = bed::pool("POOL_CACHE_URL", &url, port, 6379).await?;
    let address = (IpAddr::from(pool.loopback()), 6379);
    // The first ones make what is made once.
    let mut clients = vec![served(address).await?];
    let before = resident()?;
    for _ in 0..CLIENTS {
        clients.push(served(address).await?);
    }
    Ok((resident()? - before) / CLIENTS as f64)
}

/// A client that has had an answer.
async fn served(address: (IpAddr, u16)) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).await?;
    Ok(stream)
}

/// What a pool with many sessions takes more than one with a single session.
async fn session() -> Result<f64> {
    let server = Postgres::with_config("scram-sha-256", "max_connections = 1200")?;
    // The first one makes what is made once.
    let _first = with_sessions(&server, 1).await?;
    let before = resident()?;
    let _one = with_sessions(&server, 1).await?;
    let between = resident()?;
    let _many = with_sessions(&server, SESSIONS).await?;
    let after = resident()?;
    Ok(((after - between) - (between - before)) / (SESSIONS - 1) as f64)
}

/// A pool that has logged in so often.
async fn with_sessions(server: &Postgres, sessions: usize) -> Result<Workload> {
    let port = server.port();
    let password = postgres::PASSWORD_IN_URL;
    let url =
        format!("postgres://app:{password}@host.wasmcloud.internal:{port}/app?max={sessions}&min_idle={sessions}");
    let count = || -> Result<usize> {
        let count = server.sql("app", "select count(*) from pg_stat_activity where usename = 'app'")?;
        count.trim().parse().with_context(|| format!("not a number: {count}"))
    };
    let wanted = count()? + sessions;
    let pool = bed::pool("POOL_APP_URL", &url, port, 5432).await?;
    let deadline = Instant::now() + bed::PATIENCE;
    while count()? < wanted {
        ensure!(
            Instant::now() < deadline,
            "the pool does not log in {sessions} times: {}",
            pool.status()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(pool)
}

/// Bytes of this process.
fn resident() -> Result<f64> {
    Ok(process::resident().context("how much memory this process takes")? as f64)
}

fn kib(bytes: f64) -> String {
    format!("{:.1}", bytes / 1024.0)
}
