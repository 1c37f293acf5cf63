//! What each answer of a collector leads to.

use std::cell::Cell;
use std::rc::Rc;

use mainstay_otel_core::Signal;
use mainstay_otel_core::response::{self, PartialSuccess};
use mainstay_otel_core::status::{Code, Status};

use super::collector::{Answer, Collector};
use super::{SECOND, Sidecar, locally, spans, until};

/// Sends one span to a collector that says this first, and then takes it. Returns how often it was asked, and the sidecar.
async fn after(protocol: &str, first: impl Fn() -> Answer + 'static) -> (usize, Sidecar) {
    let collector = Collector::new();
    let asked = Rc::new(Cell::new(0));
    let count = Rc::clone(&asked);
    collector.answers(move |_| {
        count.set(count.get() + 1);
        if count.get() == 1 { first() } else { Answer::Take }
    });
    let sidecar = Sidecar::start(&collector, &[("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)]).await;
    sidecar.take(Signal::Traces, spans([1])).await.unwrap();
    until(|| sidecar.metric("otel_queue_requests", &[]) == 0).await;
    (asked.get(), sidecar)
}

#[tokio::test(start_paused = true)]
async fn only_the_retryable_statuses_of_http_are_asked_again() {
    for status in [400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 501, 502, 503, 504] {
        locally(async {
            let (asked, sidecar) = after("http/protobuf", move || Answer::Http(status, Vec::new(), Vec::new())).await;
            let retryable = matches!(status, 429 | 502 | 503 | 504);
            let expected = if retryable { (2, 1, 0) } else { (1, 0, 1) };
            assert_eq!(
                (asked, sidecar.sent(), sidecar.dropped("rejected")),
                expected,
                "{status}"
            );
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_retryable_codes_of_grpc_are_asked_again() {
    for code in 1..=16 {
        locally(async {
            let (asked, sidecar) = after("grpc", move || Answer::Grpc(code, Vec::new())).await;
            let retryable = matches!(code, 1 | 4 | 10 | 11 | 14 | 15);
            let expected = if retryable { (2, 1, 0) } else { (1, 0, 1) };
            assert_eq!((asked, sidecar.sent(), sidecar.dropped("rejected")), expected, "{code}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn exhaustion_is_asked_again_when_the_collector_says_when() {
    locally(async {
        let status = Status {
            retry_after: Some(50 * SECOND),
            ..Status::new(Code::RESOURCE_EXHAUSTED, "later")
        };
        let began = tokio::time::Instant::now();
        let details = vec![("grpc-status-details-bin", status.to_header())];
        let (asked, sidecar) = after("grpc", move || Answer::Grpc(8, details.clone())).await;
        assert_eq!((asked, sidecar.sent()), (2, 1));
        assert!(began.elapsed() >= 50 * SECOND);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_grpc_counts_by_its_status() {
    for (status, retryable) in [(503, true), (429, true), (404, false), (401, false)] {
        locally(async {
            let (asked, _) = after("grpc", move || Answer::Http(status, Vec::new(), Vec::new())).await;
            assert_eq!(asked, if retryable { 2 } else { 1 }, "{status}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_that_is_rejected_is_counted_and_never_sent_again() {
    for protocol in ["http/protobuf", "http/json", "grpc"] {
        locally(async {
            let collector = Collector::new();
            let partial = PartialSuccess {
                rejected: 2,
                message: "too old".to_owned(),
            };
            let body = match protocol {
                "http/json" => response::to_json(Signal::Traces, Some(&partial)).unwrap(),
                _ => response::to_protobuf(Some(&partial)),
            };
            collector.answers(move |_| Answer::TakeWith(body.clone()));
            let sidecar = Sidecar::start(&collector, &[("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)]).await;
            sidecar.take(Signal::Traces, spans(0..5)).await.unwrap();
            until(|| sidecar.metric("otel_queue_requests", &[]) == 0).await;
            tokio::time::sleep(600 * SECOND).await;
            assert_eq!(collector.arrived().len(), 1);
            assert_eq!((sidecar.sent(), sidecar.dropped("rejected")), (3, 2), "{protocol}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_that_is_garbled_is_a_success() {
    locally(async {
        let (asked, sidecar) = after("http/protobuf", || Answer::TakeWith(b"<html>welcome</html>".to_vec())).await;
        assert_eq!((asked, sidecar.sent()), (1, 1));
    })
    .await;
}
