//! The components of `examples/otel`: one with OpenTelemetry's SDK, one with `wasi:otel`, and one trace of both.

use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use mainstay_collector::{Collector, Encoding, Signal};
use mainstay_host_test::workload::Workload;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpStream;

use crate::common;
use crate::support::{arrived, receiver, sidecar};

async fn workload(collector: &Collector) -> Workload {
    let workload = sidecar(collector, Encoding::Protobuf)
        .component("example-otel")
        .component("example-otel-pricing")
        .component("otel-client")
        .http()
        .start();
    receiver(&workload, Encoding::Protobuf).await;
    workload
}

/// Status and body.
async fn get(workload: &Workload, path: &str, traceparent: Option<&str>) -> (u16, String) {
    let stream = TokioIo::new(TcpStream::connect(workload.http().unwrap()).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut request = hyper::Request::get(path).header("host", "shop");
    if let Some(traceparent) = traceparent {
        request = request.header("traceparent", traceparent);
    }
    let request = request.body(Empty::<bytes::Bytes>::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Each span with the name of its service.
fn spans(request: &ExportTraceServiceRequest) -> Vec<(Option<String>, Span)> {
    let mut spans = Vec::new();
    for of_resource in &request.resource_spans {
        let attributes = of_resource.resource.iter().flat_map(|resource| &resource.attributes);
        let mut names = attributes.filter(|attribute| attribute.key == "service.name");
        let name = names
            .next()
            .and_then(|attribute| match attribute.value.as_ref()?.value.as_ref()? {
                Value::StringValue(name) => Some(name.clone()),
                _ => None,
            });
        for span in of_resource.scope_spans.iter().flat_map(|of_scope| &of_scope.spans) {
            spans.push((name.clone(), span.clone()));
        }
    }
    spans
}

/// The two spans of a question, the shop's first.
async fn both(workload: &Workload, collector: &Collector) -> (Span, Span) {
    let came = arrived(workload, collector, Signal::Traces, 2).await;
    let mut spans = spans(&came.transcode_to().unwrap());
    assert_eq!(spans.len(), 2, "{spans:#?}");
    spans.sort_by_key(|(_, span)| span.name.clone());
    let (name, shop) = spans.remove(0);
    assert_eq!(name.as_deref(), Some("shop"));
    (shop, spans.remove(0).1)
}

#[tokio::test]
async fn a_span_of_the_sdk_and_one_of_wasi_otel_make_one_trace() {
    let collector = Collector::start().unwrap();
    let workload = workload(&collector).await;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let (status, body) = get(&workload, "/quote?item=tea", Some(traceparent)).await;
    assert_eq!((status, body.as_str()), (200, "tea costs 2.40\n"));
    let (shop, pricing) = both(&workload, &collector).await;
    let hexadecimal = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(shop.name, "GET /quote");
    assert_eq!(hexadecimal(&shop.trace_id), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(hexadecimal(&shop.parent_span_id), "b7ad6b7169203331");
    assert_eq!(pricing.name, "look up the price");
    assert_eq!(pricing.trace_id, shop.trace_id);
    assert_eq!(pricing.parent_span_id, shop.span_id);
    assert!(shop.start_time_unix_nano <= pricing.start_time_unix_nano);
    assert!(pricing.end_time_unix_nano <= shop.end_time_unix_nano);
}

#[tokio::test]
async fn an_error_is_seen_in_both_spans_and_in_the_log() {
    let collector = Collector::start().unwrap();
    let workload = workload(&collector).await;
    let (status, body) = get(&workload, "/quote?item=silk", None).await;
    assert_eq!((status, body.as_str()), (404, "there is no silk\n"));
    let (shop, pricing) = both(&workload, &collector).await;
    for span in [&shop, &pricing] {
        let status = span.status.as_ref().unwrap();
        assert_eq!((status.code, status.message.as_str()), (2, "there is no silk"));
    }
    arrived(&workload, &collector, Signal::Logs, 1).await;
    let exports = collector.exports();
    let log = exports
        .iter()
        .find(|export| export.signal == Signal::Logs)
        .unwrap()
        .logs()
        .unwrap();
    let record = &log.resource_logs[0].scope_logs[0].log_records[0];
    assert_eq!(
        (&record.trace_id, &record.span_id),
        (&pricing.trace_id, &pricing.span_id)
    );
    assert_eq!(record.severity_text, "WARN");
}

#[tokio::test]
async fn the_component_answers_while_there_is_no_sidecar() {
    let workload = common::without_service()
        .component("example-otel")
        .component("example-otel-pricing")
        .component("otel-client")
        .http()
        .start();
    assert_eq!(get(&workload, "/quote?item=coffee", None).await.0, 200);
}
