//! The walk: it takes what another decoder takes, counts what is in it, merges and splits without losing a byte.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod generate;

use generate::Generator;
use mainstay_otel_core::Signal;
use mainstay_otel_core::wire::{Limits, check, put_bytes, split};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;

fn traces(bytes: &[u8]) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest::decode(bytes).unwrap()
}

fn metrics(bytes: &[u8]) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest::decode(bytes).unwrap()
}

fn logs(bytes: &[u8]) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest::decode(bytes).unwrap()
}

/// Every item with all that surrounds it, as text, in order.
fn items(signal: Signal, bytes: &[u8]) -> Vec<String> {
    let mut items = Vec::new();
    match signal {
        Signal::Traces => {
            for group in traces(bytes).resource_spans {
                for scope in group.scope_spans {
                    let around = format!(
                        "{:?} {} {:?} {}",
                        group.resource, group.schema_url, scope.scope, scope.schema_url
                    );
                    items.extend(scope.spans.iter().map(|span| format!("{around} {span:?}")));
                }
            }
        }
        Signal::Logs => {
            for group in logs(bytes).resource_logs {
                for scope in group.scope_logs {
                    let around = format!(
                        "{:?} {} {:?} {}",
                        group.resource, group.schema_url, scope.scope, scope.schema_url
                    );
                    items.extend(scope.log_records.iter().map(|record| format!("{around} {record:?}")));
                }
            }
        }
        Signal::Metrics => {
            for group in metrics(bytes).resource_metrics {
                for scope in group.scope_metrics {
                    let around = format!(
                        "{:?} {} {:?} {}",
                        group.resource, group.schema_url, scope.scope, scope.schema_url
                    );
                    for metric in scope.metrics {
                        let around = format!(
                            "{around} {} {} {} {:?}",
                            metric.name, metric.description, metric.unit, metric.metadata
                        );
                        let mut add = |kind: String, points: Vec<String>| {
                            items.extend(points.into_iter().map(|point| format!("{around} {kind} {point}")));
                        };
                        fn all<T: std::fmt::Debug>(points: &[T]) -> Vec<String> {
                            points.iter().map(|point| format!("{point:?}")).collect()
                        }
                        match metric.data.unwrap() {
                            Data::Gauge(data) => add("gauge".to_owned(), all(&data.data_points)),
                            Data::Sum(data) => {
                                add(
                                    format!("sum {} {}", data.aggregation_temporality, data.is_monotonic),
                                    all(&data.data_points),
                                );
                            }
                            Data::Histogram(data) => add(
                                format!("histogram {}", data.aggregation_temporality),
                                all(&data.data_points),
                            ),
                            Data::ExponentialHistogram(data) => {
                                add(
                                    format!("exponential {}", data.aggregation_temporality),
                                    all(&data.data_points),
                                );
                            }
                            Data::Summary(data) => add("summary".to_owned(), all(&data.data_points)),
                        }
                    }
                }
            }
        }
    }
    items
}

fn prost_takes(signal: Signal, bytes: &[u8]) -> bool {
    match signal {
        Signal::Traces => ExportTraceServiceRequest::decode(bytes).is_ok(),
        Signal::Metrics => ExportMetricsServiceRequest::decode(bytes).is_ok(),
        Signal::Logs => ExportLogsServiceRequest::decode(bytes).is_ok(),
    }
}

#[test]
fn items_are_counted_as_another_decoder_counts_them() {
    for seed in 0..200 {
        for signal in Signal::ALL {
            let bytes = Generator::new(seed).message(signal.request());
            assert_eq!(
                check(signal.request(), &bytes).unwrap(),
                items(signal, &bytes).len(),
                "{signal} {seed}"
            );
        }
    }
}

#[test]
fn what_another_decoder_refuses_is_refused_whatever_byte_was_changed() {
    let mut refused = 0;
    for seed in 0..300_u64 {
        for signal in Signal::ALL {
            let mut generator = Generator::new(seed);
            generator.width = 1;
            let mut bytes = generator.message(signal.request());
            if bytes.is_empty() {
                continue;
            }
            for change in 0..40 {
                let at = (seed as usize * 7919 + change * 104_729) % bytes.len();
                let before = bytes[at];
                bytes[at] ^= 1 << (change % 8);
                let (ours, theirs) = (check(signal.request(), &bytes).is_ok(), prost_takes(signal, &bytes));
                assert_eq!(
                    ours,
                    theirs,
                    "{signal} {seed} {at} {change}: {:?}",
                    check(signal.request(), &bytes)
                );
                refused += usize::from(!ours);
                bytes[at] = before;
            }
        }
    }
    assert!(refused > 10_000, "{refused}");
}

#[test]
fn requests_merge_by_standing_one_after_the_other() {
    for signal in Signal::ALL {
        let bodies: Vec<Vec<u8>> = (0..5)
            .map(|seed| Generator::new(seed).message(signal.request()))
            .collect();
        let merged = bodies.concat();
        let expected: Vec<String> = bodies.iter().flat_map(|body| items(signal, body)).collect();
        assert_eq!(items(signal, &merged), expected);
        assert_eq!(check(signal.request(), &merged).unwrap(), expected.len());
    }
}

