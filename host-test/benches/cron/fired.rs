//! How long it takes to run many jobs that fall due at the same instant: from that instant to when the last one is over
//! and, with a state volume, written down.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, ensure};

use crate::Scale;
use crate::figure::{Goal, row};
use crate::native::{NATIVE, Native};
use crate::ours::{Bench, Callee, Cron, Setting, tables};
use crate::process::processor_time;

/// Jobs a second, pooled.
const GOAL: f64 = 20_000.0;

/// Jobs fall due together this often, so that one burst is over before the next.
const PERIOD: Duration = Duration::from_secs(5);
const PATTERN: &str = "*/5 * * * * *";

pub(crate) async fn run(bench: &Bench, scale: &Scale, rows: &str) -> Result<()> {
    println!(
        "{} jobs due at one instant, the median of {} times; goal: {GOAL} jobs/s with warm instances",
        scale.together, scale.bursts
    );
    row("", [&"until done", &"jobs/s", &"CPU a job"], "");
    let goal = Goal::AtLeast(GOAL);
    for (what, callee, state, goal) in [
        ("warm instances", Callee::Warm, false, goal),
        ("warm instances, state volume", Callee::Warm, true, goal),
        ("a fresh instance for each", Callee::Fresh, false, Goal::None),
        ("composed in", Callee::Composed, false, Goal::None),
        ("composed in, state volume", Callee::Composed, true, Goal::None),
    ]
    .into_iter()
    .filter(|(what, ..)| what.contains(rows))
    {
        let setting = Setting {
            jobs: &tables(scale.together, |_| format!("schedule = \"{PATTERN}\"")),
            callee,
            state,
        };
        let cron = bench.start(&setting).await?;
        let mut bursts = Vec::new();
        for number in 1..=scale.bursts {
            bursts.push(burst(&cron, (number * scale.together) as u64).await?);
        }
        cron.stop().await?;
        print(what, scale.together, bursts, goal);
    }
    if NATIVE.contains(rows) {
        print(NATIVE, scale.together, native(scale).await?, Goal::None);
    }
    println!();
    Ok(())
}

/// One time that jobs fell due together.
struct Burst {
    /// From when they were due to when the last one was over.
    until_done: Duration,
    /// What this process ran meanwhile, on all cores.
    processor: Duration,
}

async fn burst(cron: &Cron, runs: u64) -> Result<Burst> {
    let due = Due::wait().await;
    let ran = cron.succeeded(runs, due.next).await?;
    match due.over(ran, runs) {
        Ok(burst) => Ok(burst),
        Err(error) => Err(error.context(cron.described().await)),
    }
}

async fn native(scale: &Scale) -> Result<Vec<Burst>> {
    let native = Native::start(scale.together, PATTERN, || ()).await?;
    let mut bursts = Vec::new();
    for number in 1..=scale.bursts {
        let runs = (number * scale.together) as u64;
        let due = Due::wait().await;
        let ran = native.reached(runs, due.next).await;
        bursts.push(due.over(ran, runs)?);
    }
    native.stop().await?;
    Ok(bursts)
}

/// The instant at which jobs fall due.
struct Due {
    at: SystemTime,
    /// When they fall due the next time.
    next: Instant,
    /// What this process had run at that instant.
    processor: Duration,
}

impl Due {
    /// Waits for the next such instant.
    async fn wait() -> Self {
        let now = SystemTime::now();
        let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let since_last = Duration::from_nanos((since_epoch.as_nanos() % PERIOD.as_nanos()) as u64);
        let left = PERIOD - since_last;
        tokio::time::sleep(left).await;
        Self {
            at: now + left,
            next: Instant::now() + PERIOD,
            processor: processor_time().unwrap_or_default(),
        }
    }

    /// The jobs are over, if they all are.
    fn over(self, ran: u64, runs: u64) -> Result<Burst> {
        ensure!(
            ran == runs,
            "{ran} of {runs} runs were over when the next ones were due"
        );
        Ok(Burst {
            until_done: SystemTime::now().duration_since(self.at)?,
            processor: processor_time().unwrap_or_default().saturating_sub(self.processor),
        })
    }
}

fn print(what: &str, jobs: usize, mut bursts: Vec<Burst>, goal: Goal) {
    bursts.sort_by_key(|burst| burst.until_done);
    let Some(median) = bursts.get(bursts.len() / 2) else {
        return;
    };
    let (until_done, processor) = (median.until_done.as_secs_f64(), median.processor.as_secs_f64());
    let rate = jobs as f64 / until_done;
    let columns = [
        format!("{:.0} ms", until_done * 1e3),
        format!("{rate:.0}"),
        format!("{:.1} us", processor * 1e6 / jobs as f64),
    ];
    let [until_done, jobs_a_second, processor] = &columns;
    row(what, [until_done, jobs_a_second, processor], goal.verdict(rate));
}
