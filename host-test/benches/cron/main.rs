//! What cron does under load, beside tokio-cron-scheduler (a native scheduler without a guest, state or log) doing the
//! same in the same run. `cargo xtask bench cron [--quick] [--only PART]` prints the machine and the versions first.
//!
//! - `fired`: how long it takes to run many jobs that fall due at the same instant
//! - `lag`: how late jobs start at a steady rate
//! - `next`: next-run calculations a second
//! - `memory`: what many jobs take, and how long they take to load
//! - `ours`, `native`: the two schedulers, ready to be measured
//! - `figure`: goals and figures side by side
//! - `process`: what this process takes

#[path = "../support/figure.rs"]
mod figure;
mod fired;
mod lag;
mod memory;
mod native;
mod next;
mod ours;
#[path = "../support/process.rs"]
mod process;

use anyhow::Result;
use clap::{Parser, ValueEnum};

#[derive(Parser)]
struct Arguments {
    /// A tenth of the jobs and of the time: shows that it works, not how fast
    #[arg(long)]
    quick: bool,
    /// Measure one part alone
    #[arg(long)]
    only: Option<Part>,
    /// Measure only what has this in its name, for example `composed`
    #[arg(long, default_value = "")]
    rows: String,
    /// What the service logs; it has to say that its schedules are loaded
    #[arg(long, default_value = "info", value_name = "MAINSTAY_LOG")]
    log: String,
    /// Measure the memory of one scheduler: a process of its own, which the benchmark starts
    #[arg(long, hide = true)]
    memory_of: Option<memory::Subject>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Part {
    Fired,
    Lag,
    Next,
    Memory,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let scale = if arguments.quick { Scale::QUICK } else { Scale::FULL };
    if let Some(subject) = arguments.memory_of {
        return memory::measure(subject, &scale).await;
    }
    let wanted = |part| arguments.only.is_none_or(|only| only == part);
    print_peers();
    let bench = ours::Bench::new(&arguments.log)?;
    if wanted(Part::Fired) {
        fired::run(&bench, &scale, &arguments.rows).await?;
    }
    if wanted(Part::Lag) {
        lag::run(&bench, &scale, &arguments.rows).await?;
    }
    if wanted(Part::Next) {
        next::run(&bench, &scale).await?;
    }
    if wanted(Part::Memory) {
        memory::run(&scale, arguments.quick).await?;
    }
    Ok(())
}

/// The versions of what stands beside ours.
fn print_peers() {
    let mut lines = include_str!("../../../Cargo.lock").lines();
    while let Some(line) = lines.next() {
        for peer in [native::NATIVE, next::CRONER] {
            if line == format!("name = \"{peer}\"") {
                let version = lines
                    .next()
                    .and_then(|line| line.strip_prefix("version = "))
                    .unwrap_or("?");
                println!("{:<9} {peer} {}", "beside", version.trim_matches('"'));
            }
        }
    }
    println!();
}

/// How much is measured.
struct Scale {
    /// Jobs that fall due together, and how often they do.
    together: usize,
    bursts: usize,
    /// Jobs that run once a second, and for how many seconds.
    steady: usize,
    steady_seconds: u64,
    /// How long each pattern is walked.
    walk_milliseconds: u64,
    /// Jobs whose memory is measured.
    resident: usize,
}

impl Scale {
    const FULL: Self = Self {
        together: 20_000,
        bursts: 3,
        steady: 1_000,
        steady_seconds: 10,
        walk_milliseconds: 100,
        resident: 100_000,
    };
    const QUICK: Self = Self {
        together: 2_000,
        bursts: 1,
        steady: 1_000,
        steady_seconds: 2,
        walk_milliseconds: 10,
        resident: 10_000,
    };
}
