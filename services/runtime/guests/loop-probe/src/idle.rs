//! How often the loop wakes while nothing happens.

use std::time::Duration;

use mainstay_runtime::{Context, health};

pub(crate) async fn probe(context: &Context, seconds: u64) -> Result<String, String> {
    context.serve_health(Some(health::ADDRESS));
    context.health.ready();
    let wakeups = context.metrics.counter("mainstay_loop_wakeups_total", "", &[]);
    let turns = context.metrics.counter("mainstay_loop_turns_total", "", &[]);
    let before = (wakeups.value(), turns.value());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let (wakeups, turns) = (wakeups.value() - before.0, turns.value() - before.1);
    Ok(format!(
        "{{\"seconds\":{seconds},\"wakeups\":{wakeups},\"turns\":{turns}}}"
    ))
}
