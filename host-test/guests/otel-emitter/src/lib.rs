//! Answers HTTP requests by handing telemetry over, all that `wasi:otel` has words for. The path says what; the answer
//! says what came of it, a line each.
//!
//! - `/spans`: a span within a span, and which one is the current one meanwhile
//! - `/spans?N`: N spans, one after the other
//! - `/odd-spans`: spans that are not exported
//! - `/metrics`: metrics of every type
//! - `/metrics-until-taken`: the same, again and again until they are taken
//! - `/logs`: log records

mod logs;
mod metrics;
mod spans;

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({
        path: "../../../wit/wasi-otel",
        world: "imports",
        generate_all,
    });
}

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

use bindings::wasi::clocks::wall_clock::Datetime;
use bindings::wasi::otel::types::{InstrumentationScope, KeyValue, Resource};

struct Emitter;

wasip2::http::proxy::export!(Emitter);

impl Guest for Emitter {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let lines = match path.split_once('?') {
            Some(("/spans", count)) => spans::many(count.parse().unwrap_or_default()),
            _ => match path.as_str() {
                "/spans" => spans::nested(),
                "/odd-spans" => spans::odd(),
                "/metrics" => vec![metrics::export()],
                "/metrics-until-taken" => metrics::until_taken(),
                "/logs" => logs::emit(),
                _ => vec![format!("{path} is nothing that there is")],
            },
        };
        let response = OutgoingResponse::new(Fields::new());
        let Ok(body) = response.body() else { return };
        ResponseOutparam::set(out, Ok(response));
        if let Ok(stream) = body.write() {
            let _ = stream.blocking_write_and_flush(lines.join("\n").as_bytes());
        }
        let _ = OutgoingBody::finish(body, None);
    }
}

/// So many nanoseconds after a moment that no float holds.
fn at(nanoseconds: u32) -> Datetime {
    Datetime {
        seconds: 1_764_064_800,
        nanoseconds: 123_456_789 + nanoseconds,
    }
}

fn attribute(key: &str, json: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: json.to_owned(),
    }
}

/// Attributes of every type.
fn attributes() -> Vec<KeyValue> {
    vec![
        attribute("text", r#""grün \"quoted\"""#),
        attribute("true", "true"),
        attribute("least", "-9223372036854775808"),
        attribute("float", "0.30000000000000004"),
        attribute("bytes", r#""data:application/octet-stream;base64,APv//g==""#),
        attribute("list", r#"["a", 1, [], null]"#),
        attribute("map", r#"{"z": 1, "a": {"deep": true}}"#),
    ]
}

fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "emitter".to_owned(),
        version: Some("1.2.3".to_owned()),
        schema_url: Some("https://example.com/scope".to_owned()),
        attributes: attributes(),
    }
}

fn resource() -> Resource {
    Resource {
        attributes: attributes(),
        schema_url: Some("https://example.com/resource".to_owned()),
    }
}
