//! OTLP/JSON: what goes out comes back, and what comes in is read as the specification has it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod generate;

use generate::Generator;
use mainstay_otel_core::wire::{check, put_bytes};
use mainstay_otel_core::{Signal, json};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;

/// As another decoder reads it, so that the order of fields and what is packed do not matter.
fn canonical(signal: Signal, bytes: &[u8]) -> Vec<u8> {
    match signal {
        Signal::Traces => ExportTraceServiceRequest::decode(bytes).unwrap().encode_to_vec(),
        Signal::Metrics => ExportMetricsServiceRequest::decode(bytes).unwrap().encode_to_vec(),
        Signal::Logs => ExportLogsServiceRequest::decode(bytes).unwrap().encode_to_vec(),
    }
}

#[test]
fn every_field_comes_back_from_json() {
    for seed in 0..300 {
        for signal in Signal::ALL {
            let bytes = Generator::new(seed).message(signal.request());
            let text = json::encode(signal.request(), &bytes).unwrap();
            let back = json::decode(signal.request(), &text).unwrap();
            assert_eq!(canonical(signal, &back), canonical(signal, &bytes), "{signal} {seed}");
            assert_eq!(
                check(signal.request(), &back).unwrap(),
                check(signal.request(), &bytes).unwrap()
            );
        }
    }
}

/// The one attribute value in a span.
fn value(json: &str) -> Value {
    let text = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"attributes":[{{"key":"k","value":{json}}}]}}]}}]}}]}}"#
    );
    let bytes = json::decode(Signal::Traces.request(), text.as_bytes()).unwrap();
    let mut request = ExportTraceServiceRequest::decode(&*bytes).unwrap();
    let span = request.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0);
    span.attributes
        .into_iter()
        .next()
        .unwrap()
        .value
        .unwrap()
        .value
        .unwrap()
}

