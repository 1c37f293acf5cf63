//! The exported functions.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message as _;

use crate::Datetime;
use crate::convert;
use crate::exporter::{Exporter, Failure, say};
use crate::http::Signal;
use crate::open::{OpenSpans, invalid};
use crate::{logs, metrics, tracing};

pub(crate) struct Client;

/// What an instance knows.
#[derive(Default)]
struct State {
    open: OpenSpans,
    exporter: Exporter,
    told_of_ids: bool,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

impl State {
    /// Hands telemetry over, and sees it taken if nothing is under way that more is to be expected of.
    fn export(&mut self, signal: Signal, request: &impl prost::Message) -> Result<(), Failure> {
        let sent = self.exporter.send(signal, &request.encode_to_vec());
        let settled = if self.open.is_empty() {
            self.exporter.settle()
        } else {
            Ok(())
        };
        sent.and(settled)
    }
}

impl tracing::Guest for Client {
    fn on_start(context: tracing::SpanContext) {
        STATE.with_borrow_mut(|state| state.open.start(context));
    }

    fn on_end(span: tracing::SpanData) {
        STATE.with_borrow_mut(|state| {
            let context = &span.span_context;
            let parent_is_remote = state.open.parent_is_remote(&context.trace_id, &span.parent_span_id);
            state.open.end(context);
            // What is not sampled is not exported (OpenTelemetry: trace SDK, sampling, IsRecording and Sampled).
            let sampled = context.trace_flags.contains(tracing::TraceFlags::SAMPLED);
            let request = sampled.then(|| convert::trace::request(span, parent_is_remote));
            // Whoever calls this cannot be told of a failure. The exporter has said it.
            let _ = match request {
                Some(Some(request)) => state.export(Signal::Traces, &request),
                Some(None) if !std::mem::replace(&mut state.told_of_ids, true) => {
                    say("a span has no valid ids, and is dropped like others after it");
                    Ok(())
                }
                _ if state.open.is_empty() => state.exporter.settle(),
                _ => Ok(()),
            };
        });
    }

    /// There is no host in sight whose span that could be.
    fn outer_span_context() -> tracing::SpanContext {
        invalid()
    }

    fn current_span_context() -> tracing::SpanContext {
        STATE.with_borrow(|state| state.open.current().cloned().unwrap_or_else(invalid))
    }
}

impl metrics::Guest for Client {
    fn export(metrics: metrics::ResourceMetrics) -> Result<(), metrics::Error> {
        let request = convert::metrics::request(metrics);
        let exported = STATE.with_borrow_mut(|state| {
            let sent = state.exporter.send(Signal::Metrics, &request.encode_to_vec());
            sent.and(state.exporter.settle())
        });
        exported.map_err(|failure| failure.to_string())
    }
}

impl logs::Guest for Client {
    fn on_emit(data: logs::LogRecord) {
        let request = convert::logs::request(data, now());
        // As above.
        let _ = STATE.with_borrow_mut(|state| state.export(Signal::Logs, &request));
    }
}

fn now() -> Datetime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Datetime {
        seconds: now.as_secs(),
        nanoseconds: now.subsec_nanos(),
    }
}
