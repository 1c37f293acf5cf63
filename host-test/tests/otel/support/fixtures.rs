//! One request of each signal that holds every message and every field of OTLP, with values that break easily: the least
//! and the greatest numbers, times that a float does not hold, empty values, nesting.
//!
//! A test in `otel_fields.rs` looks through OTLP's descriptors whether something is missing here.

use mainstay_collector::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;

/// Nanoseconds that no float holds.
const TIME: u64 = 1_764_064_800_123_456_789;

/// The fixture of a signal as protobuf.
pub fn bytes(signal: Signal) -> Vec<u8> {
    match signal {
        Signal::Traces => traces().encode_to_vec(),
        Signal::Metrics => metrics().encode_to_vec(),
        Signal::Logs => logs().encode_to_vec(),
    }
}

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn text(text: &str) -> AnyValue {
    any(Value::StringValue(text.to_owned()))
}

fn attribute(key: &str, value: AnyValue) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(value),
        ..KeyValue::default()
    }
}

/// Attributes of every type.
fn attributes() -> Vec<KeyValue> {
    let list = |values: Vec<AnyValue>| any(Value::ArrayValue(ArrayValue { values }));
    let map = |values: Vec<KeyValue>| any(Value::KvlistValue(KeyValueList { values }));
    vec![
        attribute("text", text("grün \"quoted\" \\ \u{0} \u{1F600}")),
        attribute("empty text", text("")),
        attribute("true", any(Value::BoolValue(true))),
        attribute("false", any(Value::BoolValue(false))),
        attribute("least", any(Value::IntValue(i64::MIN))),
        attribute("greatest", any(Value::IntValue(i64::MAX))),
        attribute("zero", any(Value::IntValue(0))),
        attribute("float", any(Value::DoubleValue(0.1 + 0.2))),
        attribute("whole float", any(Value::DoubleValue(3.0))),
        attribute("tiny float", any(Value::DoubleValue(f64::from_bits(1)))),
        attribute("infinite", any(Value::DoubleValue(f64::NEG_INFINITY))),
        attribute("no number", any(Value::DoubleValue(f64::NAN))),
        attribute("bytes", any(Value::BytesValue(vec![0, 0xfb, 0xff, 0xfe]))),
        attribute("no bytes", any(Value::BytesValue(Vec::new()))),
        attribute("nothing", AnyValue { value: None }),
        // Names of fields that JSON writes in a way of its own elsewhere.
        attribute("traceId", text("not an id")),
        attribute(
            "",
            list(vec![
                text("a"),
                any(Value::IntValue(1)),
                list(Vec::new()),
                AnyValue { value: None },
            ]),
        ),
        attribute(
            "map",
            map(vec![
                attribute("spanId", text("abcd")),
                attribute("inner", map(vec![attribute("deep", any(Value::BoolValue(true)))])),
            ]),
        ),
    ]
}

fn resource(name: &str) -> Resource {
    let mut all = vec![attribute("service.name", text(name))];
    all.extend(attributes());
    Resource {
        attributes: all,
        dropped_attributes_count: u32::MAX,
        entity_refs: vec![EntityRef {
            schema_url: "https://example.com/entities".to_owned(),
            r#type: "service".to_owned(),
            id_keys: vec!["service.name".to_owned(), "text".to_owned()],
            description_keys: vec!["float".to_owned()],
        }],
    }
}

fn scope(name: &str) -> InstrumentationScope {
    InstrumentationScope {
        name: name.to_owned(),
        version: "1.2.3-rc.4+5".to_owned(),
        attributes: attributes(),
        dropped_attributes_count: 7,
    }
}

fn schema(of: &str) -> String {
    format!("https://example.com/schemas/{of}")
}

fn trace_id(number: u8) -> Vec<u8> {
    (0..16).map(|place| number.wrapping_add(place * 17)).collect()
}

fn span_id(number: u8) -> Vec<u8> {
    (0..8).map(|place| number.wrapping_add(place * 31)).collect()
}

