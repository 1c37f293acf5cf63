//! `collector`: prints what arrives, until it is stopped.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use mainstay_collector::{Collector, print};

/// Takes OTLP and prints each span, metric and log record as a line.
#[derive(Parser)]
struct Arguments {
    /// Where to take OTLP/HTTP.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4318")]
    http: SocketAddr,
    /// Where to take OTLP/gRPC.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4317")]
    grpc: SocketAddr,
}

/// There is no end to wait for.
const EVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

fn main() -> Result<()> {
    let Arguments { http, grpc } = Arguments::parse();
    let collector = Collector::at(http, grpc)?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", print::header())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    loop {
        runtime.block_on(collector.wait_for(EVER, |exports| !exports.is_empty()))?;
        for export in collector.take() {
            for line in print::lines(&export)? {
                writeln!(out, "{line}")?;
            }
        }
        out.flush()?;
    }
}
