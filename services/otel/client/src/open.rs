//! The spans that have started and not ended.

use std::collections::VecDeque;

use crate::tracing::{SpanContext, TraceFlags};

/// A caller that starts spans and never ends them must not fill the memory: the oldest are forgotten.
const LIMIT: usize = 1024;

/// The spans of one instance's callers, which run in the same store, in the order in which they started.
#[derive(Debug, Default)]
pub struct OpenSpans {
    spans: VecDeque<SpanContext>,
}

impl OpenSpans {
    /// A span has started.
    pub fn start(&mut self, context: SpanContext) {
        if self.spans.len() >= LIMIT {
            self.spans.pop_front();
        }
        self.spans.push_back(context);
    }

    /// A span has ended; those that started after it may still be open.
    pub fn end(&mut self, ended: &SpanContext) {
        let found = self
            .spans
            .iter()
            .rposition(|open| is_same(open, &ended.trace_id, &ended.span_id));
        if let Some(place) = found {
            self.spans.remove(place);
        }
    }

    /// The one that was started last.
    pub fn current(&self) -> Option<&SpanContext> {
        self.spans.back()
    }

    /// Whether no span is open.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Whether the parent of a span is another process's, if that is known: one that is open here is not.
    pub fn parent_is_remote(&self, trace_id: &str, parent_span_id: &str) -> Option<bool> {
        let mut spans = self.spans.iter();
        spans
            .any(|open| is_same(open, trace_id, parent_span_id))
            .then_some(false)
    }
}

fn is_same(open: &SpanContext, trace_id: &str, span_id: &str) -> bool {
    // Digits above nine may be written either way.
    open.span_id.eq_ignore_ascii_case(span_id) && open.trace_id.eq_ignore_ascii_case(trace_id)
}

/// What stands where there is no span.
pub fn invalid() -> SpanContext {
    SpanContext {
        trace_id: "0".repeat(32),
        span_id: "0".repeat(16),
        trace_flags: TraceFlags::empty(),
        is_remote: false,
        trace_state: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(number: usize) -> SpanContext {
        SpanContext {
            trace_id: format!("{:032x}", 10),
            span_id: format!("{number:016x}"),
            ..invalid()
        }
    }

    fn current(open: &OpenSpans) -> Option<String> {
        open.current().map(|context| context.span_id.clone())
    }

    #[test]
    fn the_current_span_is_the_last_that_started_and_has_not_ended() {
        let mut open = OpenSpans::default();
        assert_eq!(current(&open), None);
        for number in 1..=3 {
            open.start(span(number));
        }
        open.end(&span(2));
        assert_eq!(current(&open), Some(span(3).span_id));
        open.end(&span(3));
        assert_eq!(current(&open), Some(span(1).span_id));
        open.end(&span(7));
        open.end(&span(1));
        assert!(open.is_empty());
    }

    #[test]
    fn a_parent_that_is_open_here_is_not_remote() {
        let mut open = OpenSpans::default();
        open.start(span(171));
        let SpanContext { trace_id, span_id, .. } = span(171);
        assert_eq!(
            open.parent_is_remote(&trace_id.to_uppercase(), &span_id.to_uppercase()),
            Some(false)
        );
        assert_eq!(open.parent_is_remote(&trace_id, &span(2).span_id), None);
    }

    #[test]
    fn spans_that_never_end_are_forgotten() {
        let mut open = OpenSpans::default();
        for number in 0..5000 {
            open.start(span(number));
        }
        assert_eq!(open.spans.len(), LIMIT);
        assert_eq!(current(&open), Some(span(4999).span_id));
    }
}
