//! How late jobs start at a steady rate, by the job's own clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, ensure};

use crate::Scale;
use crate::figure::{Goal, percentile, row};
use crate::native::{NATIVE, Native};
use crate::ours::{Bench, Callee, Setting, tables};

/// The 99th percentile, in milliseconds.
const GOAL: f64 = 5.0;

pub(crate) async fn run(bench: &Bench, scale: &Scale, rows: &str) -> Result<()> {
    let (rate, seconds) = (scale.steady, scale.steady_seconds);
    println!("start lag at {rate} jobs/s for {seconds} s; goal: p99 of {GOAL} ms");
    row("", [&"p50", &"p99", &"most"], "");
    let spread = |number: usize| {
        let (from, payload) = (1_000 * number / rate, "payload = \"lag\"");
        format!("schedule = \"@every 1s\"\nstart = \"2026-01-01T00:00:00.{from:03}Z\"\n{payload}")
    };
    let together = |_| "schedule = \"* * * * * *\"\npayload = \"lag\"".to_owned();
    let goal = Goal::AtMost(GOAL);
    for (what, jobs, callee, goal) in [
        ("spread, warm instances", tables(rate, spread), Callee::Warm, goal),
        (
            "spread, a fresh instance for each",
            tables(rate, spread),
            Callee::Fresh,
            Goal::None,
        ),
        (
            "all on the second, warm instances",
            tables(rate, together),
            Callee::Warm,
            Goal::None,
        ),
    ]
    .into_iter()
    .filter(|(what, ..)| what.contains(rows))
    {
        let setting = Setting {
            jobs: &jobs,
            callee,
            state: true,
        };
        let cron = bench.start(&setting).await?;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let printed = cron.printed();
        cron.stop().await?;
        let lags: Vec<u64> = printed
            .lines()
            .filter_map(|line| line.strip_prefix("lag ")?.parse().ok())
            .collect();
        let expected = rate * (seconds as usize - 1);
        ensure!(lags.len() >= expected, "{} runs of {expected}", lags.len());
        print(what, lags, goal);
    }
    let what = "spread, a timer of tokio and nothing else";
    if what.contains(rows) {
        print(what, bare_timer(rate, seconds).await, Goal::None);
    }
    let what = format!("all on the second, {NATIVE}");
    if what.contains(rows) {
        print(&what, native(rate, seconds).await?, Goal::None);
    }
    println!();
    Ok(())
}

/// A loop that sleeps until each instant, natively: what the machine makes of a timer while others work on it.
async fn bare_timer(rate: usize, seconds: u64) -> Vec<u64> {
    let (start, step) = (Instant::now(), Duration::from_secs(1) / rate as u32);
    let mut lags = Vec::with_capacity(rate * seconds as usize);
    for number in 0..rate as u32 * seconds as u32 {
        let due = start + step * number;
        tokio::time::sleep_until(due.into()).await;
        lags.push(due.elapsed().as_nanos() as u64);
    }
    lags
}

/// It does not tell a job when it was due: the last whole second is taken, which is in its favour.
async fn native(rate: usize, seconds: u64) -> Result<Vec<u64>> {
    let lags = Arc::new(Mutex::new(Vec::with_capacity(rate * 2 * seconds as usize)));
    let on_run = {
        let lags = lags.clone();
        move || {
            let since = SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default();
            let mut lags = lags.lock().unwrap_or_else(PoisonError::into_inner);
            lags.push(u64::from(since.subsec_nanos()));
        }
    };
    let native = Native::start(rate, "* * * * * *", on_run).await?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    native.stop().await?;
    let lags = lags.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(lags)
}

fn print(what: &str, mut lags: Vec<u64>, goal: Goal) {
    lags.sort_unstable();
    let milliseconds = |part| percentile(&lags, part) as f64 / 1e6;
    let shown = |part| format!("{:.2} ms", milliseconds(part));
    row(
        what,
        [&shown(0.5), &shown(0.99), &shown(1.0)],
        goal.verdict(milliseconds(0.99)),
    );
}
