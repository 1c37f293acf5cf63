//! How long a request to a component takes, from a native client and back.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::{StreamExt as _, stream};

use crate::Scale;
use crate::figure::{Goal, percentile, row};
use crate::native::Threads;
use crate::receiver::{Bench, By, CONCURRENCY, Callee, SUBJECT, Source};

/// The rate with many in flight, of async-nats's.
const GOAL: f64 = 0.8;

const SIZE: usize = 16;

pub(crate) async fn run(bench: &Bench, scale: &Scale, rows: &str) -> Result<()> {
    println!(
        "requests of {SIZE} B through the handler, one at a time and {CONCURRENCY}; goal: {GOAL} of async-nats's rate"
    );
    row("", [&"p50", &"p99", &"requests/s"], "");
    for (instances, callee) in [
        ("warm instances", Callee::Warm),
        ("a fresh instance each", Callee::Fresh),
    ] {
        if !instances.contains(rows) {
            continue;
        }
        let ours = measure(bench, scale, By::Service, callee).await?;
        let one = measure(bench, scale, By::AsyncNats(Threads::One), callee).await?;
        let all = measure(bench, scale, By::AsyncNats(Threads::All), callee).await?;
        let ratio = ours.rate / one.rate;
        print(
            &format!("the service, {instances}"),
            &ours,
            Goal::AtLeast(GOAL).verdict(ratio),
        );
        print("  async-nats, on one thread", &one, "");
        print("  async-nats, on all cores", &all, "");
    }
    let what = "the service, composed in";
    if what.contains(rows) {
        print(what, &measure(bench, scale, By::Service, Callee::Composed).await?, "");
    }
    println!();
    Ok(())
}

/// What requests took.
pub(crate) struct Took {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// Requests a second with many in flight.
    pub(crate) rate: f64,
}

pub(crate) fn print(what: &str, took: &Took, verdict: &str) {
    let microseconds = |duration: Duration| format!("{:.0} us", duration.as_secs_f64() * 1e6);
    let columns = [
        microseconds(took.p50),
        microseconds(took.p99),
        format!("{:.0}", took.rate),
    ];
    let [p50, p99, rate] = &columns;
    row(what, [p50, p99, rate], verdict);
}

async fn measure(bench: &Bench, scale: &Scale, by: By, callee: Callee) -> Result<Took> {
    let receiver = bench.receive(by, callee, Source::Core).await?;
    let took = ask(&bench.client().await?, SUBJECT, scale.requests).await?;
    receiver.stop().await?;
    Ok(took)
}

/// Sends requests, first one after the other, then many at once.
pub(crate) async fn ask(client: &async_nats::Client, subject: &'static str, requests: usize) -> Result<Took> {
    let payload = bytes::Bytes::from(vec![b'x'; SIZE]);
    let mut durations = Vec::with_capacity(requests);
    for number in 0..requests + requests / 10 {
        let began = Instant::now();
        client.request(subject, payload.clone()).await?;
        // The first ones find everything cold.
        if number >= requests / 10 {
            durations.push(began.elapsed());
        }
    }
    durations.sort_unstable();
    let many = requests * 10;
    let began = Instant::now();
    let mut asked = stream::iter(0..many)
        .map(|_| client.request(subject, payload.clone()))
        .buffer_unordered(CONCURRENCY);
    while let Some(answer) = asked.next().await {
        answer?;
    }
    Ok(Took {
        p50: percentile(&durations, 0.5),
        p99: percentile(&durations, 0.99),
        rate: many as f64 / began.elapsed().as_secs_f64(),
    })
}
