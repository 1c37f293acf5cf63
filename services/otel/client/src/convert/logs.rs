//! Log records.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};

use super::context::{span_id, trace_flags, trace_id};
use super::value::{any_value, attributes};
use super::{nanoseconds, resource, scope};
use crate::{Datetime, logs};

/// A request with one record. `now` is when it was noticed, where it does not say so itself (OpenTelemetry: logs SDK,
/// emit a LogRecord).
pub fn request(record: logs::LogRecord, now: Datetime) -> ExportLogsServiceRequest {
    let (resource, resource_schema) = record.resource.map(resource).unwrap_or_default();
    let (scope, scope_schema) = record.instrumentation_scope.map(scope).unwrap_or_default();
    let record = LogRecord {
        time_unix_nano: record.timestamp.map(nanoseconds).unwrap_or_default(),
        observed_time_unix_nano: nanoseconds(record.observed_timestamp.unwrap_or(now)),
        severity_number: record.severity_number.unwrap_or_default().into(),
        severity_text: record.severity_text.unwrap_or_default(),
        body: record.body.map(any_value),
        attributes: attributes(record.attributes.unwrap_or_default()),
        dropped_attributes_count: 0,
        flags: record.trace_flags.map(trace_flags).unwrap_or_default(),
        trace_id: record.trace_id.as_deref().map(trace_id).unwrap_or_default(),
        span_id: record.span_id.as_deref().map(span_id).unwrap_or_default(),
        event_name: record.event_name.unwrap_or_default(),
    };
    let scope_logs = ScopeLogs {
        scope: Some(scope),
        log_records: vec![record],
        schema_url: scope_schema,
    };
    let resource_logs = ResourceLogs {
        resource: Some(resource),
        scope_logs: vec![scope_logs],
        schema_url: resource_schema,
    };
    ExportLogsServiceRequest {
        resource_logs: vec![resource_logs],
    }
}
