//! What the NATS service does beside async-nats, a native client, doing the same in the same run, against a real
//! nats-server. `cargo xtask bench nats [--quick] [--only PART]` prints the machine and the versions first.
//!
//! - `deliveries`: messages a second that a component handles, from core NATS and from JetStream
//! - `requests`: how long a request to a component takes
//! - `client`: how fast messages are published and requests sent, from a guest and through the loopback endpoint
//! - `overload`: what becomes of ten times the messages that the handler can take
//! - `receiver`: the handler behind the service or behind async-nats, ready to be measured
//! - `native`: async-nats, calling the same component in the same host
//! - `figure`: goals and figures side by side

mod client;
mod deliveries;
#[path = "../support/figure.rs"]
mod figure;
mod native;
mod overload;
mod receiver;
mod requests;

use std::time::Duration;

use anyhow::Result;
use clap::{Parser, ValueEnum};

#[derive(Parser)]
struct Arguments {
    /// A tenth of the time: shows that it works, not how fast
    #[arg(long)]
    quick: bool,
    /// Measure one part alone
    #[arg(long)]
    only: Option<Part>,
    /// Measure only what has this in its name, for example `warm`
    #[arg(long, default_value = "")]
    rows: String,
    /// Leave guests' sockets without TCP_NODELAY, as wash does
    #[arg(long)]
    delayed_sends: bool,
    /// A further setting of the service, as `NATS_MAX_MESSAGES=5000`
    #[arg(long, value_name = "NAME=VALUE")]
    setting: Vec<String>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Part {
    Deliveries,
    Requests,
    Client,
    Overload,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let scale = if arguments.quick { Scale::QUICK } else { Scale::FULL };
    let wanted = |part| arguments.only.is_none_or(|only| only == part);
    let bench = receiver::Bench::new(arguments.delayed_sends, &arguments.setting)?;
    bench.print_peers().await?;
    if wanted(Part::Deliveries) {
        deliveries::run(&bench, &scale, &arguments.rows).await?;
    }
    if wanted(Part::Requests) {
        requests::run(&bench, &scale, &arguments.rows).await?;
    }
    if wanted(Part::Client) {
        client::run(&bench, &scale).await?;
    }
    if wanted(Part::Overload) {
        overload::run(&bench, &scale).await?;
    }
    Ok(())
}

/// How much is measured.
struct Scale {
    /// How long a rate is watched, and how long before that everything warms up.
    watched: Duration,
    warm_up: Duration,
    /// Requests one after the other.
    requests: usize,
    /// Messages that a client publishes.
    published: usize,
}

impl Scale {
    const FULL: Self = Self {
        watched: Duration::from_secs(2),
        warm_up: Duration::from_millis(700),
        requests: 4_000,
        published: 1_000_000,
    };
    const QUICK: Self = Self {
        watched: Duration::from_millis(300),
        warm_up: Duration::from_millis(200),
        requests: 400,
        published: 100_000,
    };
}
