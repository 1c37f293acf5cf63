//! The OpenTelemetry sidecar in a workload, a collector behind it, and senders before it.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

pub mod difference;
pub mod emitted;
pub mod fixtures;
pub mod script;
pub mod send;

use std::net::SocketAddr;
use std::time::Instant;

use mainstay_collector::{Collector, Encoding, Signal};
use mainstay_host_test::workload::Workload;
use prost_reflect::DynamicMessage;

use crate::common::{self, Builder, DEADLINE};

/// The ways in, and the ways out.
pub const ENCODINGS: [Encoding; 3] = [Encoding::Protobuf, Encoding::Json, Encoding::Grpc];

/// The sidecar, which hands everything on to this collector in this encoding, as soon as it has it.
pub fn sidecar(collector: &Collector, encoding: Encoding) -> Builder {
    let address = match encoding {
        Encoding::Grpc => collector.grpc(),
        Encoding::Protobuf | Encoding::Json => collector.http(),
    };
    sidecar_to(address, encoding)
}

/// The sidecar, which hands everything on to whoever listens there.
pub fn sidecar_to(address: SocketAddr, encoding: Encoding) -> Builder {
    to_collector(common::service("otel"), address, encoding)
}

/// A service with the sidecar in it, which hands everything on to whoever listens there.
pub fn to_collector(service: Builder, address: SocketAddr, encoding: Encoding) -> Builder {
    let protocol = match encoding {
        Encoding::Protobuf => "http/protobuf",
        Encoding::Json => "http/json",
        Encoding::Grpc => "grpc",
    };
    service
        .environment(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            &format!("http://host.wasmcloud.internal:{}", address.port()),
        )
        .environment("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        .environment("OTEL_BATCH_DELAY", "0s")
        .environment("MAINSTAY_LOG", "debug")
        .with_service(|service| {
            service.resources.allowed_host_loopback_ports.push(address.port());
            service.resources.allowed_hosts.push("*".parse().unwrap());
            service.resources.allowed_ip_name_lookups.push("*".parse().unwrap());
        })
}

/// Where the sidecar of a workload takes telemetry in this encoding, as soon as it does.
pub async fn receiver(workload: &Workload, encoding: Encoding) -> SocketAddr {
    let port = match encoding {
        Encoding::Grpc => 4317,
        Encoding::Protobuf | Encoding::Json => 4318,
    };
    drop(common::connect(workload, port).await);
    (workload.loopback(), port).into()
}

/// All that came of a signal, as soon as it is so many spans, points or records.
pub async fn arrived(workload: &Workload, collector: &Collector, signal: Signal, items: usize) -> DynamicMessage {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let before = collector.exports().len();
        let merged = collector.merged(signal).unwrap();
        if self::items(signal, &merged) >= items {
            return merged;
        }
        let log = || workload.stderr().unwrap().text();
        assert!(Instant::now() < deadline, "not {items} {signal}: {merged}\n{}", log());
        // Wakes when something arrives.
        let _ = collector.wait_for(DEADLINE, |exports| exports.len() > before).await;
    }
}

/// How many spans, metrics or records a request has.
pub fn items(signal: Signal, message: &DynamicMessage) -> usize {
    let [of_resource, of_scope, item] = match signal {
        Signal::Traces => ["resource_spans", "scope_spans", "spans"],
        Signal::Metrics => ["resource_metrics", "scope_metrics", "metrics"],
        Signal::Logs => ["resource_logs", "scope_logs", "log_records"],
    };
    let of_resource = below(std::slice::from_ref(message), of_resource);
    let of_scope = below(&of_resource, of_scope);
    below(&of_scope, item).len()
}

/// The messages in a list that each of these has.
fn below(messages: &[DynamicMessage], field: &str) -> Vec<DynamicMessage> {
    let lists = messages.iter().filter_map(|message| message.get_field_by_name(field));
    let lists: Vec<_> = lists.map(|list| list.into_owned()).collect();
    let messages = lists.iter().filter_map(|list| list.as_list()).flatten();
    messages.filter_map(|value| value.as_message().cloned()).collect()
}
