//! An HTTP component that is traced with OpenTelemetry's own SDK: `GET /quote?item=tea` answers what tea costs.
//!
//! It asks the component beside it for the price, which is traced by other means, `wasi:otel`. Their spans make one
//! trace, because the trace context goes along with the question.
//!
//! - `telemetry`: the SDK, set up for a component
//! - `sidecar`: its HTTP client, which reaches the sidecar

mod sidecar;
mod telemetry;

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({
        path: ["../../wit/wasi-otel", "wit"],
        world: "example:shop/shop",
    });
}

use std::collections::HashMap;

use bindings::example::shop::pricing;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct Shop;

wasip2::http::proxy::export!(Shop);

impl Guest for Shop {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let parent = parent(&request.headers());
        let (status, text) = traced(&path, &parent);
        respond(out, status, &text);
    }
}

/// The span that the request belongs to, if it says so.
fn parent(headers: &Fields) -> Context {
    let text = |(name, value): (String, Vec<u8>)| Some((name.to_lowercase(), String::from_utf8(value).ok()?));
    let headers: HashMap<String, String> = headers.entries().into_iter().filter_map(text).collect();
    TraceContextPropagator::new().extract(&headers)
}

/// Answers within a span.
fn traced(path: &str, parent: &Context) -> (u16, String) {
    let (route, query) = path.split_once('?').unwrap_or((path, ""));
    let span = telemetry::tracer()
        .span_builder(format!("GET {route}"))
        .with_kind(SpanKind::Server)
        .with_attributes([
            KeyValue::new("http.request.method", "GET"),
            KeyValue::new("url.path", route.to_owned()),
        ])
        .start_with_context(telemetry::tracer(), parent);
    let context = parent.with_span(span);
    let (status, text) = match (route, query.strip_prefix("item=")) {
        ("/quote", Some(item)) => quote(item, &context),
        _ => (404, "ask for /quote?item=tea\n".to_owned()),
    };
    context
        .span()
        .set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
    context.span().end();
    (status, text)
}

/// Asks what the item costs.
fn quote(item: &str, context: &Context) -> (u16, String) {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(context, &mut carrier);
    let traceparent = carrier.remove("traceparent").unwrap_or_default();
    match pricing::quote(item, &traceparent) {
        Ok(cents) => (200, format!("{item} costs {}.{:02}\n", cents / 100, cents % 100)),
        Err(error) => {
            context.span().set_status(Status::error(error.clone()));
            (404, format!("{error}\n"))
        }
    }
}

fn respond(out: ResponseOutparam, status: u16, text: &str) {
    let response = OutgoingResponse::new(Fields::new());
    // Fails for numbers that are no status.
    let _ = response.set_status_code(status);
    let Ok(body) = response.body() else { return };
    ResponseOutparam::set(out, Ok(response));
    if let Ok(stream) = body.write() {
        // The client may have gone.
        let _ = stream.blocking_write_and_flush(text.as_bytes());
    }
    let _ = OutgoingBody::finish(body, None);
}
