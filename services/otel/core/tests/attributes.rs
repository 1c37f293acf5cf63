//! Rules on attributes, in a request of each signal that has attributes wherever OTLP has any.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use mainstay_otel_core::Signal;
use mainstay_otel_core::attributes::{Action, Rules};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use sha2::{Digest, Sha256};

fn rules() -> Rules {
    let mut rules = Rules::new("salt");
    rules.add("secret.*", Action::Drop);
    rules.add("user.id", Action::Hash);
    rules.add("card", Action::Redact);
    rules
}

fn any(value: Value) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}

fn text(text: &str) -> Option<AnyValue> {
    any(Value::StringValue(text.to_owned()))
}

fn attribute(key: &str, value: Option<AnyValue>) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value,
        ..KeyValue::default()
    }
}

/// The attributes of a place: as they are sent, or as they are to arrive.
struct Attributes {
    changed: bool,
}

impl Attributes {
    /// Keys that rules name are left alone inside of values.
    fn of(&self, place: &str) -> Vec<KeyValue> {
        let nested = KeyValueList {
            values: vec![attribute("card", text(place))],
        };
        let kept = [
            attribute("place", text(place)),
            attribute("nested", any(Value::KvlistValue(nested))),
            attribute("secret", text("without a dot")),
        ];
        let named = if self.changed {
            let hash: Vec<String> = Sha256::digest(format!("salt{place}"))
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            vec![
                attribute("user.id", text(&hash.concat())),
                attribute("card", text("***")),
            ]
        } else {
            vec![
                attribute("secret.key", text(place)),
                attribute("user.id", text(place)),
                attribute("secret.", any(Value::IntValue(7))),
                attribute("card", any(Value::DoubleValue(4711.0))),
            ]
        };
        named.into_iter().chain(kept).collect()
    }

    fn resource(&self) -> Option<Resource> {
        Some(Resource {
            attributes: self.of("resource"),
            dropped_attributes_count: 1,
            // Keys of attributes, which are no attributes.
            entity_refs: vec![EntityRef {
                id_keys: vec!["card".to_owned()],
                ..EntityRef::default()
            }],
        })
    }

    fn scope(&self) -> Option<InstrumentationScope> {
        Some(InstrumentationScope {
            name: "card".to_owned(),
            attributes: self.of("scope"),
            ..InstrumentationScope::default()
        })
    }

    fn traces(&self) -> ExportTraceServiceRequest {
        let span = |name: &str| Span {
            name: name.to_owned(),
            trace_id: vec![1; 16],
            attributes: self.of(name),
            events: ["first", "second"]
                .map(|event| Event {
                    name: event.to_owned(),
                    time_unix_nano: 5,
                    attributes: self.of(event),
                    ..Event::default()
                })
                .to_vec(),
            links: vec![Link {
                span_id: vec![2; 8],
                attributes: self.of("link"),
                ..Link::default()
            }],
            ..Span::default()
        };
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: self.resource(),
                scope_spans: vec![ScopeSpans {
                    scope: self.scope(),
                    spans: vec![span("one"), span("two")],
                    schema_url: "card".to_owned(),
                }],
                schema_url: "user.id".to_owned(),
            }],
        }
    }

    fn logs(&self) -> ExportLogsServiceRequest {
        // A body is no attribute, whatever its keys are called.
        let body = KeyValueList {
            values: vec![attribute("user.id", text("body"))],
        };
        ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: self.resource(),
                scope_logs: vec![ScopeLogs {
                    scope: self.scope(),
                    log_records: vec![LogRecord {
                        body: any(Value::KvlistValue(body)),
                        attributes: self.of("record"),
                        ..LogRecord::default()
                    }],
                    ..ScopeLogs::default()
                }],
                ..ResourceLogs::default()
            }],
        }
    }

    fn metrics(&self) -> ExportMetricsServiceRequest {
        let exemplars = |of: &str| {
            vec![Exemplar {
                filtered_attributes: self.of(&format!("exemplar of {of}")),
                span_id: vec![3; 8],
                ..Exemplar::default()
            }]
        };
        let number = |of: &str| NumberDataPoint {
            attributes: self.of(of),
            exemplars: exemplars(of),
            ..NumberDataPoint::default()
        };
        let data = [
            Data::Gauge(Gauge {
                data_points: vec![number("gauge"), number("another")],
            }),
            Data::Sum(Sum {
                data_points: vec![number("sum")],
                is_monotonic: true,
                ..Sum::default()
            }),
            Data::Histogram(Histogram {
                data_points: vec![HistogramDataPoint {
                    attributes: self.of("histogram"),
                    exemplars: exemplars("histogram"),
                    bucket_counts: vec![1, 2],
                    ..HistogramDataPoint::default()
                }],
                ..Histogram::default()
            }),
            Data::ExponentialHistogram(ExponentialHistogram {
                data_points: vec![ExponentialHistogramDataPoint {
                    attributes: self.of("exponential"),
                    exemplars: exemplars("exponential"),
                    scale: -3,
                    ..ExponentialHistogramDataPoint::default()
                }],
                ..ExponentialHistogram::default()
            }),
            Data::Summary(Summary {
                data_points: vec![SummaryDataPoint {
                    attributes: self.of("summary"),
                    ..SummaryDataPoint::default()
                }],
            }),
        ];
        let metrics = data.map(|data| Metric {
            name: "card".to_owned(),
            metadata: self.of("metadata"),
            data: Some(data),
            ..Metric::default()
        });
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: self.resource(),
                scope_metrics: vec![ScopeMetrics {
                    scope: self.scope(),
                    metrics: metrics.to_vec(),
                    ..ScopeMetrics::default()
                }],
                ..ResourceMetrics::default()
            }],
        }
    }
}

const SENT: Attributes = Attributes { changed: false };
const ARRIVES: Attributes = Attributes { changed: true };

fn applied<M: Message + Default>(signal: Signal, sent: &M) -> M {
    let bytes = rules().apply(signal.request(), &sent.encode_to_vec()).unwrap();
    M::decode(&*bytes).unwrap()
}

#[test]
fn resources_scopes_spans_events_and_links_are_as_the_rules_want_them() {
    assert_eq!(applied(Signal::Traces, &SENT.traces()), ARRIVES.traces());
}

#[test]
fn log_records_are_as_the_rules_want_them_and_their_bodies_as_they_were() {
    assert_eq!(applied(Signal::Logs, &SENT.logs()), ARRIVES.logs());
}

#[test]
fn data_points_of_every_type_and_exemplars_are_as_the_rules_want_them() {
    assert_eq!(applied(Signal::Metrics, &SENT.metrics()), ARRIVES.metrics());
}
