//! What the MCP service does beside rmcp, a native server with the same tool, in the same run.
//! `cargo xtask bench mcp [--quick]` prints the machine and the versions first.
//!
//! - `lines`, `requests`: tool calls over stdio and over HTTP, one after the other and many at once
//! - `rest`: what a server takes that does nothing, and how long it takes to start
//! - `server`: the servers, each a process of its own
//! - `native`: rmcp
//! - `figure`, `process`: goals and figures side by side, and what a process takes

#[path = "../support/figure.rs"]
mod figure;
mod lines;
mod native;
#[path = "../support/process.rs"]
mod process;
mod requests;
mod rest;
mod server;

use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use server::{Kitchen, Subject, Way};

#[derive(Parser)]
struct Arguments {
    /// A tenth of the calls and of the time: shows that it works, not how fast
    #[arg(long)]
    quick: bool,
    /// Be the native server on standard input and output
    #[arg(long, hide = true)]
    native_stdio: bool,
    /// Be the native server on this port
    #[arg(long, hide = true)]
    native_http: Option<u16>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// How much is measured.
struct Scale {
    calls: usize,
    idle: Duration,
    starts: usize,
}

/// Calls at once, beside one after the other.
const AT_ONCE: usize = 32;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.native_stdio {
        return native::stdio().await;
    }
    if let Some(port) = arguments.native_http {
        return native::http(port).await;
    }
    let share = if arguments.quick { 10 } else { 1 };
    let scale = Scale {
        calls: 20_000 / share,
        idle: Duration::from_secs(60) / u32::try_from(share)?,
        starts: 5,
    };
    let kitchen = Kitchen::new()?;
    println!("beside    rmcp {}\n", server::rmcp_version());
    for (way, title) in [(Way::Stdio, "stdio"), (Way::Http, "HTTP, 2026-07-28")] {
        for at_once in [1, AT_ONCE] {
            println!("{title}, {at_once} at once: calls/s, p50, p99, of rmcp's");
            let mut native = None;
            for subject in Subject::ALL {
                let mut server = kitchen.start(subject, way)?;
                let calls = match way {
                    Way::Stdio => lines::measure(&mut server, scale.calls, at_once).await?,
                    Way::Http => requests::measure(&server, scale.calls, at_once).await?,
                };
                let native = *native.get_or_insert(calls.rate);
                calls.print(subject, native);
            }
            println!();
        }
    }
    rest::run(&kitchen, &scale).await
}
