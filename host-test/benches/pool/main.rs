//! What the pool does beside PgBouncer and beside direct connections, in the same run, with the programs that came with
//! the servers. `cargo xtask bench pool [--quick] [--only PART]` prints the machine and the versions first.
//!
//! - `postgres`: pgbench's reads, direct, through PgBouncer and through the pool; and with a connection for each
//! - `redis`: redis-benchmark, direct and through the pool
//! - `memory`: what a connection costs that is not used
//! - `bed`: servers, and the pool before them
//! - `figure`: goals and figures side by side

mod bed;
#[path = "../support/figure.rs"]
mod figure;
mod memory;
mod postgres;
#[path = "../support/process.rs"]
mod process;
mod redis;

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
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Part {
    Postgres,
    Redis,
    Memory,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let wanted = |part| arguments.only.is_none_or(|only| only == part);
    if wanted(Part::Postgres) {
        postgres::run(if arguments.quick { 1 } else { 8 }).await?;
    }
    if wanted(Part::Redis) {
        redis::run(if arguments.quick { 20_000 } else { 300_000 }).await?;
    }
    if wanted(Part::Memory) {
        memory::run().await?;
    }
    Ok(())
}
