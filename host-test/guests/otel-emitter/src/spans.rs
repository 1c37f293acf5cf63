//! Spans.

use crate::bindings::wasi::otel::tracing::{
    Event, Link, SpanContext, SpanData, SpanKind, Status, TraceFlags, current_span_context, on_end, on_start,
    outer_span_context,
};
use crate::{at, attributes, scope};

const TRACE: &str = "000102030405060708090a0b0c0d0e0f";
const PARENT: &str = "00000000000000a1";
const CHILD: &str = "00000000000000b2";

fn context(span_id: &str) -> SpanContext {
    SpanContext {
        trace_id: TRACE.to_owned(),
        span_id: span_id.to_owned(),
        trace_flags: TraceFlags::SAMPLED,
        is_remote: false,
        trace_state: vec![
            ("rojo".to_owned(), "00f067".to_owned()),
            ("congo".to_owned(), "t61".to_owned()),
        ],
    }
}

fn data(context: SpanContext, parent: &str) -> SpanData {
    SpanData {
        span_context: context,
        parent_span_id: parent.to_owned(),
        span_kind: SpanKind::Internal,
        name: "least".to_owned(),
        start_time: at(0),
        end_time: at(1),
        attributes: Vec::new(),
        events: Vec::new(),
        links: Vec::new(),
        status: Status::Unset,
        instrumentation_scope: scope(),
        dropped_attributes: 0,
        dropped_events: 0,
        dropped_links: 0,
    }
}

/// A span with all there is, within another.
pub(crate) fn nested() -> Vec<String> {
    let mut lines = Vec::new();
    let mut look = |when: &str| {
        let current = current_span_context();
        let outer = outer_span_context();
        lines.push(format!(
            "{when}: {} {} outer {}",
            current.trace_id, current.span_id, outer.span_id
        ));
    };
    look("before");
    on_start(&context(PARENT));
    look("parent");
    on_start(&context(CHILD));
    look("child");
    let remote = SpanContext {
        is_remote: true,
        trace_flags: TraceFlags::empty(),
        ..context("00000000000000c3")
    };
    on_end(&SpanData {
        span_kind: SpanKind::Client,
        name: "ask".to_owned(),
        start_time: at(1),
        end_time: at(2),
        attributes: attributes(),
        events: vec![Event {
            name: "asked".to_owned(),
            time: at(3),
            attributes: attributes(),
        }],
        links: vec![Link {
            span_context: remote,
            attributes: attributes(),
        }],
        status: Status::Error("no answer".to_owned()),
        dropped_attributes: 1,
        dropped_events: 2,
        dropped_links: 3,
        ..data(context(CHILD), PARENT)
    });
    look("after child");
    on_end(&SpanData {
        span_kind: SpanKind::Server,
        name: "serve".to_owned(),
        status: Status::Ok,
        ..data(context(PARENT), "00000000000000d4")
    });
    look("after parent");
    lines
}

/// Spans one after the other, none of which was said to start.
pub(crate) fn many(count: u32) -> Vec<String> {
    for number in 1..=count {
        on_end(&data(context(&format!("{number:016x}")), ""));
    }
    vec![format!("{count} ended")]
}

/// Spans that are nobody's business: one is not sampled, others have no valid ids.
pub(crate) fn odd() -> Vec<String> {
    let unsampled = SpanContext {
        trace_flags: TraceFlags::empty(),
        ..context(CHILD)
    };
    on_start(&unsampled);
    let current = current_span_context();
    on_end(&data(unsampled, PARENT));
    for bad in ["", "xyz", "0000000000000000"] {
        on_end(&data(context(bad), PARENT));
    }
    vec![format!("current {} {:?}", current.span_id, current.trace_flags)]
}
