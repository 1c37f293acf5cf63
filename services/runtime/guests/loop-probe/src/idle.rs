//! How often the loop wakes while nothing happens, or nothing but waiting for one callback.

use std::time::Duration;

use mainstay_runtime::callback::Callbacks;
use mainstay_runtime::{Context, health};

use crate::callee;

/// With a callback in flight for the whole time.
pub(crate) async fn probe_waiting(context: &Context, seconds: u64) -> Result<String, String> {
    let callbacks = Callbacks::new(1);
    let duration = Duration::from_secs(seconds + 1);
    tokio::select! {
        seen = probe(context, seconds) => seen,
        call = callbacks.call(2 * duration, callee::linger(1000 * duration.as_secs())) => Err(format!("too soon: {call:?}")),
    }
}

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