#[test]
fn numbers_are_taken_in_all_the_ways_that_protobuf_allows() {
    assert_eq!(
        value(r#"{"intValue":"-9223372036854775808"}"#),
        Value::IntValue(i64::MIN)
    );
    assert_eq!(value(r#"{"intValue":-7}"#), Value::IntValue(-7));
    assert_eq!(value(r#"{"intValue":1e3}"#), Value::IntValue(1000));
    assert_eq!(
        value(r#"{"doubleValue":"-Infinity"}"#),
        Value::DoubleValue(f64::NEG_INFINITY)
    );
    assert_eq!(value(r#"{"doubleValue":"1.5"}"#), Value::DoubleValue(1.5));
    assert_eq!(value(r#"{"doubleValue":3}"#), Value::DoubleValue(3.0));
    assert!(matches!(value(r#"{"doubleValue":"NaN"}"#), Value::DoubleValue(number) if number.is_nan()));
}

#[test]
fn bytes_are_base64_of_either_alphabet_with_padding_or_without() {
    for text in ["+/8=", "-_8=", "+/8", "-_8"] {
        assert_eq!(
            value(&format!(r#"{{"bytesValue":"{text}"}}"#)),
            Value::BytesValue(vec![0xFB, 0xFF])
        );
    }
}

#[test]
fn values_that_are_their_defaults_are_still_values() {
    assert_eq!(value(r#"{"stringValue":""}"#), Value::StringValue(String::new()));
    assert_eq!(value(r#"{"boolValue":false}"#), Value::BoolValue(false));
    assert_eq!(value(r#"{"intValue":"0"}"#), Value::IntValue(0));
    assert!(matches!(value(r#"{"arrayValue":{}}"#), Value::ArrayValue(array) if array.values.is_empty()));
}

#[test]
fn unknown_fields_are_ignored_at_every_level() {
    let known = r#"{"resourceSpans":[{"resource":{"attributes":[]},"scopeSpans":[{"spans":[{"name":"a","traceId":"5B8EFFF798038103D269B633813FC60C"}]}]}]}"#;
    let more = r#"{"future":{"deep":[1,{"x":null}]},"resourceSpans":[{"new":1,"resource":{"attributes":[],"entity":[]},"scopeSpans":[{"spans":[{"is_new":true,"name":"a","traceId":"5b8efff798038103d269b633813fc60c","resource_spans":[]}]}]}]}"#;
    let request = Signal::Traces.request();
    let bytes = json::decode(request, known.as_bytes()).unwrap();
    assert_eq!(json::decode(request, more.as_bytes()).unwrap(), bytes);
    assert_eq!(check(request, &bytes).unwrap(), 1);
}

#[test]
fn null_is_an_absent_field() {
    let text = r#"{"resourceLogs":[{"resource":null,"scopeLogs":[{"logRecords":[{"body":null,"attributes":null,"timeUnixNano":null,"severityText":"x"}]}]}]}"#;
    let bytes = json::decode(Signal::Logs.request(), text.as_bytes()).unwrap();
    let record = &ExportLogsServiceRequest::decode(&*bytes).unwrap().resource_logs[0].scope_logs[0].log_records[0];
    assert_eq!(
        (record.severity_text.as_str(), &record.body, record.time_unix_nano),
        ("x", &None, 0)
    );
}

#[test]
fn what_the_specification_shows_is_written_so() {
    let text = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","kind":2,"startTimeUnixNano":"1544712660000000000"}]}]}]}"#;
    let bytes = json::decode(Signal::Traces.request(), text.as_bytes()).unwrap();
    let written = json::encode(Signal::Traces.request(), &bytes).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), text);
}

#[test]
fn fields_without_a_name_are_left_out_on_the_way_to_json() {
    let mut bytes = Generator::new(7).message(Signal::Metrics.request());
    let text = json::encode(Signal::Metrics.request(), &bytes).unwrap();
    put_bytes(&mut bytes, 500, b"from the future");
    assert_eq!(json::encode(Signal::Metrics.request(), &bytes).unwrap(), text);
}

#[test]
fn what_is_no_request_is_refused_with_the_place_and_the_rule() {
    let span = |field: &str| format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{field}}}]}}]}}]}}"#);
    let cases = [
        (String::new(), "EOF while parsing a value at line 1 column 0"),
        ("{".to_owned(), "EOF while parsing an object at line 1 column 1"),
        (
            "[]".to_owned(),
            "invalid type: sequence, expected an object, ExportTraceServiceRequest at line 1 column 0",
        ),
        ("{} {}".to_owned(), "trailing characters at line 1 column 4"),
        (
            r#"{"resourceSpans":{}}"#.to_owned(),
            "invalid type: map, expected an array, resourceSpans at line 1 column 17",
        ),
        (
            r#"{"resourceSpans":[null]}"#.to_owned(),
            "invalid type: null, expected an object, ResourceSpans at line 1 column 22",
        ),
        (
            span(r#""traceId":"xyz""#),
            r#"invalid value: string "xyz", expected traceId: a text in hexadecimal at line 1 column 59"#,
        ),
        (
            span(r#""traceId":"abc""#),
            r#"invalid value: string "abc", expected traceId: a text in hexadecimal at line 1 column 59"#,
        ),
        (
            span(r#""kind":"SPAN_KIND_SERVER""#),
            r#"invalid value: string "SPAN_KIND_SERVER", expected kind: a whole number of 32 bits at line 1 column 69"#,
        ),
        (
            span(r#""kind":2147483648"#),
            "invalid value: integer `2147483648`, expected a whole number of 32 bits at line 1 column 61",
        ),
        (
            span(r#""kind":1.5"#),
            "invalid value: floating point `1.5`, expected kind: a whole number of 32 bits at line 1 column 54",
        ),
        (
            span(r#""startTimeUnixNano":-1"#),
            "invalid value: integer `-1`, expected a whole number of 64 bits, not negative, as text or number at line 1 column 66",
        ),
        (
            span(r#""startTimeUnixNano":"18446744073709551616""#),
            r#"invalid value: string "18446744073709551616", expected a whole number of 64 bits, not negative, as text or number at line 1 column 86"#,
        ),
        (
            span(r#""name":7"#),
            "invalid type: integer `7`, expected a text at line 1 column 52",
        ),
        (
            span(r#""attributes":[{"value":{"boolValue":"yes"}}]"#),
            r#"invalid type: string "yes", expected boolValue: true or false at line 1 column 85"#,
        ),
        (
            span(r#""attributes":[{"value":{"bytesValue":"***"}}]"#),
            r#"invalid value: string "***", expected bytesValue: a text in base64 at line 1 column 86"#,
        ),
    ];
    for (text, expected) in cases {
        let error = json::decode(Signal::Traces.request(), text.as_bytes())
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            format!("malformed JSON of ExportTraceServiceRequest: {expected}"),
            "{text}"
        );
    }
}

#[test]
fn values_nested_without_end_are_refused_and_overflow_nothing() {
    let text = format!(
        "{}{}",
        r#"{"resourceSpans":[{"resource":{"attributes":[{"value":"#,
        r#"{"arrayValue":{"values":["#.repeat(10_000)
    );
    let error = json::decode(Signal::Traces.request(), text.as_bytes())
        .unwrap_err()
        .to_string();
    assert!(error.contains("recursion limit exceeded"), "{error}");
}
