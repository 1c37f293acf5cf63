//! Lines for people: a span, a metric's point or a log record each.

use std::time::Duration;

use anyhow::Result;
use console::style;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, number_data_point};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::{Export, Signal};

/// The names of the columns.
pub fn header() -> String {
    columns("TIME", "SERVICE", "TOOK", "TRACE", "WHAT")
}

/// All lines of a request.
///
/// # Errors
/// The message does not read.
pub fn lines(export: &Export) -> Result<Vec<String>> {
    Ok(match export.signal {
        Signal::Traces => spans(export)?,
        Signal::Metrics => metrics(export)?,
        Signal::Logs => logs(export)?,
    })
}

/// Spans by their start, each indented below its parent if that came with it.
fn spans(export: &Export) -> Result<Vec<String>> {
    let mut spans: Vec<(String, Span)> = Vec::new();
    for of_resource in export.traces()?.resource_spans {
        let service = service(of_resource.resource.as_ref());
        let found = of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans);
        spans.extend(found.map(|span| (service.clone(), span)));
    }
    spans.sort_by_key(|(_, span)| span.start_time_unix_nano);
    let line = |(service, span): &(String, Span)| {
        let took = Duration::from_nanos(span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano));
        let mut what = format!("{}{}", "  ".repeat(depth(span, &spans)), span.name);
        what.push_str(&attributes(&span.attributes));
        for event in &span.events {
            what.push_str(&format!("; {}{}", event.name, attributes(&event.attributes)));
        }
        match &span.status {
            Some(status) if status.code == 2 => what.push_str(&format!("  {}", style(&status.message).red())),
            _ => {}
        }
        let time = time_of_day(span.start_time_unix_nano);
        columns(&time, service, &format!("{took:.1?}"), &short(&span.trace_id), &what)
    };
    Ok(spans.iter().map(line).collect())
}

/// How many ancestors of a span are among these.
fn depth(span: &Span, spans: &[(String, Span)]) -> usize {
    let mut depth = 0;
    let mut child = span;
    // A circle, which nobody should send, ends too.
    while depth < spans.len() {
        let parent = spans
            .iter()
            .find(|(_, other)| other.span_id == child.parent_span_id && other.trace_id == child.trace_id);
        match parent {
            Some((_, parent)) => child = parent,
            None => break,
        }
        depth += 1;
    }
    depth
}

fn metrics(export: &Export) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for of_resource in export.metrics()?.resource_metrics {
        let service = service(of_resource.resource.as_ref());
        let metrics = of_resource
            .scope_metrics
            .into_iter()
            .flat_map(|of_scope| of_scope.metrics);
        for metric in metrics {
            let points = points(&metric).into_iter();
            lines.extend(points.map(|(time, value)| {
                let what = format!("{} = {value} {}", metric.name, metric.unit);
                columns(&time_of_day(time), &service, "", "", what.trim_end())
            }));
        }
    }
    Ok(lines)
}

/// The points of a metric: when, and the value.
fn points(metric: &Metric) -> Vec<(u64, String)> {
    let number = |point: &opentelemetry_proto::tonic::metrics::v1::NumberDataPoint| {
        let value = match point.value {
            Some(number_data_point::Value::AsInt(value)) => value.to_string(),
            Some(number_data_point::Value::AsDouble(value)) => value.to_string(),
            None => "-".to_owned(),
        };
        (point.time_unix_nano, value + &attributes(&point.attributes))
    };
    let summed = |time, count: u64, sum: Option<f64>, labels: &[KeyValue]| {
        let value = format!("{count} of together {}{}", sum.unwrap_or_default(), attributes(labels));
        (time, value)
    };
    match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.iter().map(number).collect(),
        Some(Data::Sum(sum)) => sum.data_points.iter().map(number).collect(),
        Some(Data::Histogram(histogram)) => {
            let points = histogram.data_points.iter();
            points
                .map(|point| summed(point.time_unix_nano, point.count, point.sum, &point.attributes))
                .collect()
        }
        Some(Data::ExponentialHistogram(histogram)) => {
            let points = histogram.data_points.iter();
            points
                .map(|point| summed(point.time_unix_nano, point.count, point.sum, &point.attributes))
                .collect()
        }
        Some(Data::Summary(summary)) => {
            let points = summary.data_points.iter();
            points
                .map(|point| summed(point.time_unix_nano, point.count, Some(point.sum), &point.attributes))
                .collect()
        }
        None => Vec::new(),
    }
}