/// Spans of every kind and status, one with all there is and one with as little as can be.
pub fn traces() -> ExportTraceServiceRequest {
    let full = Span {
        trace_id: trace_id(0xab),
        span_id: span_id(0xcd),
        trace_state: "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE".to_owned(),
        parent_span_id: span_id(0xef),
        flags: 0x301,
        name: "GET /orders".to_owned(),
        kind: 2,
        start_time_unix_nano: TIME,
        end_time_unix_nano: u64::MAX,
        attributes: attributes(),
        dropped_attributes_count: 1,
        events: vec![
            Event {
                time_unix_nano: TIME + 1,
                name: "exception".to_owned(),
                attributes: attributes(),
                dropped_attributes_count: 2,
            },
            Event::default(),
        ],
        dropped_events_count: 3,
        links: vec![
            Link {
                trace_id: trace_id(1),
                span_id: span_id(2),
                trace_state: "a=b".to_owned(),
                attributes: attributes(),
                dropped_attributes_count: 4,
                flags: 0x100,
            },
            Link::default(),
        ],
        dropped_links_count: 5,
        status: Some(Status {
            message: "no such order".to_owned(),
            code: 2,
        }),
    };
    let of_kind = |kind: i32| Span {
        trace_id: trace_id(3),
        span_id: span_id(4),
        name: format!("kind {kind}"),
        kind,
        status: Some(Status {
            message: String::new(),
            code: kind % 3,
        }),
        ..Span::default()
    };
    let least = Span {
        trace_id: trace_id(5),
        span_id: span_id(6),
        ..Span::default()
    };
    let scope_spans = |name: &str, spans| ScopeSpans {
        scope: Some(scope(name)),
        spans,
        schema_url: schema(name),
    };
    ExportTraceServiceRequest {
        resource_spans: vec![
            ResourceSpans {
                resource: Some(resource("shop")),
                scope_spans: vec![
                    scope_spans("http", vec![full]),
                    scope_spans("sql", (0..=5).map(of_kind).collect()),
                ],
                schema_url: schema("shop"),
            },
            ResourceSpans {
                scope_spans: vec![ScopeSpans {
                    spans: vec![least],
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            },
        ],
    }
}

fn exemplars() -> Vec<Exemplar> {
    [exemplar::Value::AsDouble(1e-300), exemplar::Value::AsInt(i64::MIN)]
        .map(|value| Exemplar {
            filtered_attributes: attributes(),
            time_unix_nano: TIME + 2,
            span_id: span_id(7),
            trace_id: trace_id(8),
            value: Some(value),
        })
        .to_vec()
}

fn number(value: number_data_point::Value) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(),
        start_time_unix_nano: TIME,
        time_unix_nano: TIME + 3,
        exemplars: exemplars(),
        flags: 0,
        value: Some(value),
    }
}

/// Metrics of every type, with both kinds of numbers and every temporality.
pub fn metrics() -> ExportMetricsServiceRequest {
    let double = number(number_data_point::Value::AsDouble(-0.0));
    let integer = number(number_data_point::Value::AsInt(i64::MAX));
    let absent = NumberDataPoint {
        flags: 1,
        ..NumberDataPoint::default()
    };
    let sum = |aggregation_temporality, is_monotonic| {
        Data::Sum(Sum {
            data_points: vec![integer.clone(), double.clone()],
            aggregation_temporality,
            is_monotonic,
        })
    };
    let data = [
        Data::Gauge(Gauge {
            data_points: vec![double.clone(), integer.clone(), absent],
        }),
        sum(1, true),
        sum(2, false),
        Data::Histogram(histogram()),
        Data::ExponentialHistogram(exponential_histogram()),
        Data::Summary(summary()),
    ];
    let metric = |(place, data): (usize, Data)| Metric {
        name: format!("metric.{place}"),
        description: "What it measures.".to_owned(),
        unit: "By/s".to_owned(),
        metadata: attributes(),
        data: Some(data),
    };
    let mut all: Vec<Metric> = data.into_iter().enumerate().map(metric).collect();
    all.push(Metric::default());
    ExportMetricsServiceRequest {
        resource_metrics: vec![
            ResourceMetrics {
                resource: Some(resource("shop")),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(scope("http")),
                    metrics: all,
                    schema_url: schema("http"),
                }],
                schema_url: schema("shop"),
            },
            ResourceMetrics {
                scope_metrics: vec![ScopeMetrics {
                    metrics: vec![Metric {
                        name: "least".to_owned(),
                        data: Some(Data::Gauge(Gauge {
                            data_points: vec![NumberDataPoint::default()],
                        })),
                        ..Metric::default()
                    }],
                    ..ScopeMetrics::default()
                }],
                ..ResourceMetrics::default()
            },
        ],
    }
}

