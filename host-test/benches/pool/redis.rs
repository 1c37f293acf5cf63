//! redis-benchmark: direct, and through the pool.

use anyhow::{Context, Result};
use mainstay_peers::{Redis, redis};
use tokio::process::Command;

use crate::bed;
use crate::figure::{Goal, row};

pub(crate) async fn run(requests: usize) -> Result<()> {
    let server = Redis::start(&[])?;
    let port = server.port();
    let url = format!("redis://host.wasmcloud.internal:{port}");
    let pool = bed::pool("POOL_CACHE_URL", &url, port, 6379).await?;
    let pool = (pool.loopback().to_string(), 6379, &pool);
    for (clients, depth, goal) in [(50, 1, 0.6), (50, 16, 0.6), (500, 1, 1.0)] {
        println!("\nredis-benchmark GET, {clients} clients, {depth} at once each");
        row("", [&"requests/s", &"p50 ms"], "");
        let direct = measure("127.0.0.1", port, requests, clients, depth).await?;
        row("direct", [&format!("{:.0}", direct.0), &format!("{:.3}", direct.1)], "");
        let pooled = measure(&pool.0, pool.1, requests, clients, depth).await?;
        row(
            "the pool",
            [&format!("{:.0}", pooled.0), &format!("{:.3}", pooled.1)],
            "",
        );
        let part = pooled.0 / direct.0;
        row(
            "the pool / direct",
            [&format!("{part:.2}"), &""],
            Goal::AtLeast(goal).verdict(part),
        );
    }
    Ok(())
}

/// Requests a second, and the median of what one takes, in milliseconds.
async fn measure(host: &str, port: u16, requests: usize, clients: usize, depth: usize) -> Result<(f64, f64)> {
    let (program, libraries) = redis::program("redis-benchmark")?;
    let (requests, clients, depth) = (requests.to_string(), clients.to_string(), depth.to_string());
    let mut command = Command::new(program);
    command
        .env("LD_LIBRARY_PATH", libraries)
        .args(["-h", host, "-p", &port.to_string(), "-t", "get", "--csv"])
        .args(["-n", &requests, "-c", &clients, "-P", &depth]);
    let said = bed::output(&mut command).await?;
    // "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms",...
    let line = said.lines().find(|line| line.starts_with("\"GET\""));
    let figures: Vec<f64> = line
        .context("redis-benchmark says nothing of GET")?
        .split(',')
        .skip(1)
        .filter_map(|figure| figure.trim_matches('"').parse().ok())
        .collect();
    let rate = figures.first().copied().context("no rate")?;
    Ok((rate, figures.get(3).copied().context("no median")?))
}
