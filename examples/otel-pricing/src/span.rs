//! A span, as `wasi:otel` wants it: its ids are made here, and it is handed over when it ends.

use std::time::{SystemTime, UNIX_EPOCH};

use wasip2::random::random::get_random_u64;

use crate::bindings::wasi::clocks::wall_clock::Datetime;
use crate::bindings::wasi::otel::tracing::{SpanContext, SpanData, SpanKind, Status, TraceFlags, on_end, on_start};
use crate::bindings::wasi::otel::types::{InstrumentationScope, KeyValue};

pub(crate) struct Span {
    context: SpanContext,
    parent: String,
    name: &'static str,
    start: Datetime,
}

impl Span {
    /// Starts a child of the span in `traceparent` (W3C trace context: version, trace, span, flags), or, if that does not
    /// read, a trace of its own.
    pub(crate) fn start(name: &'static str, traceparent: &str) -> Self {
        let parts: Vec<&str> = traceparent.split('-').collect();
        let (trace_id, parent, sampled) = match parts.as_slice() {
            ["00", trace, span, flags] => ((*trace).to_owned(), (*span).to_owned(), flags.ends_with('1')),
            _ => (
                format!("{:016x}{:016x}", get_random_u64(), get_random_u64()),
                String::new(),
                true,
            ),
        };
        let context = SpanContext {
            trace_id,
            span_id: format!("{:016x}", get_random_u64()),
            trace_flags: if sampled {
                TraceFlags::SAMPLED
            } else {
                TraceFlags::empty()
            },
            is_remote: false,
            trace_state: Vec::new(),
        };
        on_start(&context);
        Self {
            context,
            parent,
            name,
            start: now(),
        }
    }

    pub(crate) fn context(&self) -> &SpanContext {
        &self.context
    }

    /// Ends it.
    pub(crate) fn end(self, attributes: &[(&str, &str)], error: Option<&String>) {
        let attribute = |&(key, value): &(&str, &str)| KeyValue {
            key: key.to_owned(),
            value: json(value),
        };
        on_end(&SpanData {
            span_context: self.context,
            parent_span_id: self.parent,
            span_kind: SpanKind::Internal,
            name: self.name.to_owned(),
            start_time: self.start,
            end_time: now(),
            attributes: attributes.iter().map(attribute).collect(),
            events: Vec::new(),
            links: Vec::new(),
            status: error.map_or(Status::Unset, |error| Status::Error(error.clone())),
            instrumentation_scope: scope(),
            dropped_attributes: 0,
            dropped_events: 0,
            dropped_links: 0,
        });
    }
}

/// Who makes these spans.
pub(crate) fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        schema_url: None,
        attributes: Vec::new(),
    }
}

/// Text as JSON, which is how `wasi:otel` has values.
pub(crate) fn json(text: &str) -> String {
    let mut json = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            character if character < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(character))),
            character => json.push(character),
        }
    }
    json.push('"');
    json
}

pub(crate) fn now() -> Datetime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Datetime {
        seconds: now.as_secs(),
        nanoseconds: now.subsec_nanos(),
    }
}
