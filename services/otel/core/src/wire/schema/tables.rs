//! The messages.

use super::Kind::{
    Bool, Bytes, Double, Fixed32, Fixed64, Id, Int32, Int64, Message as Nested, Sfixed64, Sint32, String, Uint32, Uint64,
};
use super::{Message, many, one};

/// `common.v1.AnyValue`.
pub static ANY_VALUE: Message = Message::new("AnyValue", &[
    one(1, "stringValue", String),
    one(2, "boolValue", Bool),
    one(3, "intValue", Int64),
    one(4, "doubleValue", Double),
    one(5, "arrayValue", Nested(&ARRAY_VALUE)),
    one(6, "kvlistValue", Nested(&KEY_VALUE_LIST)),
    one(7, "bytesValue", Bytes),
    one(8, "stringValueStrindex", Int32),
]);
static ARRAY_VALUE: Message = Message::new("ArrayValue", &[many(1, "values", Nested(&ANY_VALUE))]);
static KEY_VALUE_LIST: Message = Message::new("KeyValueList", &[many(1, "values", Nested(&KEY_VALUE))]);
/// `common.v1.KeyValue`.
pub static KEY_VALUE: Message = Message::new("KeyValue", &[
    one(1, "key", String),
    one(2, "value", Nested(&ANY_VALUE)),
    one(3, "keyStrindex", Int32),
]);
static SCOPE: Message = Message::new("InstrumentationScope", &[
    one(1, "name", String),
    one(2, "version", String),
    many(3, "attributes", Nested(&KEY_VALUE)),
    one(4, "droppedAttributesCount", Uint32),
]).with_attributes();
static ENTITY_REF: Message = Message::new("EntityRef", &[
    one(1, "schemaUrl", String),
    one(2, "type", String),
    many(3, "idKeys", String),
    many(4, "descriptionKeys", String),
]);
/// `resource.v1.Resource`.
pub static RESOURCE: Message = Message::new("Resource", &[
    many(1, "attributes", Nested(&KEY_VALUE)),
    one(2, "droppedAttributesCount", Uint32),
    many(3, "entityRefs", Nested(&ENTITY_REF)),
]).with_attributes();

/// `collector.trace.v1.ExportTraceServiceRequest`.
pub static TRACES_REQUEST: Message = Message::new("ExportTraceServiceRequest", &[
    many(1, "resourceSpans", Nested(&RESOURCE_SPANS)),
]).with_items();
static RESOURCE_SPANS: Message = Message::new("ResourceSpans", &[
    one(1, "resource", Nested(&RESOURCE)),
    many(2, "scopeSpans", Nested(&SCOPE_SPANS)),
    one(3, "schemaUrl", String),
]).with_items();
static SCOPE_SPANS: Message = Message::new("ScopeSpans", &[
    one(1, "scope", Nested(&SCOPE)),
    many(2, "spans", Nested(&SPAN)).item(),
    one(3, "schemaUrl", String),
]).with_items();
/// `trace.v1.Span`.
pub static SPAN: Message = Message::new("Span", &[
    one(1, "traceId", Id),
    one(2, "spanId", Id),
    one(3, "traceState", String),
    one(4, "parentSpanId", Id),
    one(5, "name", String),
    one(6, "kind", Int32),
    one(7, "startTimeUnixNano", Fixed64),
    one(8, "endTimeUnixNano", Fixed64),
    many(9, "attributes", Nested(&KEY_VALUE)),
    one(10, "droppedAttributesCount", Uint32),
    many(11, "events", Nested(&EVENT)),
    one(12, "droppedEventsCount", Uint32),
    many(13, "links", Nested(&LINK)),
    one(14, "droppedLinksCount", Uint32),
    one(15, "status", Nested(&STATUS)),
    one(16, "flags", Fixed32),
]).with_attributes();
static EVENT: Message = Message::new("Span.Event", &[
    one(1, "timeUnixNano", Fixed64),
    one(2, "name", String),
    many(3, "attributes", Nested(&KEY_VALUE)),
    one(4, "droppedAttributesCount", Uint32),
]).with_attributes();
static LINK: Message = Message::new("Span.Link", &[
    one(1, "traceId", Id),
    one(2, "spanId", Id),
    one(3, "traceState", String),
    many(4, "attributes", Nested(&KEY_VALUE)),
    one(5, "droppedAttributesCount", Uint32),
    one(6, "flags", Fixed32),
]).with_attributes();
static STATUS: Message = Message::new("Status", &[one(2, "message", String), one(3, "code", Int32)]);

