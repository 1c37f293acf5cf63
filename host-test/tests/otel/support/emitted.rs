//! What `test/otel-emitter` hands over, in OTLP's words.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, exemplar, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

const TIME: u64 = 1_764_064_800_123_456_789;
const DELTA: i32 = 1;
const CUMULATIVE: i32 = 2;

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

fn list(values: Vec<AnyValue>) -> AnyValue {
    any(Value::ArrayValue(ArrayValue { values }))
}

fn map(values: Vec<KeyValue>) -> AnyValue {
    any(Value::KvlistValue(KeyValueList { values }))
}

fn attributes() -> Vec<KeyValue> {
    let one = any(Value::IntValue(1));
    vec![
        attribute("text", text("grün \"quoted\"")),
        attribute("true", any(Value::BoolValue(true))),
        attribute("least", any(Value::IntValue(i64::MIN))),
        attribute("float", any(Value::DoubleValue(0.1 + 0.2))),
        attribute("bytes", any(Value::BytesValue(vec![0, 0xfb, 0xff, 0xfe]))),
        attribute(
            "list",
            list(vec![text("a"), one.clone(), list(Vec::new()), AnyValue { value: None }]),
        ),
        attribute(
            "map",
            map(vec![
                attribute("z", one),
                attribute("a", map(vec![attribute("deep", any(Value::BoolValue(true)))])),
            ]),
        ),
    ]
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "emitter".to_owned(),
        version: "1.2.3".to_owned(),
        attributes: attributes(),
        dropped_attributes_count: 0,
    })
}

fn resource() -> Option<Resource> {
    Some(Resource {
        attributes: attributes(),
        ..Resource::default()
    })
}

fn schema(of: &str) -> String {
    format!("https://example.com/{of}")
}

fn trace_id() -> Vec<u8> {
    (0..16).collect()
}

fn span_id(last: u8) -> Vec<u8> {
    vec![0, 0, 0, 0, 0, 0, 0, last]
}

/// `/spans`. Each span is handed over when it ends.
pub fn spans() -> ExportTraceServiceRequest {
    let least = Span {
        trace_id: trace_id(),
        trace_state: "rojo=00f067,congo=t61".to_owned(),
        flags: 1,
        kind: 1,
        start_time_unix_nano: TIME,
        end_time_unix_nano: TIME + 1,
        status: Some(Status::default()),
        ..Span::default()
    };
    let child = Span {
        span_id: span_id(0xb2),
        parent_span_id: span_id(0xa1),
        // Its parent is known, and not remote.
        flags: 0x101,
        kind: 3,
        name: "ask".to_owned(),
        start_time_unix_nano: TIME + 1,
        end_time_unix_nano: TIME + 2,
        attributes: attributes(),
        dropped_attributes_count: 1,
        events: vec![Event {
            time_unix_nano: TIME + 3,
            name: "asked".to_owned(),
            attributes: attributes(),
            dropped_attributes_count: 0,
        }],
        dropped_events_count: 2,
        links: vec![Link {
            trace_id: trace_id(),
            span_id: span_id(0xc3),
            trace_state: least.trace_state.clone(),
            attributes: attributes(),
            dropped_attributes_count: 0,
            flags: 0x300,
        }],
        dropped_links_count: 3,
        status: Some(Status {
            message: "no answer".to_owned(),
            code: 2,
        }),
        ..least.clone()
    };
    let parent = Span {
        span_id: span_id(0xa1),
        parent_span_id: span_id(0xd4),
        kind: 2,
        name: "serve".to_owned(),
        status: Some(Status {
            message: String::new(),
            code: 1,
        }),
        ..least
    };
    let alone = |span| ResourceSpans {
        resource: Some(Resource::default()),
        scope_spans: vec![ScopeSpans {
            scope: scope(),
            spans: vec![span],
            schema_url: schema("scope"),
        }],
        schema_url: String::new(),
    };
    ExportTraceServiceRequest {
        resource_spans: vec![alone(child), alone(parent)],
    }
}

/// A number as points have it, and as sums have it.
#[derive(Clone, Copy)]
enum Number {
    Float(f64),
    Integer(i64),
}

impl Number {
    fn float(self) -> f64 {
        match self {
            Self::Float(value) => value,
            Self::Integer(value) => value as f64,
        }
    }
}

