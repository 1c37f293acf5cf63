//! A job that cron calls, and whose span is a child of the tick. It prints the tick's trace context.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({
        inline: "package mainstay:test-otel-job;
            world traced-job {
                import wasi:otel/tracing@0.2.0-rc.2;
                export mainstay:cron/job@0.1.0;
            }",
        path: ["../../../wit/cron", "../../../wit/wasi-otel"],
        world: "mainstay:test-otel-job/traced-job",
        generate_all,
    });
    use super::Job;
    export!(Job);
}

use std::time::{SystemTime, UNIX_EPOCH};

use bindings::exports::mainstay::cron::job::{Guest, JobError, Tick};
use bindings::wasi::clocks::wall_clock::Datetime;
use bindings::wasi::otel::tracing::{SpanContext, SpanData, SpanKind, Status, TraceFlags, on_end, on_start};
use bindings::wasi::otel::types::InstrumentationScope;

struct Job;

impl Guest for Job {
    async fn run(tick: Tick) -> Result<(), JobError> {
        println!("tick {}", tick.traceparent);
        let start_time = now();
        // W3C trace context: version, trace, parent, flags.
        let parts: Vec<&str> = tick.traceparent.split('-').collect();
        let [_, trace_id, parent, flags] = parts.as_slice() else {
            return Err(JobError::Reject("no trace context".to_owned()));
        };
        let context = SpanContext {
            trace_id: (*trace_id).to_owned(),
            span_id: format!("{:016x}", wasip2::random::random::get_random_u64() | 1),
            trace_flags: if *flags == "01" {
                TraceFlags::SAMPLED
            } else {
                TraceFlags::empty()
            },
            is_remote: false,
            trace_state: Vec::new(),
        };
        on_start(&context);
        on_end(&SpanData {
            span_context: context,
            parent_span_id: (*parent).to_owned(),
            span_kind: SpanKind::Consumer,
            name: tick.run_id,
            start_time,
            end_time: now(),
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
            status: Status::Ok,
            instrumentation_scope: InstrumentationScope {
                name: "job".to_owned(),
                version: None,
                schema_url: None,
                attributes: Vec::new(),
            },
            dropped_attributes: 0,
            dropped_events: 0,
            dropped_links: 0,
        });
        Ok(())
    }
}

fn now() -> Datetime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Datetime {
        seconds: now.as_secs(),
        nanoseconds: now.subsec_nanos(),
    }
}
