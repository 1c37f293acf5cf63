//! A component that processes telemetry, and is told when it does not get through.

use mainstay_collector::{Answer, Collector, Encoding, Signal};
use mainstay_host_test::workload::Workload;
use mainstay_otel_core::wire::put_bytes;

use crate::common::{self, Builder, DEADLINE};
use crate::support::{arrived, receiver, send, to_collector};

/// The sidecar with that component.
fn hooked(collector: &Collector) -> Builder {
    to_collector(common::service("otel-open"), collector.http(), Encoding::Protobuf)
        .environment("OTEL_PROCESSOR_TIMEOUT", "300ms")
        .environment("OTEL_RETRY_MIN", "20ms")
        .environment("OTEL_RETRY_MAX", "50ms")
        .component("test/otel-hooks")
}

/// A request with spans of these names.
fn request(names: &[&str]) -> Vec<u8> {
    let mut scope = Vec::new();
    for name in names {
        let mut span = Vec::new();
        put_bytes(&mut span, 5, name.as_bytes());
        put_bytes(&mut scope, 2, &span);
    }
    let (mut resource, mut request) = (Vec::new(), Vec::new());
    put_bytes(&mut resource, 2, &scope);
    put_bytes(&mut request, 1, &resource);
    request
}

/// The names of all spans that came.
fn names(collector: &Collector) -> Vec<String> {
    let exports = collector.exports();
    let requests = exports.iter().map(|export| export.traces().unwrap());
    let scopes = requests
        .flat_map(|request| request.resource_spans)
        .flat_map(|group| group.scope_spans);
    scopes.flat_map(|scope| scope.spans).map(|span| span.name).collect()
}

async fn hand_over(workload: &Workload, names: &[&str]) {
    let to = receiver(workload, Encoding::Protobuf).await;
    send::accepted(to, Signal::Traces, Encoding::Protobuf, &request(names)).await;
}

async fn printed(workload: &Workload, text: &str) {
    let waited = workload.stdout().unwrap().wait_for(text, DEADLINE).await;
    waited.unwrap_or_else(|error| panic!("{text}: {error}\n{}", workload.stderr().unwrap().text()));
}

/// A figure of the health pages, summed over its series.
async fn figure(workload: &Workload, name: &str) -> u64 {
    let reply = send::page(workload, "/metrics").await;
    let lines = reply.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
    lines
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64)
        .sum()
}

#[tokio::test]
async fn a_component_keeps_replaces_and_drops_requests_and_is_bypassed_when_it_fails_or_hangs() {
    let collector = Collector::start().unwrap();
    let workload = hooked(&collector).start();
    for names in [
        &["keep", "this"][..],
        &["replace", "these", "three"],
        &["drop"],
        &["error"],
        &["hang"],
    ] {
        hand_over(&workload, names).await;
    }
    arrived(&workload, &collector, Signal::Traces, 5).await;
    assert_eq!(names(&collector), ["keep", "this", "replaced", "error", "hang"]);
    assert_eq!(figure(&workload, "otel_accepted_items_total").await, 8);
    assert_eq!(figure(&workload, "otel_left_out_items_total").await, 3);
    assert_eq!(figure(&workload, "otel_processor_bypassed_total").await, 2);
    let log = workload.stderr().unwrap().text();
    assert!(log.contains("the processor is by-passed: asked to fail"), "{log}");
    // A signal that it does not want.
    let to = receiver(&workload, Encoding::Protobuf).await;
    let record = crate::support::fixtures::bytes(Signal::Logs);
    send::accepted(to, Signal::Logs, Encoding::Protobuf, &record).await;
    arrived(&workload, &collector, Signal::Logs, 1).await;
    let printed = workload.stdout().unwrap().text();
    assert_eq!(printed.matches("process Signal::Traces").count(), 5, "{printed}");
    assert_eq!(printed.matches("process").count(), 5, "{printed}");
}

#[tokio::test]
async fn a_component_is_told_of_an_outage_of_what_is_lost_and_of_its_end() {
    let collector = Collector::start().unwrap();
    let workload = hooked(&collector).start();
    collector.answer(|_| Answer::full(None));
    hand_over(&workload, &["one", "two"]).await;
    printed(&workload, "failed Signal::Traces default: ").await;
    collector.answer(|_| Answer::bad("not these"));
    printed(&workload, "dropped 2 Signal::Traces default: ").await;
    collector.answer(|_| Answer::Accept);
    hand_over(&workload, &["three"]).await;
    printed(&workload, "recovered Signal::Traces default after ").await;
    let printed = workload.stdout().unwrap().text();
    let told: Vec<&str> = printed.lines().filter(|line| !line.starts_with("process ")).collect();
    assert_eq!(told.len(), 3, "{printed}");
    assert!(told[1].ends_with("not these"), "{printed}");
    assert_eq!(names(&collector), ["three"]);
}
