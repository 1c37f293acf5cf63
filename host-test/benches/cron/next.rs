//! Next-run calculations a second: in a component, natively, and by croner.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use croner::Cron;
use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;

use crate::Scale;
use crate::figure::{Goal, row};
use crate::ours::Bench;

#[path = "../../guests/cron-next/src/walk.rs"]
mod walk;

/// Its name in tables. There are two of its versions: the older one is tokio-cron-scheduler's.
pub(crate) const CRONER: &str = "croner";

const GOAL: f64 = 1_000_000.0;

/// Patterns of the kinds that jobs have, from every second to every leap day.
const PATTERNS: [&str; 12] = [
    "* * * * * *",
    "* * * * *",
    "*/5 * * * *",
    "0 * * * *",
    "17 3 * * *",
    "30 9-17 * * MON-FRI",
    "0 0 1 * *",
    "0 0 L * *",
    "0 12 15W * *",
    "0 8 * * MON#1",
    "0 0 13 * +FRI",
    "0 0 29 2 *",
];

const ZONES: [&str; 3] = ["UTC", "America/New_York", "Africa/Casablanca"];

pub(crate) async fn run(bench: &Bench, scale: &Scale) -> Result<()> {
    let time = Duration::from_millis(scale.walk_milliseconds);
    println!(
        "next runs a second, over {} patterns from every second to every leap day; goal: {GOAL}",
        PATTERNS.len()
    );
    row("", [&"component", &"native", &CRONER], "");
    for zone in ZONES {
        let arguments = [time.as_millis().to_string(), zone.to_owned()];
        let arguments = arguments.into_iter().chain(PATTERNS.map(str::to_owned)).collect();
        let printed = bench.program("test/cron-next", arguments).await?;
        let component: f64 = printed.trim().parse().with_context(|| printed.clone())?;
        let native = walk::rate(zone, &PATTERNS, time).map_err(|error| anyhow!(error))?;
        let columns = [component, native, croners(zone, time)?].map(|rate| format!("{rate:.0}"));
        let [component_text, native, croners] = &columns;
        row(
            zone,
            [component_text, native, croners],
            Goal::AtLeast(GOAL).verdict(component),
        );
    }
    println!();
    Ok(())
}

/// The same walk by croner's own search.
fn croners(zone: &str, time: Duration) -> Result<f64> {
    let start = Timestamp::constant(1_795_305_600, 0).to_zoned(TimeZoneDatabase::bundled().get(zone)?);
    let mut seconds_of_each_once = 0.0;
    for pattern in PATTERNS {
        let pattern: Cron = pattern.parse()?;
        let mut tick = start.clone();
        seconds_of_each_once += walk::seconds_each(time, || {
            tick = pattern
                .find_next_occurrence(&tick, false)
                .unwrap_or_else(|_| start.clone());
        });
    }
    Ok(PATTERNS.len() as f64 / seconds_of_each_once)
}
