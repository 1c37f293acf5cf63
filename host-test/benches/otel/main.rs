//! What the sidecar does under load, beside Rotel (a native agent) doing the same in the same run: the same requests, the
//! same sink, the same limits of a batch. `cargo xtask bench otel [--quick] [--only PART]` prints the machine first.
//!
//! - `throughput`: items a second, by the clock and by the processor that the agent takes, and what it keeps in memory
//! - `latency`: what it adds between a component and the collector, one span at a time
//! - `idle`: what it costs when there is nothing to do
//!
//! - `agent`: the two agents, each a process of its own
//! - `load`: requests, and connections that send them one after the other
//! - `sink`: the collector that counts what arrives

mod agent;
mod load;
mod sink;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use mainstay_otel_core::Signal;

use agent::{Agent, Kind, Path};
use load::Load;
use sink::Sink;

#[derive(Parser)]
struct Arguments {
    /// A fifth of the time: shows that it works, not how fast
    #[arg(long)]
    quick: bool,
    /// Measure one part alone
    #[arg(long)]
    only: Option<Part>,
    /// Be the sidecar: a process of its own, which the benchmark starts
    #[arg(long, hide = true)]
    sidecar: Option<String>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Part {
    Throughput,
    Latency,
    Idle,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(settings) = &arguments.sidecar {
        return agent::be_the_sidecar(settings);
    }
    let seconds = if arguments.quick { 1 } else { 5 };
    let wanted = |part| arguments.only.is_none_or(|only| only == part);
    if let Ok(version) = agent::rotel_version() {
        println!("beside    {version}\n");
    }
    if wanted(Part::Throughput) {
        throughput(Duration::from_secs(seconds))?;
    }
    if wanted(Part::Latency) {
        latency(if arguments.quick { 50 } else { 500 })?;
    }
    if wanted(Part::Idle) {
        idle(Duration::from_secs(2 * seconds))?;
    }
    Ok(())
}

/// Items a second, once it is warm.
fn throughput(time: Duration) -> Result<()> {
    println!(
        "{:<44}{:>14}{:>18}{:>12}",
        "requests of 512, 4 connections", "items/s", "items/s of a core", "memory"
    );
    for signal in Signal::ALL {
        for path in [Path::Http, Path::Grpc] {
            for attributes in [false, true] {
                for kind in [Kind::Ours, Kind::Rotel] {
                    let sink = Sink::start(signal)?;
                    let agent = Agent::start(kind, path, &sink, attributes, "200ms")?;
                    let load = Load::start(signal, path, agent.address(path))?;
                    std::thread::sleep(time / 2);
                    let (items, processor, began) = (sink.items(), agent.processor_time()?, Instant::now());
                    std::thread::sleep(time);
                    let took = began.elapsed().as_secs_f64();
                    let items = (sink.items() - items) as f64;
                    let processor = (agent.processor_time()? - processor).as_secs_f64();
                    let memory = agent.resident()? / (1 << 20);
                    drop(load);
                    let what = format!("{signal} {path}{}", if attributes { ", attributes added" } else { "" });
                    println!(
                        "{:<44}{:>14}{:>18}{:>8} MiB",
                        format!("{kind:<8}{what}"),
                        thousands(items / took),
                        thousands(items / processor),
                        memory
                    );
                }
            }
        }
    }
    println!();
    Ok(())
}

/// What an agent adds, one span at a time.
fn latency(spans: usize) -> Result<()> {
    println!("{:<44}{:>14}{:>14}", "one span at a time, no batch delay", "p50", "p99");
    for path in [Path::Http, Path::Grpc] {
        for kind in [Kind::Ours, Kind::Rotel] {
            let sink = Sink::start(Signal::Traces)?;
            // Rotel's shortest.
            let delay = if kind == Kind::Ours { "0s" } else { "1ms" };
            let agent = Agent::start(kind, path, &sink, false, delay)?;
            let mut times = load::one_by_one(Signal::Traces, path, agent.address(path), &sink, spans)?;
            times.sort_unstable();
            let at = |share: f64| {
                times
                    .get((times.len() as f64 * share) as usize)
                    .copied()
                    .unwrap_or_default()
            };
            println!("{:<44}{:>14?}{:>14?}", format!("{kind:<8}{path}"), at(0.5), at(0.99));
        }
    }
    println!();
    Ok(())
}

fn idle(time: Duration) -> Result<()> {
    println!("{:<44}{:>14}{:>12}", "nothing to do", "of a core", "memory");
    for kind in [Kind::Ours, Kind::Rotel] {
        let sink = Sink::start(Signal::Traces)?;
        let agent = Agent::start(kind, Path::Http, &sink, false, "200ms")?;
        std::thread::sleep(Duration::from_secs(1));
        let before = agent.processor_time()?;
        std::thread::sleep(time);
        let share = (agent.processor_time()? - before).as_secs_f64() / time.as_secs_f64();
        println!(
            "{:<44}{:>12.3} %{:>8} MiB",
            format!("{kind}"),
            share * 100.0,
            agent.resident()? / (1 << 20)
        );
    }
    println!();
    Ok(())
}

fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(' ');
        }
        shown.push(digit);
    }
    shown
}

/// A runtime of one thread, for what runs beside the measurement.
fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("a runtime")
}
