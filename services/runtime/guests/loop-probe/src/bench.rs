//! What a callback costs, bare and through the loop, in one run.

use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};
use mainstay_runtime::callback::Callbacks;
use tokio::task::JoinSet;

use crate::{callee, overlap};

/// Callbacks in flight at once in each measurement.
const WIDTHS: [usize; 3] = [1, 32, 256];
const DEADLINE: Duration = Duration::from_secs(60);
/// The measurements of a width are taken alternately and the least is kept: noise only adds.
const REPEATS: usize = 3;

/// The cost of one callback among `width` in flight.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    width: usize,
    nanoseconds: f64,
}

/// Calls awaited by nothing but generated bindings.
pub(crate) async fn bare(calls: u64) -> Vec<Cost> {
    let mut costs = Vec::new();
    for width in WIDTHS {
        let mut least = f64::INFINITY;
        for _ in 0..REPEATS {
            let began = Instant::now();
            let mut started = 0;
            let mut in_flight = FuturesUnordered::new();
            while started < calls || !in_flight.is_empty() {
                while started < calls && in_flight.len() < width {
                    in_flight.push(callee::echo(started));
                    started += 1;
                }
                in_flight.next().await;
            }
            least = least.min(each(began, calls));
        }
        costs.push(Cost {
            width,
            nanoseconds: least,
        });
    }
    costs
}

/// The same calls by [`Callbacks`], from as many local tasks as may be in flight.
pub(crate) async fn through_the_loop(calls: u64, bare: Vec<Cost>) -> Result<String, String> {
    let mut lines = Vec::new();
    for cost in bare {
        let Cost {
            width,
            nanoseconds: bare,
        } = cost;
        let mut least = f64::INFINITY;
        for _ in 0..REPEATS {
            let began = Instant::now();
            all_through_the_loop(calls, width).await?;
            least = least.min(each(began, calls));
        }
        lines.push(format!(
            "{{\"in_flight\":{width},\"bare_ns\":{bare:.0},\"loop_ns\":{least:.0}}}"
        ));
    }
    for in_flight in [0, 1] {
        let nanoseconds = echo(in_flight).await?;
        lines.push(format!("{{\"echo_while_in_flight\":{in_flight},\"round_trip_ns\":{nanoseconds:.0}}}"));
    }
    Ok(lines.join("\n"))
}

/// What an exchange on the service's own loopback takes while so many calls wait in their components.
async fn echo(in_flight: usize) -> Result<f64, String> {
    let callbacks = Callbacks::new(in_flight);
    let mut calls = JoinSet::new();
    for _ in 0..in_flight {
        let callbacks = callbacks.clone();
        calls.spawn_local(async move { callbacks.call(DEADLINE, callee::linger(60_000)).await });
    }
    let address = overlap::serve_echo()?;
    let mut least = f64::INFINITY;
    for _ in 0..REPEATS {
        let began = Instant::now();
        let echoes = overlap::exchange_echoes(address).await.map_err(|error| format!("echo: {error}"))?;
        least = least.min(each(began, echoes));
    }
    calls.shutdown().await;
    Ok(least)
}

async fn all_through_the_loop(calls: u64, width: usize) -> Result<(), String> {
    let callbacks = Callbacks::new(width);
    let mut tasks = JoinSet::new();
    for task in 0..width as u64 {
        let callbacks = callbacks.clone();
        tasks.spawn_local(async move {
            for id in (task..calls).step_by(width) {
                callbacks
                    .call(DEADLINE, callee::echo(id))
                    .await
                    .map_err(|error| error.to_string())?;
            }
            Ok::<(), String>(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.map_err(|error| error.to_string())??;
    }
    Ok(())
}

fn each(began: Instant, calls: u64) -> f64 {
    began.elapsed().as_nanos() as f64 / calls as f64
}