/// `collector.metrics.v1.ExportMetricsServiceRequest`.
pub static METRICS_REQUEST: Message = Message::new("ExportMetricsServiceRequest", &[
    many(1, "resourceMetrics", Nested(&RESOURCE_METRICS)),
]).with_items();
static RESOURCE_METRICS: Message = Message::new("ResourceMetrics", &[
    one(1, "resource", Nested(&RESOURCE)),
    many(2, "scopeMetrics", Nested(&SCOPE_METRICS)),
    one(3, "schemaUrl", String),
]).with_items();
static SCOPE_METRICS: Message = Message::new("ScopeMetrics", &[
    one(1, "scope", Nested(&SCOPE)),
    many(2, "metrics", Nested(&METRIC)),
    one(3, "schemaUrl", String),
]).with_items();
static METRIC: Message = Message::new("Metric", &[
    one(1, "name", String),
    one(2, "description", String),
    one(3, "unit", String),
    one(5, "gauge", Nested(&GAUGE)),
    one(7, "sum", Nested(&SUM)),
    one(9, "histogram", Nested(&HISTOGRAM)),
    one(10, "exponentialHistogram", Nested(&EXPONENTIAL_HISTOGRAM)),
    one(11, "summary", Nested(&SUMMARY)),
    many(12, "metadata", Nested(&KEY_VALUE)),
]).with_items();
static GAUGE: Message = Message::new("Gauge", &[
    many(1, "dataPoints", Nested(&NUMBER_DATA_POINT)).item(),
]).with_items();
static SUM: Message = Message::new("Sum", &[
    many(1, "dataPoints", Nested(&NUMBER_DATA_POINT)).item(),
    one(2, "aggregationTemporality", Int32),
    one(3, "isMonotonic", Bool),
]).with_items();
static HISTOGRAM: Message = Message::new("Histogram", &[
    many(1, "dataPoints", Nested(&HISTOGRAM_DATA_POINT)).item(),
    one(2, "aggregationTemporality", Int32),
]).with_items();
static EXPONENTIAL_HISTOGRAM: Message = Message::new("ExponentialHistogram", &[
    many(1, "dataPoints", Nested(&EXPONENTIAL_HISTOGRAM_DATA_POINT)).item(),
    one(2, "aggregationTemporality", Int32),
]).with_items();
static SUMMARY: Message = Message::new("Summary", &[
    many(1, "dataPoints", Nested(&SUMMARY_DATA_POINT)).item(),
]).with_items();
static NUMBER_DATA_POINT: Message = Message::new("NumberDataPoint", &[
    one(2, "startTimeUnixNano", Fixed64),
    one(3, "timeUnixNano", Fixed64),
    one(4, "asDouble", Double),
    many(5, "exemplars", Nested(&EXEMPLAR)),
    one(6, "asInt", Sfixed64),
    many(7, "attributes", Nested(&KEY_VALUE)),
    one(8, "flags", Uint32),
]).with_attributes();
static HISTOGRAM_DATA_POINT: Message = Message::new("HistogramDataPoint", &[
    one(2, "startTimeUnixNano", Fixed64),
    one(3, "timeUnixNano", Fixed64),
    one(4, "count", Fixed64),
    one(5, "sum", Double),
    many(6, "bucketCounts", Fixed64),
    many(7, "explicitBounds", Double),
    many(8, "exemplars", Nested(&EXEMPLAR)),
    many(9, "attributes", Nested(&KEY_VALUE)),
    one(10, "flags", Uint32),
    one(11, "min", Double),
    one(12, "max", Double),
]).with_attributes();
static EXPONENTIAL_HISTOGRAM_DATA_POINT: Message = Message::new("ExponentialHistogramDataPoint", &[
    many(1, "attributes", Nested(&KEY_VALUE)),
    one(2, "startTimeUnixNano", Fixed64),
    one(3, "timeUnixNano", Fixed64),
    one(4, "count", Fixed64),
    one(5, "sum", Double),
    one(6, "scale", Sint32),
    one(7, "zeroCount", Fixed64),
    one(8, "positive", Nested(&BUCKETS)),
    one(9, "negative", Nested(&BUCKETS)),
    one(10, "flags", Uint32),
    many(11, "exemplars", Nested(&EXEMPLAR)),
    one(12, "min", Double),
    one(13, "max", Double),
    one(14, "zeroThreshold", Double),
]).with_attributes();
static BUCKETS: Message = Message::new("Buckets", &[one(1, "offset", Sint32), many(2, "bucketCounts", Uint64)]);
static SUMMARY_DATA_POINT: Message = Message::new("SummaryDataPoint", &[
    one(2, "startTimeUnixNano", Fixed64),
    one(3, "timeUnixNano", Fixed64),
    one(4, "count", Fixed64),
    one(5, "sum", Double),
    many(6, "quantileValues", Nested(&VALUE_AT_QUANTILE)),
    many(7, "attributes", Nested(&KEY_VALUE)),
    one(8, "flags", Uint32),
]).with_attributes();
static VALUE_AT_QUANTILE: Message = Message::new("ValueAtQuantile", &[one(1, "quantile", Double), one(2, "value", Double)]);
static EXEMPLAR: Message = Message::new("Exemplar", &[
    one(2, "timeUnixNano", Fixed64),
    one(3, "asDouble", Double),
    one(4, "spanId", Id),
    one(5, "traceId", Id),
    one(6, "asInt", Sfixed64),
    many(7, "filteredAttributes", Nested(&KEY_VALUE)),
]).with_attributes();