fn logs(export: &Export) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for of_resource in export.logs()?.resource_logs {
        let service = service(of_resource.resource.as_ref());
        let records = of_resource
            .scope_logs
            .into_iter()
            .flat_map(|of_scope| of_scope.log_records);
        lines.extend(records.map(|record| log(&service, &record)));
    }
    Ok(lines)
}

fn log(service: &str, record: &LogRecord) -> String {
    let body = record.body.as_ref().map(value).unwrap_or_default();
    let what = format!("{} {body}{}", record.severity_text, attributes(&record.attributes));
    let time = match record.time_unix_nano {
        0 => record.observed_time_unix_nano,
        time => time,
    };
    columns(
        &time_of_day(time),
        service,
        "",
        &short(&record.trace_id),
        what.trim_start(),
    )
}

fn columns(time: &str, service: &str, took: &str, trace: &str, what: &str) -> String {
    format!("{time:<12}  {service:<12}  {took:>9}  {trace:<8}  {what}")
}

fn service(resource: Option<&Resource>) -> String {
    let attributes = resource
        .map(|resource| resource.attributes.as_slice())
        .unwrap_or_default();
    let name = attributes.iter().find(|attribute| attribute.key == "service.name");
    let name = name.and_then(|attribute| attribute.value.as_ref()).map(value);
    name.unwrap_or_else(|| "-".to_owned())
}

/// The first digits of an id.
fn short(id: &[u8]) -> String {
    id.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// Hours to milliseconds, UTC.
fn time_of_day(nanoseconds: u64) -> String {
    let milliseconds = nanoseconds / 1_000_000;
    let (seconds, milliseconds) = (milliseconds / 1000, milliseconds % 1000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let (hours, minutes) = (minutes / 60 % 24, minutes % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}")
}

fn attributes(attributes: &[KeyValue]) -> String {
    let text = |attribute: &KeyValue| {
        let value = attribute.value.as_ref().map(value).unwrap_or_default();
        format!(" {}={value}", style(&attribute.key).dim())
    };
    attributes.iter().map(text).collect()
}

fn value(value: &AnyValue) -> String {
    let list = |values: Vec<String>, open, close| format!("{open}{}{close}", values.join(", "));
    match &value.value {
        None => String::new(),
        Some(Value::StringValue(value)) => value.clone(),
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => value.to_string(),
        Some(Value::BytesValue(value)) => format!("{} bytes", value.len()),
        Some(Value::ArrayValue(array)) => list(array.values.iter().map(self::value).collect(), '[', ']'),
        Some(Value::KvlistValue(map)) => {
            let entry = |entry: &KeyValue| {
                let value = entry.value.as_ref().map(self::value).unwrap_or_default();
                format!("{}: {value}", entry.key)
            };
            list(map.values.iter().map(entry).collect(), '{', '}')
        }
        Some(Value::StringValueStrindex(index)) => format!("string {index}"),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Status};
    use prost::Message as _;

    use super::*;
    use crate::Encoding;

    fn span(id: u8, parent: u8, name: &str) -> Span {
        Span {
            trace_id: vec![0xab; 16],
            span_id: vec![id; 8],
            parent_span_id: if parent == 0 { Vec::new() } else { vec![parent; 8] },
            name: name.to_owned(),
            start_time_unix_nano: 3_723_000_000_000 + u64::from(id),
            end_time_unix_nano: 3_723_001_500_000 + u64::from(id),
            ..Span::default()
        }
    }

    fn text(value: &str) -> Option<AnyValue> {
        Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        })
    }

    #[test]
    fn a_span_stands_below_its_parent() {
        let mut child = span(2, 1, "ask");
        child.status = Some(Status {
            message: "no answer".to_owned(),
            code: 2,
        });
        let attribute = |key: &str, value: &str| KeyValue {
            key: key.to_owned(),
            value: text(value),
            ..KeyValue::default()
        };
        child.attributes = vec![attribute("peer", "shop")];
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource {
                    attributes: vec![attribute("service.name", "front")],
                    ..Resource::default()
                }),
                scope_spans: vec![ScopeSpans {
                    spans: vec![child, span(1, 7, "serve")],
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        };
        let export = Export {
            signal: Signal::Traces,
            encoding: Encoding::Protobuf,
            path: String::new(),
            headers: Vec::new(),
            body: request.encode_to_vec().into(),
        };
        console::set_colors_enabled(false);
        assert_eq!(
            lines(&export).unwrap(),
            [
                "01:02:03.000  front             1.5ms  abababab  serve",
                "01:02:03.000  front             1.5ms  abababab    ask peer=shop  no answer",
            ]
        );
    }
}