fn histogram() -> Histogram {
    let full = HistogramDataPoint {
        attributes: attributes(),
        start_time_unix_nano: TIME,
        time_unix_nano: TIME + 4,
        count: u64::MAX,
        sum: Some(-1.5),
        bucket_counts: vec![0, u64::MAX, 1 << 53, 3],
        explicit_bounds: vec![f64::MIN, -0.0, f64::MAX],
        exemplars: exemplars(),
        flags: 1,
        min: Some(f64::MIN_POSITIVE),
        max: Some(f64::INFINITY),
    };
    // Absent is not zero.
    let zeros = HistogramDataPoint {
        sum: Some(0.0),
        min: Some(0.0),
        max: Some(0.0),
        ..HistogramDataPoint::default()
    };
    Histogram {
        data_points: vec![full, zeros, HistogramDataPoint::default()],
        aggregation_temporality: 1,
    }
}

fn exponential_histogram() -> ExponentialHistogram {
    let full = ExponentialHistogramDataPoint {
        attributes: attributes(),
        start_time_unix_nano: TIME,
        time_unix_nano: TIME + 5,
        count: 1 << 60,
        sum: Some(12.25),
        scale: -10,
        zero_count: 9,
        positive: Some(Buckets {
            offset: i32::MIN,
            bucket_counts: vec![1, 0, u64::MAX],
        }),
        negative: Some(Buckets {
            offset: i32::MAX,
            bucket_counts: vec![5],
        }),
        flags: 1,
        exemplars: exemplars(),
        min: Some(-2.0),
        max: Some(2.0),
        zero_threshold: 1e-9,
    };
    let empty = ExponentialHistogramDataPoint {
        scale: 20,
        positive: Some(Buckets::default()),
        ..ExponentialHistogramDataPoint::default()
    };
    ExponentialHistogram {
        data_points: vec![full, empty],
        aggregation_temporality: 2,
    }
}

fn summary() -> Summary {
    let full = SummaryDataPoint {
        attributes: attributes(),
        start_time_unix_nano: TIME,
        time_unix_nano: TIME + 6,
        count: 100,
        sum: 33.5,
        quantile_values: vec![
            ValueAtQuantile {
                quantile: 0.0,
                value: -1.0,
            },
            ValueAtQuantile {
                quantile: 1.0,
                value: f64::NAN,
            },
        ],
        flags: 1,
    };
    Summary {
        data_points: vec![full, SummaryDataPoint::default()],
    }
}

/// Records of every severity, with bodies of every type.
pub fn logs() -> ExportLogsServiceRequest {
    let full = LogRecord {
        time_unix_nano: TIME,
        observed_time_unix_nano: TIME + 7,
        severity_number: 17,
        severity_text: "ERROR".to_owned(),
        body: Some(any(Value::KvlistValue(KeyValueList { values: attributes() }))),
        attributes: attributes(),
        dropped_attributes_count: 6,
        flags: 1,
        trace_id: trace_id(9),
        span_id: span_id(10),
        event_name: "order.refused".to_owned(),
    };
    let of_severity = |severity: i32| LogRecord {
        severity_number: severity,
        body: Some(text(&format!("severity {severity}"))),
        ..LogRecord::default()
    };
    let with_body = |attribute: KeyValue| LogRecord {
        body: attribute.value,
        ..LogRecord::default()
    };
    let scope_logs = |name: &str, log_records| ScopeLogs {
        scope: Some(scope(name)),
        log_records,
        schema_url: schema(name),
    };
    ExportLogsServiceRequest {
        resource_logs: vec![
            ResourceLogs {
                resource: Some(resource("shop")),
                scope_logs: vec![
                    scope_logs("http", vec![full, LogRecord::default()]),
                    scope_logs("severities", (0..=24).map(of_severity).collect()),
                    scope_logs("bodies", attributes().into_iter().map(with_body).collect()),
                ],
                schema_url: schema("shop"),
            },
            ResourceLogs::default(),
        ],
    }
}
