//! Spans as OTLP has them in JSON.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>: ids in hexadecimal digits, 64-bit numbers
//! as text, enumerations as numbers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{Attribute, Span};

/// `SPAN_KIND_CLIENT`: the service calls, the component serves.
const KIND_CLIENT: u8 = 3;

/// `STATUS_CODE_ERROR`.
const STATUS_ERROR: u8 = 2;

/// `SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK` is not set: there is no parent. The rest are the flags of W3C, sampled.
const FLAGS: u8 = 1;

/// An `ExportTraceServiceRequest`.
pub(super) fn request(service: &str, spans: &[Span]) -> Value {
    let spans: Vec<Value> = spans.iter().filter_map(span).collect();
    json!({
        "resourceSpans": [{
            "resource": {"attributes": [text("service.name", service)]},
            "scopeSpans": [{
                "scope": {"name": "mainstay", "version": env!("CARGO_PKG_VERSION")},
                "spans": spans,
            }],
        }],
    })
}

/// None if its place in a trace is not told as W3C has it.
fn span(span: &Span) -> Option<Value> {
    let mut parts = span.traceparent.split('-');
    let (_version, trace, id) = (parts.next()?, parts.next()?, parts.next()?);
    let mut attributes: Vec<Value> = Vec::with_capacity(span.attributes.len());
    for (key, value) in &span.attributes {
        attributes.push(match value {
            Attribute::Text(value) => text(key, value),
            Attribute::Number(number) => json!({"key": key, "value": {"intValue": number.to_string()}}),
        });
    }
    let mut value = json!({
        "traceId": trace,
        "spanId": id,
        "flags": FLAGS,
        "name": span.name,
        "kind": KIND_CLIENT,
        "startTimeUnixNano": nanoseconds(span.began),
        "endTimeUnixNano": nanoseconds(span.began + span.took),
        "attributes": attributes,
    });
    if let (Some(error), Value::Object(members)) = (&span.error, &mut value) {
        members.insert("status".to_owned(), json!({"code": STATUS_ERROR, "message": error}));
    }
    Some(value)
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn nanoseconds(at: SystemTime) -> String {
    at.duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_nanos()
        .to_string()
}
