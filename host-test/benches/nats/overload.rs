//! What becomes of ten times the messages that the handler can take: all of them are handled, or counted as dropped.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::Scale;
use crate::figure::{Goal, row};
use crate::receiver::{Bench, By, Callee, DEADLINE, Receiver, SUBJECT, Source};

/// How many times too many.
const TIMES: f64 = 10.0;

const PAYLOAD: &[u8] = b"sixteen bytes...";

pub(crate) async fn run(bench: &Bench, scale: &Scale) -> Result<()> {
    println!(
        "{TIMES} times the messages that the handler takes, for {:?}; goal: none lost unexplained",
        scale.watched
    );
    row("", [&"sent", &"handled", &"dropped", &"unexplained"], "");
    for (what, callee, settings) in [
        (
            "drop-new, warm instances",
            Callee::Warm,
            [("NATS_WHEN_FULL", "drop-new"), ("NATS_MAX_MESSAGES", "1000")],
        ),
        (
            "drop-old, warm instances",
            Callee::Warm,
            [("NATS_WHEN_FULL", "drop-old"), ("NATS_MAX_MESSAGES", "1000")],
        ),
        (
            "drop-new, a fresh instance each",
            Callee::Fresh,
            [("NATS_WHEN_FULL", "drop-new"), ("NATS_MAX_MESSAGES", "1000")],
        ),
        (
            "stop-reading, warm instances",
            Callee::Warm,
            [("NATS_WHEN_FULL", "stop-reading"), ("NATS_MAX_MESSAGES", "1000")],
        ),
    ] {
        let receiver = bench.receive_with(By::Service, callee, Source::Core, &settings).await?;
        let fate = flood(bench, scale, &receiver).await?;
        receiver.stop().await?;
        let unexplained = fate.sent as f64 - fate.handled as f64 - fate.dropped as f64;
        let verdict = Goal::AtMost(0.0).verdict(unexplained.abs());
        row(what, [&fate.sent, &fate.handled, &fate.dropped, &unexplained], verdict);
    }
    println!();
    Ok(())
}

struct Fate {
    sent: u64,
    handled: u64,
    dropped: u64,
}

impl Fate {
    async fn so_far(receiver: &Receiver) -> Result<(u64, u64)> {
        let handled = "nats_deliveries_total{subscription=\"default\",outcome=\"handled\"}";
        let dropped = "nats_dropped_total{subscription=\"default\"}";
        Ok((receiver.metric(handled).await?, receiver.metric(dropped).await?))
    }
}

/// Publishes at ten times the rate at which the handler takes messages that all fit, then waits until all are over.
async fn flood(bench: &Bench, scale: &Scale, receiver: &Receiver) -> Result<Fate> {
    let client = bench.client().await?;
    let rate = TIMES * rate(&client, scale, receiver).await?;
    let before = Fate::so_far(receiver).await?;
    let began = Instant::now();
    let mut sent = 0;
    while began.elapsed() < scale.watched {
        let due = (began.elapsed().as_secs_f64() * rate) as u64;
        while sent < due {
            client.publish(SUBJECT, PAYLOAD.into()).await?;
            sent += 1;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    client.flush().await?;
    let deadline = Instant::now() + DEADLINE;
    let mut last = before;
    let mut still_since = Instant::now();
    loop {
        let now = Fate::so_far(receiver).await?;
        let fate = Fate {
            sent,
            handled: now.0 - before.0,
            dropped: now.1 - before.1,
        };
        if now != last {
            (last, still_since) = (now, Instant::now());
        }
        // What nothing has been heard of for so long is lost.
        if fate.handled + fate.dropped >= sent || still_since.elapsed() > Duration::from_secs(5) {
            return Ok(fate);
        }
        ensure!(Instant::now() < deadline, "it is never over\n{}", receiver.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What the handler takes a second.
async fn rate(client: &async_nats::Client, scale: &Scale, receiver: &Receiver) -> Result<f64> {
    const WINDOW: u64 = 500;
    let before = receiver.done().await?;
    let began = Instant::now();
    let mut sent = 0;
    loop {
        let done = receiver.done().await? - before;
        let over = began.elapsed() >= scale.watched;
        if over && done >= sent {
            return Ok(done as f64 / began.elapsed().as_secs_f64());
        }
        while !over && sent < done + WINDOW {
            client.publish(SUBJECT, PAYLOAD.into()).await?;
            sent += 1;
        }
        tokio::time::sleep(receiver.pace()).await;
    }
}
