//! Every field of OTLP arrives as it was sent: over each way in and each way out, and through another collector.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use mainstay_collector::{Collector, Encoding, Signal};
use mainstay_peers::Rotel;
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, ReflectMessage as _, Value};

use crate::support::difference::{assert_same, differences};
use crate::support::send::{accepted, message, send};
use crate::support::{ENCODINGS, arrived, fixtures, items, receiver, sidecar, sidecar_to};

/// Fields of the profiles signal, which shares its messages; in the three others they must not be set.
const OF_PROFILES: [&str; 2] = ["string_value_strindex", "key_strindex"];

/// Every field that is set somewhere in a message, and every message that it could hold.
fn look_through(message: &DynamicMessage, set: &mut BTreeSet<String>) {
    for (field, value) in message.fields() {
        set.insert(field.full_name().to_owned());
        let values = match value {
            Value::List(values) => values.clone(),
            value => vec![value.clone()],
        };
        for value in values.iter().filter_map(Value::as_message) {
            look_through(value, set);
        }
    }
}

fn all_fields(descriptor: &MessageDescriptor, known: &mut BTreeSet<String>) {
    for field in descriptor.fields() {
        let is_new = !OF_PROFILES.contains(&field.name()) && known.insert(field.full_name().to_owned());
        if let (true, Kind::Message(below)) = (is_new, field.kind()) {
            all_fields(&below, known);
        }
    }
}

#[test]
fn the_fixtures_hold_every_field_there_is() {
    for signal in Signal::ALL {
        let fixture = message(signal, &fixtures::bytes(signal));
        let (mut set, mut known) = (BTreeSet::new(), BTreeSet::new());
        look_through(&fixture, &mut set);
        all_fields(&fixture.descriptor(), &mut known);
        let missing: Vec<&String> = known.difference(&set).collect();
        assert!(missing.is_empty(), "{signal}: {missing:#?}");
    }
}

#[test]
fn a_field_that_differs_is_found_and_named() {
    let sent = fixtures::traces();
    let mut other = sent.clone();
    let span = &mut other.resource_spans[0].scope_spans[1].spans[2];
    span.flags = 1;
    span.name.clear();
    other.resource_spans[0].resource.as_mut().unwrap().attributes.pop();
    let of = |request: &_| message(Signal::Traces, &prost::Message::encode_to_vec(request));
    let found = differences(&of(&sent), &of(&other));
    let expected = [
        "resource_spans[0].resource.attributes: 19 were sent, 18 arrived",
        "resource_spans[0].scope_spans[1].spans[2].name: sent \"kind 2\", did not arrive",
        "resource_spans[0].scope_spans[1].spans[2].flags: not sent, arrived 1",
    ];
    assert_eq!(found, expected);
    assert!(differences(&of(&sent), &of(&sent)).is_empty());
}

/// Sends every fixture in every encoding; each must arrive in this one.
async fn arrives_in(out: Encoding) {
    let collector = Collector::start().unwrap();
    let workload = sidecar(&collector, out).start();
    for encoding in ENCODINGS {
        let to = receiver(&workload, encoding).await;
        for signal in Signal::ALL {
            let bytes = fixtures::bytes(signal);
            let sent = message(signal, &bytes);
            accepted(to, signal, encoding, &bytes).await;
            let merged = arrived(&workload, &collector, signal, items(signal, &sent)).await;
            assert_same(&format!("{signal} from {encoding:?} to {out:?}"), &sent, &merged);
            let exports = collector.take();
            assert!(exports.iter().all(|export| export.encoding == out), "{exports:?}");
        }
    }
}

#[tokio::test]
async fn every_field_arrives_by_http_and_protobuf() {
    arrives_in(Encoding::Protobuf).await;
}

#[tokio::test]
async fn every_field_arrives_by_http_and_json() {
    arrives_in(Encoding::Json).await;
}

#[tokio::test]
async fn every_field_arrives_by_grpc() {
    arrives_in(Encoding::Grpc).await;
}

#[tokio::test]
async fn a_compressed_request_arrives_like_any_other() {
    let collector = Collector::start().unwrap();
    let workload = sidecar(&collector, Encoding::Grpc)
        .environment("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        .start();
    for encoding in ENCODINGS {
        let to = receiver(&workload, encoding).await;
        let bytes = fixtures::bytes(Signal::Metrics);
        let sent = message(Signal::Metrics, &bytes);
        let reply = send(to, Signal::Metrics, encoding, &bytes, true).await;
        assert_eq!(reply.status, 200, "{encoding:?}: {reply:?}");
        let merged = arrived(&workload, &collector, Signal::Metrics, items(Signal::Metrics, &sent)).await;
        assert_same(&format!("compressed metrics from {encoding:?}"), &sent, &merged);
        let exports = collector.take();
        assert!(
            exports
                .iter()
                .all(|export| export.header("grpc-encoding") == Some("gzip")),
            "{exports:?}"
        );
    }
}

#[tokio::test]
async fn fields_of_a_newer_otlp_pass() {
    // Field 1000 of the resource spans, a number; field 1001 of the request, text.
    let mut resource_spans = prost::Message::encode_to_vec(&fixtures::traces().resource_spans[0]);
    resource_spans.extend([0xc0, 0x3e, 7]);
    let mut bytes = vec![0x0a];
    prost::encode_length_delimiter(resource_spans.len(), &mut bytes).unwrap();
    bytes.extend(resource_spans);
    bytes.extend([0xca, 0x3e, 3, b'n', b'e', b'w']);
    let sent = message(Signal::Traces, &bytes);
    assert_eq!(sent.unknown_fields().count(), 1);
    for out in [Encoding::Protobuf, Encoding::Grpc] {
        let collector = Collector::start().unwrap();
        let workload = sidecar(&collector, out).start();
        for encoding in [Encoding::Protobuf, Encoding::Grpc] {
            let to = receiver(&workload, encoding).await;
            accepted(to, Signal::Traces, encoding, &bytes).await;
            let merged = arrived(&workload, &collector, Signal::Traces, items(Signal::Traces, &sent)).await;
            assert_same(&format!("a newer OTLP from {encoding:?} to {out:?}"), &sent, &merged);
            collector.take();
        }
    }
}

/// What Rotel hands on of what the sidecar hands to it is what Rotel hands on of the request itself.
async fn through_rotel(rotel: &Rotel, collector: &Collector, address: SocketAddr, out: Encoding) {
    let workload = sidecar_to(address, out).start();
    let to = receiver(&workload, Encoding::Protobuf).await;
    for signal in Signal::ALL {
        let bytes = fixtures::bytes(signal);
        let sent = message(signal, &bytes);
        accepted(rotel.http(), signal, Encoding::Protobuf, &bytes).await;
        let direct = arrived(&workload, collector, signal, items(signal, &sent)).await;
        collector.take();
        accepted(to, signal, Encoding::Protobuf, &bytes).await;
        let through = arrived(&workload, collector, signal, items(signal, &sent)).await;
        collector.take();
        assert_same(&format!("{signal} through Rotel by {out:?}"), &direct, &through);
    }
}

#[tokio::test]
async fn every_field_that_rotel_takes_from_others_it_takes_from_the_sidecar() {
    let collector = Collector::start().unwrap();
    for rotel in [
        Rotel::forwarding_by_http(collector.http()),
        Rotel::forwarding_by_grpc(collector.grpc()),
    ] {
        let rotel = rotel.unwrap();
        through_rotel(&rotel, &collector, rotel.http(), Encoding::Protobuf).await;
        through_rotel(&rotel, &collector, rotel.grpc(), Encoding::Grpc).await;
    }
}
