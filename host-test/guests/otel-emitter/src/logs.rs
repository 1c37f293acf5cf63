//! Log records.

use crate::bindings::wasi::otel::logs::{LogRecord, on_emit};
use crate::bindings::wasi::otel::tracing::TraceFlags;
use crate::{at, attributes, resource, scope};

/// A record with all there is, and one with nothing.
pub(crate) fn emit() -> Vec<String> {
    on_emit(&LogRecord {
        timestamp: Some(at(1)),
        observed_timestamp: Some(at(2)),
        severity_text: Some("ERROR".to_owned()),
        severity_number: Some(17),
        body: Some(r#"{"text": "grün", "list": [1, 2.5]}"#.to_owned()),
        attributes: Some(attributes()),
        event_name: Some("order.refused".to_owned()),
        resource: Some(resource()),
        instrumentation_scope: Some(scope()),
        trace_id: Some("000102030405060708090a0b0c0d0e0f".to_owned()),
        span_id: Some("00000000000000a1".to_owned()),
        trace_flags: Some(TraceFlags::SAMPLED),
    });
    on_emit(&LogRecord {
        timestamp: None,
        observed_timestamp: None,
        severity_text: None,
        severity_number: None,
        body: None,
        attributes: None,
        event_name: None,
        resource: None,
        instrumentation_scope: None,
        trace_id: None,
        span_id: None,
        trace_flags: None,
    });
    vec!["2 emitted".to_owned()]
}
