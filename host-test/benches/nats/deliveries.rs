//! Messages a second that a component handles.

use std::time::Instant;

use anyhow::{Result, ensure};
use async_nats::jetstream;

use crate::Scale;
use crate::figure::{Goal, row};
use crate::native::Threads;
use crate::receiver::{Bench, By, CONSUMER, Callee, DEADLINE, Receiver, STREAM, SUBJECT, Source};

/// Of what async-nats does.
const GOAL: f64 = 0.8;

const SIZES: [usize; 3] = [16, 1024, 64 * 1024];

/// What may be on its way at once: no more messages, and no more bytes, so that nobody has to drop any.
const WINDOW: usize = 4096;
const WINDOW_BYTES: usize = 8 << 20;

pub(crate) async fn run(bench: &Bench, scale: &Scale, rows: &str) -> Result<()> {
    for (title, source) in [
        ("a core subscription", Source::Core),
        ("a durable consumer, acknowledged when handled", Source::JetStream),
    ] {
        println!("deliveries/s from {title}; goal: {GOAL} of async-nats");
        row("", [&"16 B", &"1 KiB", &"64 KiB"], "");
        for (instances, callee) in [
            ("warm instances", Callee::Warm),
            ("a fresh instance each", Callee::Fresh),
        ] {
            if !instances.contains(rows) {
                continue;
            }
            let ours = measure(bench, scale, By::Service, callee, source).await?;
            print(&format!("the service, {instances}"), ours);
            let one = measure(bench, scale, By::AsyncNats(Threads::One), callee, source).await?;
            print("  async-nats, on one thread", one);
            let all = measure(bench, scale, By::AsyncNats(Threads::All), callee, source).await?;
            print("  async-nats, on all cores", all);
            compare("  the service / async-nats on one thread", ours, one);
            compare("  the service / async-nats on all cores", ours, all);
        }
        let what = "the service, composed in";
        if what.contains(rows) {
            print(
                what,
                measure(bench, scale, By::Service, Callee::Composed, source).await?,
            );
        }
        println!();
    }
    Ok(())
}

fn print(what: &str, rates: [f64; 3]) {
    let [small, medium, large] = rates.map(|rate| format!("{rate:.0}"));
    row(what, [&small, &medium, &large], "");
}

fn compare(what: &str, ours: [f64; 3], theirs: [f64; 3]) {
    let mut ratios = [0.0; 3];
    for (ratio, (ours, theirs)) in ratios.iter_mut().zip(ours.into_iter().zip(theirs)) {
        *ratio = ours / theirs;
    }
    let least = ratios.into_iter().fold(f64::INFINITY, f64::min);
    let [small, medium, large] = ratios.map(|ratio| format!("{ratio:.2}"));
    row(what, [&small, &medium, &large], Goal::AtLeast(GOAL).verdict(least));
}

async fn measure(bench: &Bench, scale: &Scale, by: By, callee: Callee, source: Source) -> Result<[f64; 3]> {
    let mut rates = [0.0; 3];
    for (rate, size) in rates.iter_mut().zip(SIZES) {
        let receiver = bench.receive(by, callee, source).await?;
        *rate = watch(bench, scale, &receiver, size, source).await?;
        receiver.stop().await?;
    }
    Ok(rates)
}

/// Keeps the handler busy for a while; what it handled a second. All that was sent must be handled in the end.
async fn watch(bench: &Bench, scale: &Scale, receiver: &Receiver, size: usize, source: Source) -> Result<f64> {
    let client = bench.client().await?;
    let payload = bytes::Bytes::from(vec![b'x'; size]);
    let window = (WINDOW_BYTES / size).clamp(1, WINDOW) as u64;
    let before = receiver.done().await?;
    let began = Instant::now();
    let mut sent = 0;
    let mut warm = None;
    let (from, until) = loop {
        let done = receiver.done().await? - before;
        let elapsed = began.elapsed();
        if elapsed >= scale.warm_up && warm.is_none() {
            warm = Some((done, Instant::now()));
        }
        if let Some(from) = warm
            && elapsed >= scale.warm_up + scale.watched
        {
            break (from, (done, Instant::now()));
        }
        while sent < done + window {
            client.publish(SUBJECT, payload.clone()).await?;
            sent += 1;
        }
        tokio::time::sleep(receiver.pace()).await;
    };
    client.flush().await?;
    let deadline = Instant::now() + DEADLINE;
    while receiver.done().await? - before < sent || (source == Source::JetStream && !all_acknowledged(&client).await?) {
        ensure!(
            Instant::now() < deadline,
            "not all of {sent} were handled\n{}",
            receiver.log()
        );
        tokio::time::sleep(receiver.pace()).await;
    }
    Ok((until.0 - from.0) as f64 / (until.1 - from.1).as_secs_f64())
}

async fn all_acknowledged(client: &async_nats::Client) -> Result<bool> {
    let jetstream = jetstream::new(client.clone());
    let mut consumer: jetstream::consumer::PullConsumer = jetstream
        .get_consumer_from_stream(CONSUMER, STREAM)
        .await
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let info = consumer.info().await?;
    Ok(info.num_pending == 0 && info.num_ack_pending == 0)
}
