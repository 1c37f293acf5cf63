//! A component that says what it does by `wasi:otel`, with no SDK: it knows what things cost.
//!
//! `otel-client.wasm` beside it hands on to the sidecar what it says.

mod span;

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({
        path: ["../../wit/wasi-otel", "../otel/wit"],
        world: "example:shop/pricing-service",
        generate_all,
    });
    use super::Pricing;
    export!(Pricing);
}

use bindings::exports::example::shop::pricing::Guest;
use bindings::wasi::otel::logs::{LogRecord, on_emit};
use span::Span;

struct Pricing;

impl Guest for Pricing {
    fn quote(item: String, traceparent: String) -> Result<u32, String> {
        let span = Span::start("look up the price", &traceparent);
        let price = price(&item);
        if price.is_none() {
            warn(&span, &format!("nobody sells {item}"));
        }
        let price = price.ok_or_else(|| format!("there is no {item}"));
        span.end(&[("item", &item)], price.as_ref().err());
        price
    }
}

/// In cents.
fn price(item: &str) -> Option<u32> {
    match item {
        "tea" => Some(240),
        "coffee" => Some(310),
        "water" => Some(0),
        _ => None,
    }
}

/// A log record that belongs to a span.
fn warn(span: &Span, text: &str) {
    on_emit(&LogRecord {
        timestamp: Some(span::now()),
        observed_timestamp: None,
        severity_text: Some("WARN".to_owned()),
        severity_number: Some(13),
        body: Some(span::json(text)),
        attributes: None,
        event_name: None,
        resource: None,
        instrumentation_scope: Some(span::scope()),
        trace_id: Some(span.context().trace_id.clone()),
        span_id: Some(span.context().span_id.clone()),
        trace_flags: Some(span.context().trace_flags),
    });
}
