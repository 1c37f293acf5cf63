//! Spans.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use super::context::{link_flags, span_flags, span_id, trace_id, trace_state};
use super::value::attributes;
use super::{nanoseconds, scope};
use crate::tracing;

/// A request with one span, or `None` if its ids are not valid: then nobody could say what it belongs to.
///
/// `wasi:otel` gives spans no resource; the sidecar says whose they are.
pub fn request(span: tracing::SpanData, parent_is_remote: Option<bool>) -> Option<ExportTraceServiceRequest> {
    let (scope, scope_schema) = scope(span.instrumentation_scope);
    let context = span.span_context;
    let flags = span_flags(context.trace_flags, parent_is_remote);
    let span = Span {
        trace_id: trace_id(&context.trace_id),
        span_id: span_id(&context.span_id),
        trace_state: trace_state(context.trace_state),
        parent_span_id: span_id(&span.parent_span_id),
        flags,
        name: span.name,
        kind: kind(span.span_kind).into(),
        start_time_unix_nano: nanoseconds(span.start_time),
        end_time_unix_nano: nanoseconds(span.end_time),
        attributes: attributes(span.attributes),
        dropped_attributes_count: span.dropped_attributes,
        events: span.events.into_iter().map(event).collect(),
        dropped_events_count: span.dropped_events,
        links: span.links.into_iter().map(link).collect(),
        dropped_links_count: span.dropped_links,
        status: Some(status(span.status)),
    };
    if span.trace_id.is_empty() || span.span_id.is_empty() {
        return None;
    }
    let scope_spans = ScopeSpans {
        scope: Some(scope),
        spans: vec![span],
        schema_url: scope_schema,
    };
    let resource_spans = ResourceSpans {
        resource: Some(Resource::default()),
        scope_spans: vec![scope_spans],
        schema_url: String::new(),
    };
    Some(ExportTraceServiceRequest {
        resource_spans: vec![resource_spans],
    })
}

fn kind(kind: tracing::SpanKind) -> SpanKind {
    match kind {
        tracing::SpanKind::Client => SpanKind::Client,
        tracing::SpanKind::Server => SpanKind::Server,
        tracing::SpanKind::Producer => SpanKind::Producer,
        tracing::SpanKind::Consumer => SpanKind::Consumer,
        tracing::SpanKind::Internal => SpanKind::Internal,
    }
}

fn status(status: tracing::Status) -> Status {
    let (code, message) = match status {
        tracing::Status::Unset => (StatusCode::Unset, String::new()),
        tracing::Status::Ok => (StatusCode::Ok, String::new()),
        tracing::Status::Error(message) => (StatusCode::Error, message),
    };
    Status {
        message,
        code: code.into(),
    }
}

fn event(event: tracing::Event) -> Event {
    Event {
        time_unix_nano: nanoseconds(event.time),
        name: event.name,
        attributes: attributes(event.attributes),
        dropped_attributes_count: 0,
    }
}

fn link(link: tracing::Link) -> Link {
    Link {
        trace_id: trace_id(&link.span_context.trace_id),
        span_id: span_id(&link.span_context.span_id),
        flags: link_flags(&link.span_context),
        trace_state: trace_state(link.span_context.trace_state),
        attributes: attributes(link.attributes),
        dropped_attributes_count: 0,
    }
}
