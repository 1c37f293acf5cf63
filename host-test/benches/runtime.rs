//! What `mainstay-runtime` costs: a callback through its event loop beside a bare call in the same run, and an idle
//! service. `cargo xtask bench runtime [--calls N] [--seconds N]` prints the machine and the versions first.
//!
//! The figures come from real guests, `services/runtime/guests`, on this crate's own host.

#[path = "support/process.rs"]
mod process;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use mainstay_compose::Component as Decoded;
use mainstay_host_test::workload::spec::{Component, Service, Spec};
use mainstay_host_test::workload::stdio::Output;
use mainstay_host_test::workload::{Host, Options, Phase, Workload};
use serde::Deserialize;

use process::{processor_time, resident};

/// Longer than any one measurement takes.
const DEADLINE: Duration = Duration::from_secs(600);
/// Idle services measured at once: one alone is below what the system counts.
const SERVICES: u32 = 16;

#[derive(Parser)]
struct Arguments {
    /// Callbacks of each measurement
    #[arg(long, default_value_t = 20_000)]
    calls: u64,
    /// How long idle services are watched
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let cache = tempfile::tempdir()?;
    let host = Host::new(Some(cache.path()))?;
    callbacks(&host, arguments.calls).await?;
    cold_start(&host).await?;
    idle(&host, Duration::from_secs(arguments.seconds)).await?;
    sizes()
}

/// A line that the probe prints.
#[derive(Deserialize)]
#[serde(untagged)]
enum Figure {
    Callback {
        in_flight: usize,
        bare_ns: f64,
        loop_ns: f64,
    },
    Echo {
        echo_while_in_flight: usize,
        round_trip_ns: f64,
    },
}

async fn callbacks(host: &Host, calls: u64) -> Result<()> {
    println!("callbacks, {calls} each, the least of five; goals: 1.2 times a bare call, 25 us composed");
    println!("  callee             in flight   bare call   by the loop   ratio");
    let mut fresh = probing("bench");
    with_callee(&mut fresh, 0);
    let mut warm = probing("bench");
    with_callee(&mut warm, 256);
    let joined = tempfile::NamedTempFile::with_suffix(".wasm")?;
    fs::write(joined.path(), join()?)?;
    let mut composed = probing("bench");
    composed.service = composed.service.map(|service| Service {
        image: joined.path().to_owned(),
        ..service
    });

    let mut echoes = Vec::new();
    for (callee, spec) in [
        ("a fresh instance", fresh),
        ("a warm instance", warm),
        ("composed in", composed),
    ] {
        let spec = with_environment(spec, "PROBE_CALLS", &calls.to_string());
        for line in run(host, &spec).await?.lines() {
            match serde_json::from_str(line).with_context(|| format!("{callee}: {line}"))? {
                Figure::Callback {
                    in_flight,
                    bare_ns,
                    loop_ns,
                } => {
                    let (bare, by_loop, ratio) = (bare_ns / 1e3, loop_ns / 1e3, loop_ns / bare_ns);
                    println!("  {callee:<18} {in_flight:>9}  {bare:>7.1} us    {by_loop:>7.1} us   {ratio:>5.2}");
                }
                Figure::Echo {
                    echo_while_in_flight,
                    round_trip_ns,
                } => {
                    if callee == "a fresh instance" {
                        echoes.push((echo_while_in_flight, round_trip_ns / 1e3));
                    }
                }
            }
        }
    }
    println!("\nan exchange of 8 bytes on the service's own loopback");
    for (in_flight, microseconds) in echoes {
        println!("  {in_flight} callbacks in flight  {microseconds:>7.1} us");
    }
    Ok(())
}

/// From nothing to the service's own word that it is ready.
async fn cold_start(host: &Host) -> Result<()> {
    println!("\ncold start, until the service says that it is ready, the median; goal: 5 ms precompiled");
    let uncached = Host::new(None)?;
    for (from, host, times) in [("from source", &uncached, 3), ("precompiled", host, 21)] {
        let mut durations = Vec::new();
        for _ in 0..times {
            let began = Instant::now();
            let workload = start(host, "idle").await?;
            durations.push(began.elapsed());
            workload.stop().await;
        }
        durations.sort();
        let median = durations.get(durations.len() / 2).copied().unwrap_or_default();
        println!("  {from}  {:>8.2} ms", median.as_secs_f64() * 1e3);
    }
    Ok(())
}

