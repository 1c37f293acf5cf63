//! The service from its intake to a collector, in virtual time: connections are pipes in memory, and behind each is a real
//! HTTP server that answers as the test wants it.
//!
//! - `collector`: that server
//! - `faults`: a collector that is down, slow, garbled, cut off or full
//! - `answers`: what each answer of a collector leads to
//! - `paths`: encodings, compressions, several destinations
//! - `volume`: queues on a volume
//! - `callbacks`: the processor and the events
//! - `changes`: attributes and sampling
//! - `receivers`, `malformed`: the receivers, on real sockets and in real time

mod answers;
mod callbacks;
mod changes;
mod collector;
mod faults;
mod malformed;
mod paths;
mod receivers;
mod volume;

use std::rc::Rc;

use bytes::Bytes;
use mainstay_otel_core::response::PartialSuccess;
use mainstay_otel_core::status::Status;
use mainstay_otel_core::wire::{put_bytes, put_fixed64};
use mainstay_otel_core::{Signal, wire};
use mainstay_runtime::Context;
use tokio::time::{Duration, Instant};

use crate::component::{Component, Nobody};
use crate::config::Configuration;
use crate::export::connect::Connect;
use crate::intake::{Encoding, Intake};
use crate::report::Report;
use crate::service;
use collector::Collector;

const SECOND: Duration = Duration::from_secs(1);

/// A service without receivers.
struct Sidecar<C = Nobody> {
    context: Context,
    intake: Rc<Intake<C>>,
}

/// Runs a test on a thread of its own tasks.
async fn locally<T>(test: impl Future<Output = T>) -> T {
    tokio::task::LocalSet::new().run_until(test).await
}

impl Sidecar {
    /// One that sends to this collector.
    async fn start(collector: &Collector, settings: &[(&str, &str)]) -> Self {
        Self::with(Nobody, collector.connect(), settings).await
    }
}

impl<C: Component> Sidecar<C> {
    async fn with(component: C, connect: Connect, settings: &[(&str, &str)]) -> Self {
        let defaults = [
            ("OTEL_RECEIVE_HTTP", "off"),
            ("OTEL_RECEIVE_GRPC", "off"),
            ("OTEL_HEALTH", "off"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example:4318"),
        ];
        let configuration = Configuration::read_from(defaults.into_iter().chain(settings.iter().copied())).unwrap();
        let context = Context::new("otel");
        let report = Report::new(&context);
        let intake = service::assemble(configuration, component, connect, &report)
            .await
            .unwrap();
        Self {
            context,
            intake: Rc::new(intake),
        }
    }

    async fn take(&self, signal: Signal, body: Vec<u8>) -> Result<Option<PartialSuccess>, Status> {
        self.intake.take(signal, Encoding::Protobuf, Bytes::from(body)).await
    }

    /// The sum of a metric over the series that have all of these in their labels.
    fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        let text = self.context.metrics.render();
        let lines = text.lines().filter(|line| {
            line.split(['{', ' ']).next() == Some(name) && labels.iter().all(|label| line.contains(label))
        });
        lines
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64)
            .sum()
    }

    fn sent(&self) -> u64 {
        self.metric("otel_sent_items_total", &[])
    }

    fn dropped(&self, reason: &str) -> u64 {
        self.metric("otel_dropped_items_total", &[&format!("reason=\"{reason}\"")])
    }

    fn left_out(&self, reason: &str) -> u64 {
        self.metric("otel_left_out_items_total", &[&format!("reason=\"{reason}\"")])
    }

    fn accepted(&self) -> u64 {
        self.metric("otel_accepted_items_total", &[])
    }
}

/// Waits, in virtual time, until a condition holds.
async fn until(mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < 7200 * SECOND, "it never came to that");
        tokio::time::sleep(SECOND / 20).await;
    }
}

/// A request with spans of these names, in one trace each.
fn spans(names: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mut scope = Vec::new();
    for name in names {
        let mut span = Vec::new();
        put_bytes(&mut span, 1, &[[0xFF; 8], name.to_be_bytes()].concat());
        put_bytes(&mut span, 2, &name.to_be_bytes());
        put_bytes(&mut span, 5, name.to_string().as_bytes());
        put_fixed64(&mut span, 7, 1_000);
        put_fixed64(&mut span, 8, 2_000);
        put_bytes(&mut scope, 2, &span);
    }
    let (mut resource, mut request) = (Vec::new(), Vec::new());
    put_bytes(&mut resource, 2, &scope);
    put_bytes(&mut request, 1, &resource);
    request
}

/// The names of the spans of a request, in their order.
fn names(request: &[u8]) -> Vec<u64> {
    let parts = wire::split(
        Signal::Traces.request(),
        request,
        wire::Limits {
            items: 1,
            bytes: usize::MAX,
        },
    )
    .unwrap();
    let inner = |bytes: &[u8], number| -> Vec<u8> {
        let fields = wire::Fields::new(bytes)
            .map(Result::unwrap)
            .filter(|field| field.number == number);
        match fields.last().unwrap().value {
            wire::Value::Bytes(bytes) => bytes.to_vec(),
            other => panic!("{other:?}"),
        }
    };
    let name = |part: &wire::Part| {
        let span = inner(&inner(&inner(&part.bytes, 1), 2), 2);
        String::from_utf8(inner(&span, 5)).unwrap().parse().unwrap()
    };
    parts.iter().map(name).collect()
}
