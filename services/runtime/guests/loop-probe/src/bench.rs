//! What a callback costs, bare and through the loop, in one run.

use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};
use mainstay_runtime::callback::Callbacks;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::{callee, overlap};

/// Callbacks in flight at once in each measurement.
const WIDTHS: [usize; 3] = [1, 32, 256];
const DEADLINE: Duration = Duration::from_secs(60);
/// Each measurement is taken so many times, bare and through the loop by turns, and the least is kept: noise only adds.
const REPEATS: usize = 5;

/// What one callback among so many in flight costs, in nanoseconds: bare and through the loop.
#[derive(Clone, Copy)]
struct Cost {
    width: usize,
    bare: f64,
    by_the_loop: f64,
}

/// Measures both in turn. A loop is run for each measurement through it, so that the bare calls have none.
pub(crate) async fn probe(calls: u64) -> Result<(), ()> {
    let mut costs = WIDTHS.map(|width| Cost {
        width,
        bare: f64::INFINITY,
        by_the_loop: f64::INFINITY,
    });
    for cost in &mut costs {
        for _ in 0..REPEATS {
            let began = Instant::now();
            all_bare(calls, cost.width).await;
            cost.bare = cost.bare.min(each(began, calls));

            let (sender, measured) = oneshot::channel();
            let width = cost.width;
            mainstay_runtime::run("loop-probe", async move |_| {
                let began = Instant::now();
                all_through_the_loop(calls, width).await?;
                let _ = sender.send(each(began, calls));
                Ok::<(), String>(())
            })
            .await?;
            cost.by_the_loop = cost.by_the_loop.min(measured.await.map_err(|_| ())?);
        }
        let Cost {
            width,
            bare,
            by_the_loop,
        } = cost;
        println!("{{\"in_flight\":{width},\"bare_ns\":{bare:.0},\"loop_ns\":{by_the_loop:.0}}}");
    }
    mainstay_runtime::run("loop-probe", async |_| {
        for in_flight in [0, 1] {
            let nanoseconds = echo(in_flight).await?;
            println!("{{\"echo_while_in_flight\":{in_flight},\"round_trip_ns\":{nanoseconds:.0}}}");
        }
        Ok::<(), String>(())
    })
    .await
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
        let echoes = overlap::exchange_echoes(address)
            .await
            .map_err(|error| format!("echo: {error}"))?;
        least = least.min(each(began, echoes));
    }
    calls.shutdown().await;
    Ok(least)
}

/// Calls awaited by nothing but generated bindings.
async fn all_bare(calls: u64, width: usize) {
    let mut started = 0;
    let mut in_flight = FuturesUnordered::new();
    while started < calls || !in_flight.is_empty() {
        while started < calls && in_flight.len() < width {
            in_flight.push(callee::echo(started));
            started += 1;
        }
        in_flight.next().await;
    }
}

/// The same calls by [`Callbacks`], from as many local tasks as may be in flight.
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
