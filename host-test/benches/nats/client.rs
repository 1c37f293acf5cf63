//! How fast a guest publishes and asks, beside async-nats natively: connected to the server itself, and to the service's
//! loopback endpoint, which passes all of it on.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use mainstay_host_test::workload::spec::Spec;
use serde::Deserialize;

use crate::Scale;
use crate::figure::{Goal, row};
use crate::receiver::{Bench, DEADLINE};
use crate::requests::{Took, ask};

/// Of what async-nats does natively.
const GOAL: f64 = 0.5;

/// Answered by a native client.
const ECHO: &str = "bench.echo";
/// Received by nobody.
const VOID: &str = "bench.void";

const PAYLOAD: &[u8] = b"sixteen bytes...";

/// What a client does.
struct Figures {
    published: f64,
    took: Took,
}

/// What the guest prints.
#[derive(Deserialize)]
struct Printed {
    published_per_second: f64,
    p50_ns: u64,
    p99_ns: u64,
    requests_per_second: f64,
}

pub(crate) async fn run(bench: &Bench, scale: &Scale) -> Result<()> {
    println!("a client that publishes 16 B, and asks a native client; goal: {GOAL} of async-nats natively");
    row("", [&"published/s", &"p50", &"p99", &"requests/s"], "");
    let mut echoed = bench.client().await?.subscribe(ECHO).await?;
    let answering = bench.client().await?;
    let answering = tokio::spawn(async move {
        while let Some(message) = echoed.next().await {
            if let Some(reply) = message.reply {
                // Who asks finds out.
                let _ = answering.publish(reply, message.payload).await;
            }
        }
    });
    let native = measure(&bench.client().await?, scale).await?;
    print("async-nats, natively", &native, None);
    print(
        "the service's client, in a guest",
        &guest(bench, scale).await?,
        Some(&native),
    );
    let service = bench.start(&endpoint(bench))?;
    let client = connect(&format!("nats://{}:4222", service.loopback())).await?;
    let passed_on = measure(&client, scale).await?;
    print("async-nats, through the loopback endpoint", &passed_on, Some(&native));
    service.stop().await;
    answering.abort();
    println!();
    Ok(())
}

fn print(what: &str, figures: &Figures, native: Option<&Figures>) {
    let microseconds = |duration: Duration| format!("{:.0} us", duration.as_secs_f64() * 1e6);
    let columns = [
        format!("{:.0}", figures.published),
        microseconds(figures.took.p50),
        microseconds(figures.took.p99),
        format!("{:.0}", figures.took.rate),
    ];
    let [published, p50, p99, rate] = &columns;
    let verdict = native.map_or(String::new(), |native| {
        let (publish, ask) = (
            figures.published / native.published,
            figures.took.rate / native.took.rate,
        );
        let verdict = Goal::AtLeast(GOAL).verdict(publish.min(ask));
        format!("{publish:.2} and {ask:.2}: {verdict}")
    });
    row(what, [published, p50, p99, rate], &verdict);
}

async fn measure(client: &async_nats::Client, scale: &Scale) -> Result<Figures> {
    let payload = bytes::Bytes::from_static(PAYLOAD);
    let began = Instant::now();
    for _ in 0..scale.published {
        client.publish(VOID, payload.clone()).await?;
    }
    client.flush().await?;
    let published = scale.published as f64 / began.elapsed().as_secs_f64();
    // Written is not received: the server has all of it when it answers.
    let took = ask(client, ECHO, scale.requests).await?;
    Ok(Figures { published, took })
}

/// The same by a program on the service's own codecs and sockets, in a guest.
async fn guest(bench: &Bench, scale: &Scale) -> Result<Figures> {
    let mut program = bench.program("test/nats-load");
    program.arguments = vec![scale.published.to_string(), scale.requests.to_string()];
    let spec = Spec {
        name: "nats-load".to_owned(),
        service: Some(program),
        ..Spec::default()
    };
    let workload = bench.start(&spec)?;
    let status = tokio::time::timeout(DEADLINE, workload.ended())
        .await
        .context("not ended")?;
    let stderr = workload.stderr().map_or(String::new(), |stderr| stderr.text());
    ensure!(status.reason.is_none(), "{status}\n{stderr}");
    let printed: Printed = serde_json::from_str(&workload.stdout().context("output is captured")?.text())?;
    Ok(Figures {
        published: printed.published_per_second,
        took: Took {
            p50: Duration::from_nanos(printed.p50_ns),
            p99: Duration::from_nanos(printed.p99_ns),
            rate: printed.requests_per_second,
        },
    })
}

/// The service without a subscription, for its endpoint alone.
fn endpoint(bench: &Bench) -> Spec {
    let mut service = bench.program("nats");
    let environment = &mut service.resources.environment;
    environment.insert("NATS_PUBLISH_ALLOW".to_owned(), "bench.>".to_owned());
    Spec {
        name: "nats".to_owned(),
        service: Some(service),
        components: vec![crate::receiver::handler(0)],
        ..Spec::default()
    }
}

/// As soon as somebody listens there.
async fn connect(url: &str) -> Result<async_nats::Client> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match async_nats::connect(url).await {
            Ok(client) => return Ok(client),
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
