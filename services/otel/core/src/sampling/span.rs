//! The few fields of a span that decide.

use crate::wire::{Fields, Value};

/// A span's fields, as far as sampling looks at them. What is malformed reads as absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpanView<'a> {
    /// 16 bytes, or whatever the sender takes for an id.
    pub trace_id: &'a [u8],
    /// W3C tracestate.
    pub trace_state: &'a [u8],
    /// Nanoseconds since 1970.
    pub start: u64,
    /// Nanoseconds since 1970.
    pub end: u64,
    /// 0 unset, 1 ok, 2 error.
    pub status: u64,
    span: &'a [u8],
}

const ATTRIBUTES: u32 = 9;

impl<'a> SpanView<'a> {
    /// Reads a span.
    pub fn new(span: &'a [u8]) -> Self {
        let mut view = Self {
            span,
            ..Self::default()
        };
        for field in Fields::new(span).filter_map(Result::ok) {
            match (field.number, field.value) {
                (1, Value::Bytes(id)) => view.trace_id = id,
                (3, Value::Bytes(state)) => view.trace_state = state,
                (7, Value::Fixed64(time)) => view.start = time,
                (8, Value::Fixed64(time)) => view.end = time,
                (15, Value::Bytes(status)) => {
                    for field in Fields::new(status).filter_map(Result::ok) {
                        if let (3, Value::Varint(code)) = (field.number, field.value) {
                            view.status = code;
                        }
                    }
                }
                _ => {}
            }
        }
        view
    }

    /// The span's attributes, each a `KeyValue`.
    pub fn attributes(&self) -> impl Iterator<Item = &'a [u8]> {
        let fields = Fields::new(self.span).filter_map(Result::ok);
        fields.filter_map(|field| match (field.number, field.value) {
            (ATTRIBUTES, Value::Bytes(attribute)) => Some(attribute),
            _ => None,
        })
    }
}
