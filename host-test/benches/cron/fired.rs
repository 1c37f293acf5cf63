//! How long it takes to run many jobs that fall due at the same instant: from that instant to when the last one is over
//! and, with a state volume, written down.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, ensure};

use crate::Scale;
use crate::figure::{Goal, row};
use crate::native::Native;
use crate::ours::{Bench, Callee, Cron, Setting, tables};

/// Jobs a second, pooled.
const GOAL: f64 = 20_000.0;

/// Jobs fall due together this often, so that one burst is over before the next.
const PERIOD: Duration = Duration::from_secs(5);
const PATTERN: &str = "*/5 * * * * *";

pub(crate) async fn run(bench: &Bench, scale: &Scale) -> Result<()> {
    println!(
        "{} jobs due at one instant, the median of {} times; goal: {GOAL} jobs/s with warm instances",
        scale.together, scale.bursts
    );
    row("", [&"until done", &"jobs/s"], "");
    let goal = Goal::AtLeast(GOAL);
    for (what, callee, state, log, goal) in [
        ("warm instances", Callee::Warm, false, "info", goal),
        ("warm instances, state volume", Callee::Warm, true, "info", goal),
        (
            "warm instances, log of warnings only",
            Callee::Warm,
            false,
            QUIET,
            Goal::None,
        ),
        ("a fresh instance for each", Callee::Fresh, false, "info", Goal::None),
        ("composed in", Callee::Composed, false, "info", Goal::None),
        ("composed in, state volume", Callee::Composed, true, "info", Goal::None),
    ] {
        let setting = Setting {
            jobs: &tables(scale.together, |_| format!("schedule = \"{PATTERN}\"")),
            callee,
            state,
            log,
        };
        let cron = bench.start(&setting).await?;
        let mut bursts = Vec::new();
        for number in 1..=scale.bursts {
            bursts.push(burst(&cron, (number * scale.together) as u64).await?);
        }
        cron.stop().await?;
        print(what, scale.together, bursts, goal);
    }
    let bursts = native(scale).await?;
    print("tokio-cron-scheduler", scale.together, bursts, Goal::None);
    println!();
    Ok(())
}

/// No line for each run, but the one that tells that it has started.
const QUIET: &str = "warn,mainstay_cron::service=info";

async fn burst(cron: &Cron, runs: u64) -> Result<Duration> {
    let (due, deadline) = wait_until_due().await;
    let ran = cron.succeeded(runs, deadline).await?;
    ensure!(
        ran == runs,
        "{ran} of {runs} runs succeeded before the next ones were due"
    );
    Ok(SystemTime::now().duration_since(due)?)
}

async fn native(scale: &Scale) -> Result<Vec<Duration>> {
    let native = Native::start(scale.together, PATTERN, || ()).await?;
    let mut bursts = Vec::new();
    for number in 1..=scale.bursts {
        let runs = (number * scale.together) as u64;
        let (due, deadline) = wait_until_due().await;
        let ran = native.reached(runs, deadline).await;
        ensure!(ran == runs, "{ran} of {runs} runs began before the next ones were due");
        bursts.push(SystemTime::now().duration_since(due)?);
    }
    native.stop().await?;
    Ok(bursts)
}

/// Returns when jobs fall due: that instant, and when they do the next time.
async fn wait_until_due() -> (SystemTime, Instant) {
    let now = SystemTime::now();
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let since_last = Duration::from_nanos((since_epoch.as_nanos() % PERIOD.as_nanos()) as u64);
    let due = PERIOD - since_last;
    tokio::time::sleep(due).await;
    (now + due, Instant::now() + PERIOD)
}

fn print(what: &str, jobs: usize, mut bursts: Vec<Duration>, goal: Goal) {
    bursts.sort();
    let median = bursts.get(bursts.len() / 2).copied().unwrap_or_default().as_secs_f64();
    let rate = jobs as f64 / median;
    let times = format!("{:.0} ms", median * 1e3);
    row(what, [&times, &format!("{rate:.0}")], goal.verdict(rate));
}