/// What services cost that do nothing but serve their health pages, each above what the host itself needs, and what
/// those cost that wait for a callback.
async fn idle(host: &Host, duration: Duration) -> Result<()> {
    println!("\nan idle service, {SERVICES} watched for {duration:?}; goal: under 2 MiB");
    let alone = processor_share(duration / 4).await;
    for (what, mode) in [("idle", "idle"), ("waiting for a callback", "waiting")] {
        let before = resident();
        let mut workloads = Vec::new();
        for _ in 0..SERVICES {
            workloads.push(start(host, mode).await?);
        }
        let memory = resident()
            .zip(before)
            .map(|(after, before)| after.saturating_sub(before) / u64::from(SERVICES));
        let memory = memory.map_or("unknown".to_owned(), |each| {
            format!("{:.2} MiB", each as f64 / f64::from(1 << 20))
        });
        let shares = processor_share(duration).await.zip(alone);
        let share = shares.map(|(with, alone)| (with - alone).max(0.0) / f64::from(SERVICES));
        let share = share.map_or("unknown".to_owned(), |each| format!("{:.3} % of a core", each * 1e2));
        println!("  {what:<24} {memory:>10}  {share:>18}");
        for workload in workloads {
            ensure!(
                workload.stop().await.state == Phase::Completed,
                "an idle service did not end well"
            );
        }
    }
    let alone = alone.map_or("unknown".to_owned(), |alone| format!("{:.3} % of a core", alone * 1e2));
    println!("  {:<24} {:>10}  {alone:>18}", "the host alone", "");
    Ok(())
}

fn sizes() -> Result<()> {
    println!("\nsizes; goal: under 3 MB");
    let entries = fs::read_dir(components())?.collect::<std::io::Result<Vec<_>>>()?;
    let mut files: Vec<PathBuf> = entries
        .into_iter()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        println!("  {name:<32} {:>6.2} MB", fs::metadata(&file)?.len() as f64 / 1e6);
    }
    Ok(())
}

fn probing(mode: &str) -> Spec {
    let service = Service {
        image: component("test/loop-probe"),
        ..Service::default()
    };
    let spec = Spec {
        name: mode.to_owned(),
        service: Some(service),
        ..Spec::default()
    };
    with_environment(spec, "PROBE_MODE", mode)
}

fn with_environment(mut spec: Spec, name: &str, value: &str) -> Spec {
    if let Some(service) = &mut spec.service {
        service.resources.environment.insert(name.to_owned(), value.to_owned());
    }
    spec
}

fn with_callee(spec: &mut Spec, pool_size: u32) {
    let image = component("test/loop-callee");
    spec.components = vec![Component {
        name: "loop-callee".to_owned(),
        image,
        pool_size,
        ..Component::default()
    }];
}

/// The probe with the callee composed in.
fn join() -> Result<Vec<u8>> {
    let decode = |name: &str| -> Result<Decoded> { Ok(Decoded::decode(name, &fs::read(component(name))?)?) };
    let service = decode("test/loop-probe")?;
    Ok(mainstay_compose::join(
        &service,
        &[decode("test/loop-callee")?],
        &mainstay_compose::Host::new(["wasi"]),
    )?)
}

fn captured() -> Options {
    Options {
        output: Output::Capture,
        ..Options::default()
    }
}

/// Runs a workload to its end: what its service printed.
async fn run(host: &Host, spec: &Spec) -> Result<String> {
    let workload = Workload::start(host, spec, &captured())?;
    let status = tokio::time::timeout(DEADLINE, workload.ended())
        .await
        .context("not ended")?;
    let errors = workload.stderr().map_or(String::new(), |stderr| stderr.text());
    ensure!(status.state == Phase::Completed, "{status}\n{errors}");
    Ok(workload.stdout().map_or(String::new(), |stdout| stdout.text()))
}

async fn start(host: &Host, mode: &str) -> Result<Workload> {
    let mut spec = with_environment(probing(mode), "PROBE_SECONDS", "3600");
    with_callee(&mut spec, 0);
    let workload = Workload::start(host, &spec, &captured())?;
    workload
        .stderr()
        .context("output is captured")?
        .wait_for("ready", DEADLINE)
        .await?;
    Ok(workload)
}

/// What this process takes of one core while it is left alone for so long.
async fn processor_share(duration: Duration) -> Option<f64> {
    let before = processor_time()?;
    let began = Instant::now();
    tokio::time::sleep(duration).await;
    let taken = processor_time()?.saturating_sub(before);
    Some(taken.as_secs_f64() / began.elapsed().as_secs_f64())
}

fn component(name: &str) -> PathBuf {
    components().join(format!("{name}.wasm"))
}

/// Where `cargo xtask build` leaves the artefacts.
fn components() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .with_file_name("target")
        .join("components")
}