#[test]
fn a_request_that_is_split_keeps_every_item_with_all_around_it_in_order() {
    for seed in 0..100 {
        for signal in Signal::ALL {
            let mut generator = Generator::new(seed);
            generator.width = 5;
            let mut bytes = generator.message(signal.request());
            put_bytes(&mut bytes, 900, b"unknown");
            let whole = items(signal, &bytes);
            for limits in [
                Limits {
                    items: 1,
                    bytes: usize::MAX,
                },
                Limits {
                    items: 3,
                    bytes: usize::MAX,
                },
                Limits {
                    items: usize::MAX,
                    bytes: 3000,
                },
                Limits {
                    items: usize::MAX,
                    bytes: 1,
                },
                Limits {
                    items: usize::MAX,
                    bytes: usize::MAX,
                },
            ] {
                let parts = split(signal.request(), &bytes, limits).unwrap();
                let found: Vec<String> = parts.iter().flat_map(|part| items(signal, &part.bytes)).collect();
                assert_eq!(found, whole, "{signal} {seed} {limits:?}");
                for part in &parts {
                    assert_eq!(check(signal.request(), &part.bytes).unwrap(), part.items);
                    assert!(part.items <= limits.items);
                    assert!(
                        part.bytes.len() <= limits.bytes || part.items <= 1,
                        "{signal} {seed} {limits:?} {}",
                        part.bytes.len()
                    );
                }
            }
        }
    }
}

#[test]
fn parts_are_no_smaller_than_they_have_to_be() {
    let mut generator = Generator::new(1);
    (generator.width, generator.density) = (20, 1.0);
    let bytes = generator.message(Signal::Logs.request());
    let whole = check(Signal::Logs.request(), &bytes).unwrap();
    let parts = split(
        Signal::Logs.request(),
        &bytes,
        Limits {
            items: 50,
            bytes: usize::MAX,
        },
    )
    .unwrap();
    // Scopes are kept together, so a part may end early, but two that follow one another do not fit into one.
    assert!(
        parts
            .windows(2)
            .all(|pair| pair[0].items + pair[1].items > 50 || pair[0].items == 50),
        "{whole}"
    );
}

#[test]
fn malformed_requests_are_refused_with_the_message_and_the_fault() {
    // A request with one span of these bytes.
    let span = |bytes: &[u8]| {
        let mut out = bytes.to_vec();
        for _ in 0..3 {
            let mut outer = Vec::new();
            // Spans and scope spans are field 2, resource spans field 1.
            put_bytes(&mut outer, 2, &out);
            out = outer;
        }
        out[0] = 0x0A;
        out
    };
    let nested = {
        let mut value = Vec::new();
        for _ in 0..120 {
            let (mut array, mut outer) = (Vec::new(), Vec::new());
            put_bytes(&mut array, 1, &value);
            put_bytes(&mut outer, 5, &array);
            value = outer;
        }
        let mut attribute = Vec::new();
        put_bytes(&mut attribute, 2, &value);
        let mut out = Vec::new();
        put_bytes(&mut out, 9, &attribute);
        out
    };
    let cases: &[(Vec<u8>, &str)] = &[
        (
            vec![0x0A],
            "malformed ExportTraceServiceRequest: it ends in the middle of a field",
        ),
        (
            vec![0x0A, 0x05],
            "malformed ExportTraceServiceRequest: it ends in the middle of a field",
        ),
        (
            vec![0x0A, 0xFF],
            "malformed ExportTraceServiceRequest: it ends in the middle of a field",
        ),
        (
            vec![0x00, 0x00],
            "malformed ExportTraceServiceRequest: a field number that is not in 1-536870911",
        ),
        (
            vec![0x80; 11],
            "malformed ExportTraceServiceRequest: a varint of more than ten bytes",
        ),
        (
            vec![0x0E],
            "malformed ExportTraceServiceRequest: wire type 6, which does not exist",
        ),
        (
            vec![0x0F],
            "malformed ExportTraceServiceRequest: wire type 7, which does not exist",
        ),
        (
            vec![0x0C],
            "malformed ExportTraceServiceRequest: a group that is not closed, or closed and not opened",
        ),
        (
            vec![0x7B],
            "malformed ExportTraceServiceRequest: it ends in the middle of a field",
        ),
        (
            vec![0x7B, 0x84, 0x01],
            "malformed ExportTraceServiceRequest: a group that is not closed, or closed and not opened",
        ),
        (
            vec![0x08, 0x01],
            "malformed ExportTraceServiceRequest: field resourceSpans has another wire type than its own",
        ),
        (
            b"not protobuf".to_vec(),
            "malformed ExportTraceServiceRequest: wire type 6, which does not exist",
        ),
        (
            span(&[0x08, 0x01]),
            "malformed Span: field traceId has another wire type than its own",
        ),
        (
            span(&[0x2A, 0x02, 0xC3, 0x28]),
            "malformed Span: field name is not UTF-8",
        ),
        (
            span(&[0x38, 0x01]),
            "malformed Span: field startTimeUnixNano has another wire type than its own",
        ),
        (span(&[0x39, 0x01]), "malformed Span: it ends in the middle of a field"),
        (
            span(&[0x85, 0x01, 0x01]),
            "malformed Span: it ends in the middle of a field",
        ),
        (
            span(&[0x4A, 0x01, 0x0A]),
            "malformed KeyValue: it ends in the middle of a field",
        ),
        (
            span(&nested),
            "malformed AnyValue: values are nested more than 100 deep",
        ),
    ];
    for (bytes, expected) in cases {
        let error = check(Signal::Traces.request(), bytes).unwrap_err().to_string();
        assert_eq!(&error, expected, "{bytes:02x?}");
        assert!(!prost_takes(Signal::Traces, bytes), "{bytes:02x?}");
    }
}

#[test]
fn unknown_fields_and_groups_are_well_formed_or_refused() {
    let mut bytes = Generator::new(3).message(Signal::Traces.request());
    let count = check(Signal::Traces.request(), &bytes).unwrap();
    bytes.extend_from_slice(&[0x7B, 0x08, 0x01, 0x7C]);
    assert_eq!(check(Signal::Traces.request(), &bytes), Ok(count));
    bytes.extend_from_slice(&[0x7B, 0x08, 0x7C]);
    assert!(check(Signal::Traces.request(), &bytes).is_err());
}
