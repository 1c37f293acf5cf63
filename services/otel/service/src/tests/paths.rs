//! Encodings, compressions, headers, several destinations.

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use mainstay_otel_core::{Signal, json};

use super::collector::{Answer, Collector};
use super::{SECOND, Sidecar, locally, names, spans, until};
use crate::coding;

#[tokio::test(start_paused = true)]
async fn a_request_arrives_equal_in_each_encoding_and_compression() {
    for protocol in ["http/protobuf", "http/json", "grpc"] {
        for compression in ["none", "gzip", "zstd"] {
            locally(async {
                let collector = Collector::new();
                let settings = [
                    ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                    ("OTEL_EXPORTER_OTLP_COMPRESSION", compression),
                ];
                let sidecar = Sidecar::start(&collector, &settings).await;
                let request = spans(0..500);
                sidecar.take(Signal::Traces, request.clone()).await.unwrap();
                until(|| sidecar.sent() == 500).await;
                let arrived = collector.arrived().remove(0);
                let header = |name| {
                    arrived
                        .headers
                        .get(name)
                        .map(|value| value.to_str().unwrap().to_owned())
                };
                let named = if protocol == "grpc" {
                    header("grpc-encoding")
                } else {
                    header("content-encoding")
                };
                assert_eq!(named.as_deref(), Some(compression).filter(|name| *name != "none"));
                let coding = coding::named(named.as_deref().unwrap_or("")).unwrap();
                let body = coding::decode(coding, arrived.body.clone(), 1 << 20).unwrap();
                let body = match protocol {
                    "http/json" => Bytes::from(json::decode(Signal::Traces.request(), &body).unwrap()),
                    _ => body,
                };
                let expected = match protocol {
                    "grpc" => (
                        "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
                        "application/grpc",
                    ),
                    "http/json" => ("/v1/traces", "application/json"),
                    _ => ("/v1/traces", "application/x-protobuf"),
                };
                assert_eq!(
                    (arrived.path.as_str(), header("content-type").unwrap().as_str()),
                    expected
                );
                assert_eq!(arrived.host, "collector.example:4318");
                assert!(
                    header("user-agent")
                        .unwrap()
                        .starts_with("OTel-OTLP-Exporter-Mainstay/")
                );
                if protocol == "http/json" {
                    assert_eq!(names(&body), names(&request));
                } else {
                    assert_eq!(body, request);
                }
            })
            .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn headers_and_credentials_go_with_each_request() {
    locally(async {
        let collector = Collector::new();
        let settings = [
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=abc%20def,x-tenant=7"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-tenant=8"),
            ("OTEL_EXPORTER_OTLP_BEARER_TOKEN", "secret"),
        ];
        let sidecar = Sidecar::start(&collector, &settings).await;
        sidecar.take(Signal::Traces, spans([1])).await.unwrap();
        until(|| sidecar.sent() == 1).await;
        let headers = collector.arrived().remove(0).headers;
        assert_eq!(headers["x-tenant"], "8");
        assert_eq!(headers["authorization"], "Bearer secret");
        assert!(!headers.contains_key("api-key"));
    })
    .await;
}

const TWO: &str = "[[destination]]\nname = \"near\"\nendpoint = \"http://near.example:4318\"\n\
                   [[destination]]\nname = \"far\"\nendpoint = \"http://far.example:4318\"\nprotocol = \"grpc\"\n";

#[tokio::test(start_paused = true)]
async fn each_of_several_destinations_gets_all_of_it_and_waits_for_none() {
    locally(async {
        let collector = Collector::new();
        let down = Rc::new(Cell::new(true));
        let is_down = Rc::clone(&down);
        collector.answers(move |arrived| match arrived.host.starts_with("near") && is_down.get() {
            true => Answer::Http(503, Vec::new(), Vec::new()),
            false => Answer::Take,
        });
        let sidecar = Sidecar::start(&collector, &[("OTEL_DESTINATIONS", TWO)]).await;
        for number in 0..10 {
            sidecar.take(Signal::Traces, spans([number])).await.unwrap();
        }
        until(|| sidecar.metric("otel_sent_items_total", &["destination=\"far\""]) == 10).await;
        assert_eq!(sidecar.metric("otel_sent_items_total", &["destination=\"near\""]), 0);
        down.set(false);
        until(|| sidecar.metric("otel_sent_items_total", &["destination=\"near\""]) == 10).await;
        assert_eq!(collector.names().len(), 20);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_second_of_two_stands_in_while_the_first_fails() {
    locally(async {
        let collector = Collector::new();
        let down = Rc::new(Cell::new(false));
        let is_down = Rc::clone(&down);
        collector.answers(move |arrived| match arrived.host.starts_with("near") && is_down.get() {
            true => Answer::Http(503, Vec::new(), Vec::new()),
            false => Answer::Take,
        });
        let sidecar = Sidecar::start(&collector, &[("OTEL_DESTINATIONS", TWO), ("OTEL_ROUTING", "failover")]).await;
        for number in 0..300 {
            down.set((100..200).contains(&number));
            sidecar.take(Signal::Traces, spans([number])).await.unwrap();
            until(|| sidecar.sent() == number + 1).await;
        }
        assert_eq!(collector.names(), (0..300).collect::<Vec<_>>());
        let hosts: Vec<bool> = collector
            .arrived()
            .iter()
            .map(|arrived| arrived.host.starts_with("near"))
            .collect();
        assert!(hosts[..100].iter().all(|near| *near) && hosts[100..200].iter().all(|near| !near));
        // It is tried again half a minute after it last failed.
        assert!(hosts[250..].iter().any(|near| *near), "{hosts:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_is_down_for_longer_than_its_queue_lasts_does_not_stop_the_others() {
    locally(async {
        let collector = Collector::new();
        let (near_down, far_down) = (Rc::new(Cell::new(true)), Rc::new(Cell::new(false)));
        let (is_near_down, is_far_down) = (Rc::clone(&near_down), Rc::clone(&far_down));
        collector.answers(move |arrived| {
            let down = match arrived.host.starts_with("near") {
                true => is_near_down.get(),
                false => is_far_down.get(),
            };
            match (down, arrived.host.starts_with("near")) {
                (false, _) => Answer::Take,
                (true, true) => Answer::Http(503, Vec::new(), Vec::new()),
                (true, false) => Answer::Grpc(14, Vec::new()),
            }
        });
        let settings = [
            ("OTEL_DESTINATIONS", TWO),
            ("OTEL_QUEUE_REQUESTS", "10"),
            ("OTEL_RETRY_FOR", "0s"),
        ];
        let sidecar = Sidecar::start(&collector, &settings).await;
        let of = |name: &str, destination: &str| sidecar.metric(name, &[&format!("destination=\"{destination}\"")]);
        let sent = |destination: &str| of("otel_sent_items_total", destination);
        for number in 0..100 {
            // One has it: nothing is rejected.
            assert_eq!(sidecar.take(Signal::Traces, spans([number])).await.unwrap(), None);
            until(|| sent("far") == number + 1).await;
        }
        assert_eq!((sent("near"), of("otel_dropped_items_total", "near")), (0, 90));
        assert_eq!((sidecar.accepted(), of("otel_dropped_items_total", "far")), (100, 0));
        // Only if there is room nowhere is it the sender's.
        far_down.set(true);
        let mut taken = 0;
        let refused = loop {
            match sidecar.take(Signal::Traces, spans([1000])).await {
                Ok(_) => taken += 1,
                Err(status) => break status,
            }
        };
        assert_eq!((taken, refused.code.name()), (10, "RESOURCE_EXHAUSTED"));
        near_down.set(false);
        far_down.set(false);
        until(|| sent("near") == 10 && sent("far") == 110).await;
        let accepted = sidecar.accepted();
        for destination in ["near", "far"] {
            let gone = of("otel_dropped_items_total", destination);
            assert_eq!(accepted, sent(destination) + gone, "{destination}");
        }
    })
    .await;
}

/// Sends ten spans one after the other, by failover, to a first destination that answers so; how often it was asked.
async fn failing_over(first: impl Fn() -> Answer + 'static) -> (usize, Sidecar, Collector) {
    let collector = Collector::new();
    let asked = Rc::new(Cell::new(0));
    let count = Rc::clone(&asked);
    collector.answers(move |arrived| {
        if !arrived.host.starts_with("near") {
            return Answer::Take;
        }
        count.set(count.get() + 1);
        first()
    });
    let sidecar = Sidecar::start(&collector, &[("OTEL_DESTINATIONS", TWO), ("OTEL_ROUTING", "failover")]).await;
    for number in 0..10 {
        sidecar.take(Signal::Traces, spans([number])).await.unwrap();
        until(|| sidecar.metric("otel_queue_requests", &[]) == 0).await;
        tokio::time::sleep(10 * SECOND).await;
    }
    (asked.get(), sidecar, collector)
}

#[tokio::test(start_paused = true)]
async fn the_second_stands_in_for_whatever_is_wrong_with_the_first_and_not_with_the_request() {
    for status in [401, 403, 404, 500, 501, 503] {
        locally(async {
            let (asked, sidecar, collector) = failing_over(move || Answer::Http(status, Vec::new(), Vec::new())).await;
            assert_eq!(collector.names(), (0..10).collect::<Vec<_>>(), "{status}");
            // Each has figures of its own.
            let of = |name, destination: &str| sidecar.metric(name, &[&format!("destination=\"{destination}\"")]);
            assert_eq!(of("otel_sent_items_total", "far"), 10);
            assert_eq!(of("otel_failed_exports_total", "near"), asked as u64);
            assert_eq!(
                of("otel_sent_items_total", "near") + of("otel_failed_exports_total", "far"),
                0
            );
            assert!((3..=4).contains(&asked), "{asked}");
        })
        .await;
    }
    for status in [400, 413, 422] {
        locally(async {
            let (asked, sidecar, collector) = failing_over(move || Answer::Http(status, Vec::new(), Vec::new())).await;
            assert_eq!(
                (collector.names(), asked, sidecar.dropped("rejected")),
                (Vec::new(), 10, 10)
            );
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_that_says_when_to_come_again_is_left_alone_until_then() {
    locally(async {
        let (asked, sidecar, _) = failing_over(|| Answer::Http(503, vec![("retry-after", "95")], Vec::new())).await;
        // At the beginning; the last of the ten is sent after ninety seconds.
        assert_eq!((asked, sidecar.sent()), (1, 10));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn several_consumers_export_at_once_and_one_keeps_the_order() {
    for (consumers, seconds) in [("1", 80), ("8", 10)] {
        locally(async {
            let collector = Collector::new();
            collector.answers(|_| Answer::TakeAfter(SECOND));
            let settings = [("OTEL_CONSUMERS", consumers), ("OTEL_BATCH_ITEMS", "10")];
            let sidecar = Sidecar::start(&collector, &settings).await;
            let began = tokio::time::Instant::now();
            for number in 0..80 {
                sidecar
                    .take(Signal::Traces, spans(number * 10..number * 10 + 10))
                    .await
                    .unwrap();
            }
            until(|| sidecar.sent() == 800).await;
            assert_eq!(began.elapsed().as_secs(), seconds);
            let mut names = collector.names();
            assert!(consumers == "8" || names.is_sorted());
            names.sort_unstable();
            assert_eq!(names, (0..800).collect::<Vec<_>>());
        })
        .await;
    }
}