/// `collector.logs.v1.ExportLogsServiceRequest`.
pub static LOGS_REQUEST: Message = Message::new("ExportLogsServiceRequest", &[
    many(1, "resourceLogs", Nested(&RESOURCE_LOGS)),
]).with_items();
static RESOURCE_LOGS: Message = Message::new("ResourceLogs", &[
    one(1, "resource", Nested(&RESOURCE)),
    many(2, "scopeLogs", Nested(&SCOPE_LOGS)),
    one(3, "schemaUrl", String),
]).with_items();
static SCOPE_LOGS: Message = Message::new("ScopeLogs", &[
    one(1, "scope", Nested(&SCOPE)),
    many(2, "logRecords", Nested(&LOG_RECORD)).item(),
    one(3, "schemaUrl", String),
]).with_items();
static LOG_RECORD: Message = Message::new("LogRecord", &[
    one(1, "timeUnixNano", Fixed64),
    one(2, "severityNumber", Int32),
    one(3, "severityText", String),
    one(5, "body", Nested(&ANY_VALUE)),
    many(6, "attributes", Nested(&KEY_VALUE)),
    one(7, "droppedAttributesCount", Uint32),
    one(8, "flags", Fixed32),
    one(9, "traceId", Id),
    one(10, "spanId", Id),
    one(11, "observedTimeUnixNano", Fixed64),
    one(12, "eventName", String),
]).with_attributes();

/// `collector.trace.v1.ExportTraceServiceResponse`.
pub static TRACES_RESPONSE: Message = Message::new("ExportTraceServiceResponse", &[
    one(1, "partialSuccess", Nested(&TRACES_PARTIAL_SUCCESS)),
]);
static TRACES_PARTIAL_SUCCESS: Message = Message::new("ExportTracePartialSuccess", &[
    one(1, "rejectedSpans", Int64),
    one(2, "errorMessage", String),
]);
/// `collector.metrics.v1.ExportMetricsServiceResponse`.
pub static METRICS_RESPONSE: Message = Message::new("ExportMetricsServiceResponse", &[
    one(1, "partialSuccess", Nested(&METRICS_PARTIAL_SUCCESS)),
]);
static METRICS_PARTIAL_SUCCESS: Message = Message::new("ExportMetricsPartialSuccess", &[
    one(1, "rejectedDataPoints", Int64),
    one(2, "errorMessage", String),
]);
/// `collector.logs.v1.ExportLogsServiceResponse`.
pub static LOGS_RESPONSE: Message = Message::new("ExportLogsServiceResponse", &[
    one(1, "partialSuccess", Nested(&LOGS_PARTIAL_SUCCESS)),
]);
static LOGS_PARTIAL_SUCCESS: Message = Message::new("ExportLogsPartialSuccess", &[
    one(1, "rejectedLogRecords", Int64),
    one(2, "errorMessage", String),
]);
