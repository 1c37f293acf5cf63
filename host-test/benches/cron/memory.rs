//! What many jobs take in memory, and how long they take to load. Each scheduler is measured in a process of its own,
//! since memory that one gave back would hide what the other takes.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use tokio::process::Command;

use crate::Scale;
use crate::figure::row;
use crate::native::{NATIVE, Native};
use crate::ours::{Bench, Callee, DEADLINE, Setting, tables};
use crate::process::resident;

/// What is measured.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Subject {
    Ours,
    OursWithState,
    Native,
}

/// Starts a process for each, and prints what it says.
pub(crate) async fn run(scale: &Scale, quick: bool) -> Result<()> {
    println!("{} jobs, due once an hour", scale.resident);
    row("", [&"memory", &"bytes/job", &"to load"], "");
    for (what, subject) in [
        ("the service", "ours"),
        ("the service, state volume", "ours-with-state"),
        (NATIVE, "native"),
    ] {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--memory-of", subject]).args(quick.then_some("--quick"));
        let output = command.stderr(Stdio::inherit()).kill_on_drop(true).output();
        let output = tokio::time::timeout(DEADLINE, output).await.context("not ended")??;
        ensure!(output.status.success(), "{what}: {}", output.status);
        let text = String::from_utf8(output.stdout)?;
        let (bytes, milliseconds) = text.trim().split_once(' ').with_context(|| text.clone())?;
        let (bytes, milliseconds): (f64, f64) = (bytes.parse()?, milliseconds.parse()?);
        let memory = format!("{:.0} MiB", bytes / f64::from(1 << 20));
        let each = format!("{:.0}", bytes / scale.resident as f64);
        row(what, [&memory, &each, &format!("{milliseconds:.0} ms")], "");
    }
    println!();
    Ok(())
}

/// Measures one, in a process that does nothing else: prints bytes and milliseconds.
pub(crate) async fn measure(subject: Subject, scale: &Scale) -> Result<()> {
    let (bytes, took) = match subject {
        Subject::Ours => ours(scale.resident, false).await?,
        Subject::OursWithState => ours(scale.resident, true).await?,
        Subject::Native => native(scale.resident).await?,
    };
    println!("{bytes} {}", took.as_millis());
    Ok(())
}

async fn ours(count: usize, state: bool) -> Result<(u64, Duration)> {
    let bench = Bench::new("info")?;
    let minute = |number: usize| format!("schedule = \"{} * * * *\"", number % 60);
    let setting = |jobs| Setting {
        jobs,
        callee: Callee::Warm,
        state,
    };
    // Compiled before memory is looked at.
    let one = tables(1, minute);
    bench.start(&setting(&one)).await?.stop().await?;
    let jobs = tables(count, minute);
    let before = resident().context("this system does not tell what a process takes")?;
    let began = Instant::now();
    let cron = bench.start(&setting(&jobs)).await?;
    let took = began.elapsed();
    let after = resident().context("this system does not tell what a process takes")?;
    cron.stop().await?;
    Ok((after.saturating_sub(before), took))
}

async fn native(count: usize) -> Result<(u64, Duration)> {
    let before = resident().context("this system does not tell what a process takes")?;
    let began = Instant::now();
    let native = Native::start(count, "0 0 * * * *", || ()).await?;
    let took = began.elapsed();
    let after = resident().context("this system does not tell what a process takes")?;
    native.stop().await?;
    Ok((after.saturating_sub(before), took))
}
