//! What a connection costs that is not used.

use std::net::IpAddr;

use anyhow::{Context, Result};
use mainstay_peers::Redis;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::figure::{Goal, row};
use crate::{bed, process};

const CLIENTS: usize = 900;

pub(crate) async fn run() -> Result<()> {
    let server = Redis::start(&[])?;
    let port = server.port();
    let url = format!("redis://host.wasmcloud.internal:{port}");
    let pool = bed::pool("POOL_CACHE_URL", &url, port, 6379).await?;
    let address = (IpAddr::from(pool.loopback()), 6379);
    // The first ones make what is made once.
    let mut clients = vec![served(address).await?];
    let before = process::resident().context("how much memory this process takes")?;
    for _ in 0..CLIENTS {
        clients.push(served(address).await?);
    }
    let after = process::resident().context("how much memory this process takes")?;
    let each = after.saturating_sub(before) as f64 / CLIENTS as f64 / 1024.0;
    println!("\nmemory, host and this program's end included");
    row(
        "KiB a client that is idle",
        [&format!("{each:.1}")],
        Goal::None.verdict(each),
    );
    Ok(())
}

/// A client that has had an answer.
async fn served(address: (IpAddr, u16)) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).await?;
    Ok(stream)
}
