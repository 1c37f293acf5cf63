//! A walk along schedules, the same in a component and in the benchmark that runs it.

use std::time::{Duration, Instant};

use mainstay_cron_core::Moment;
use mainstay_cron_core::schedule::{ParseContext, Schedule};

/// 2026-11-22T00:00:00Z.
const START: Moment = Moment::from_nanoseconds(1_795_305_600_000_000_000);

/// Next runs a second over equal numbers of each pattern, whose ticks are asked for one after the other, `time` long.
///
/// # Errors
/// A zone or a pattern that cannot be read.
pub(crate) fn rate<S: AsRef<str>>(zone: &str, patterns: &[S], time: Duration) -> Result<f64, String> {
    let context = ParseContext {
        zone: zone.parse().map_err(|_| format!("no zone {zone:?}"))?,
        ..ParseContext::default()
    };
    let mut seconds_of_each_once = 0.0;
    for pattern in patterns {
        let schedule = Schedule::parse(pattern.as_ref(), &context).map_err(|error| error.to_string())?;
        let mut tick = START.into();
        seconds_of_each_once += seconds_each(time, || {
            tick = schedule.next_after(tick).unwrap_or_else(|| START.into());
        });
    }
    Ok(patterns.len() as f64 / seconds_of_each_once)
}

/// How long one turn takes, in seconds: batches of turns until `time` is over.
pub(crate) fn seconds_each(time: Duration, mut turn: impl FnMut()) -> f64 {
    let began = Instant::now();
    let mut turns = 0_u64;
    loop {
        for _ in 0..100 {
            turn();
        }
        turns += 100;
        let elapsed = began.elapsed();
        if elapsed >= time {
            return elapsed.as_secs_f64() / turns as f64;
        }
    }
}