/// `/metrics`.
pub fn metrics() -> ExportMetricsServiceRequest {
    let float = Number::Float(0.1 + 0.2);
    let signed = Number::Integer(i64::MIN);
    // OTLP's integers do not hold it.
    let unsigned = Number::Float(u64::MAX as f64);
    let small = Number::Integer(7);
    let all = [
        gauge(float),
        gauge(signed),
        gauge(unsigned),
        sum(float, DELTA, true),
        sum(signed, CUMULATIVE, false),
        sum(small, DELTA, true),
        histogram(float, DELTA),
        histogram(signed, CUMULATIVE),
        histogram(small, DELTA),
        exponential(float, DELTA),
        exponential(signed, CUMULATIVE),
        exponential(small, DELTA),
        sum(signed, CUMULATIVE, false),
    ];
    let metric = |(number, data)| Metric {
        name: format!("metric.{number}"),
        description: "What it measures.".to_owned(),
        unit: "By".to_owned(),
        metadata: Vec::new(),
        data: Some(data),
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: resource(),
            scope_metrics: vec![ScopeMetrics {
                scope: scope(),
                metrics: all.into_iter().enumerate().map(metric).collect(),
                schema_url: schema("scope"),
            }],
            schema_url: schema("resource"),
        }],
    }
}

fn exemplars(value: Number) -> Vec<Exemplar> {
    let exemplar = Exemplar {
        filtered_attributes: attributes(),
        time_unix_nano: TIME + 2,
        span_id: span_id(0xa1),
        trace_id: trace_id(),
        value: Some(match value {
            Number::Float(value) => exemplar::Value::AsDouble(value),
            Number::Integer(value) => exemplar::Value::AsInt(value),
        }),
    };
    let outside_of_spans = Exemplar {
        span_id: Vec::new(),
        trace_id: Vec::new(),
        ..exemplar.clone()
    };
    vec![exemplar, outside_of_spans]
}

fn point(value: Number, start: u64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(),
        start_time_unix_nano: start,
        time_unix_nano: TIME + 1,
        exemplars: exemplars(value),
        flags: 0,
        value: Some(match value {
            Number::Float(value) => number_data_point::Value::AsDouble(value),
            Number::Integer(value) => number_data_point::Value::AsInt(value),
        }),
    }
}

fn gauge(value: Number) -> Data {
    Data::Gauge(Gauge {
        data_points: vec![point(value, 0)],
    })
}

fn sum(value: Number, aggregation_temporality: i32, is_monotonic: bool) -> Data {
    Data::Sum(Sum {
        data_points: vec![point(value, TIME)],
        aggregation_temporality,
        is_monotonic,
    })
}

fn histogram(value: Number, aggregation_temporality: i32) -> Data {
    let point = HistogramDataPoint {
        attributes: attributes(),
        start_time_unix_nano: TIME,
        time_unix_nano: TIME + 1,
        count: u64::MAX,
        sum: Some(value.float()),
        bucket_counts: vec![1, 2, 3, u64::MAX],
        explicit_bounds: vec![-1.5, 0.0, 1e300],
        exemplars: exemplars(value),
        flags: 0,
        min: Some(value.float()),
        max: None,
    };
    Data::Histogram(Histogram {
        data_points: vec![point],
        aggregation_temporality,
    })
}

fn exponential(value: Number, aggregation_temporality: i32) -> Data {
    let point = ExponentialHistogramDataPoint {
        attributes: attributes(),
        start_time_unix_nano: TIME,
        time_unix_nano: TIME + 1,
        count: 12,
        sum: Some(value.float()),
        scale: -10,
        zero_count: 3,
        positive: Some(Buckets {
            offset: i32::MIN,
            bucket_counts: vec![4, 0, 5],
        }),
        negative: Some(Buckets {
            offset: 1,
            bucket_counts: Vec::new(),
        }),
        flags: 0,
        exemplars: exemplars(value),
        min: None,
        max: Some(value.float()),
        zero_threshold: 1e-9,
    };
    Data::ExponentialHistogram(ExponentialHistogram {
        data_points: vec![point],
        aggregation_temporality,
    })
}

/// `/logs`; the record that does not say when it was noticed was so at `noticed`.
pub fn logs(noticed: u64) -> ExportLogsServiceRequest {
    let full = LogRecord {
        time_unix_nano: TIME + 1,
        observed_time_unix_nano: TIME + 2,
        severity_number: 17,
        severity_text: "ERROR".to_owned(),
        body: Some(map(vec![
            attribute("text", text("grün")),
            attribute(
                "list",
                list(vec![any(Value::IntValue(1)), any(Value::DoubleValue(2.5))]),
            ),
        ])),
        attributes: attributes(),
        dropped_attributes_count: 0,
        flags: 1,
        trace_id: trace_id(),
        span_id: span_id(0xa1),
        event_name: "order.refused".to_owned(),
    };
    let empty = LogRecord {
        observed_time_unix_nano: noticed,
        ..LogRecord::default()
    };
    let alone = |resource, resource_schema, scope, scope_schema, record| ResourceLogs {
        resource,
        scope_logs: vec![ScopeLogs {
            scope,
            log_records: vec![record],
            schema_url: scope_schema,
        }],
        schema_url: resource_schema,
    };
    ExportLogsServiceRequest {
        resource_logs: vec![
            alone(resource(), schema("resource"), scope(), schema("scope"), full),
            alone(
                Some(Resource::default()),
                String::new(),
                Some(InstrumentationScope::default()),
                String::new(),
                empty,
            ),
        ],
    }
}
