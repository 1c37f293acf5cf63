//! Attributes and sampling, as the settings want them.

use bytes::Bytes;
use mainstay_otel_core::{Signal, json};

use super::collector::{Collector, Connection};
use super::{SECOND, Sidecar, locally, spans, until};
use crate::intake::Encoding;

/// What a request in JSON has become when it arrives, in JSON.
async fn through(settings: &[(&str, &str)], request: &str) -> String {
    let collector = Collector::new();
    let sidecar = Sidecar::start(&collector, settings).await;
    let body = Bytes::copy_from_slice(request.as_bytes());
    sidecar.intake.take(Signal::Traces, Encoding::Json, body).await.unwrap();
    until(|| sidecar.sent() > 0).await;
    let text = json::encode(Signal::Traces.request(), &collector.arrived().remove(0).body).unwrap();
    String::from_utf8(text).unwrap()
}

fn request(resource: &str, span: &str) -> String {
    format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{resource}]}},"scopeSpans":[{{"spans":[{{"attributes":[{span}]}}]}}]}}]}}"#
    )
}

fn text(key: &str, value: &str) -> String {
    format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#)
}

#[tokio::test(start_paused = true)]
async fn resources_get_the_attributes_that_they_lack() {
    let settings = [
        ("OTEL_RESOURCE_ATTRIBUTES", "region=eu%2Cwest,service.name=no"),
        ("OTEL_SERVICE_NAME", "shop"),
    ];
    locally(async {
        let own = [text("service.name", "cart"), text("a", "b")].join(",");
        let found = through(&settings, &request(&own, &text("k", "v"))).await;
        assert_eq!(
            found,
            request(&[own, text("region", "eu,west")].join(","), &text("k", "v"))
        );
        // SDKs have a name for what has none.
        let found = through(&settings, &request(&text("service.name", "unknown_service:node"), "")).await;
        let expected = [text("region", "eu,west"), text("service.name", "shop")].join(",");
        assert_eq!(found, request(&expected, "").replace(r#""attributes":[]"#, ""));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn resources_get_the_attributes_in_place_of_their_own_if_that_is_wanted() {
    locally(async {
        let settings = [("OTEL_SERVICE_NAME", "shop"), ("OTEL_RESOURCE_OVERWRITE", "true")];
        let found = through(&settings, &request(&text("service.name", "cart"), &text("k", "v"))).await;
        assert_eq!(found, request(&text("service.name", "shop"), &text("k", "v")));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn attributes_are_dropped_hashed_and_redacted_wherever_they_are() {
    locally(async {
        let settings = [
            ("OTEL_ATTRIBUTES_DROP", "http.request.header.*"),
            ("OTEL_ATTRIBUTES_HASH", "user.id"),
            ("OTEL_ATTRIBUTES_REDACT", "card"),
            ("OTEL_ATTRIBUTES_HASH_SALT", "salt"),
        ];
        let resource = [text("user.id", "7"), text("host", "a")].join(",");
        let span = [
            text("http.request.header.cookie", "c"),
            text("card", "4711"),
            text("k", "v"),
        ]
        .join(",");
        let found = through(&settings, &request(&resource, &span)).await;
        // printf salt7 | sha256sum
        let hash = "2ab204d76cdcec4609d290441fed2eec4186d288ca47c40cc7dd661a0de1b0d0";
        let resource = [text("user.id", hash), text("host", "a")].join(",");
        assert_eq!(
            found,
            request(&resource, &[text("card", "***"), text("k", "v")].join(","))
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_share_of_traces_is_kept_and_all_of_it_is_counted() {
    locally(async {
        let collector = Collector::new();
        let sidecar = Sidecar::start(&collector, &[("OTEL_SAMPLE_RATIO", "0.25")]).await;
        // The lower seven bytes of the trace id are the number, spread over all of its range.
        let step = (1_u64 << 56) / 1000;
        sidecar
            .take(Signal::Traces, spans((0..1000).map(|number| number * step)))
            .await
            .unwrap();
        until(|| sidecar.metric("otel_queue_requests", &[]) == 0 && sidecar.sent() > 0).await;
        let left_out = sidecar.metric("otel_left_out_items_total", &["reason=\"head-sampling\""]);
        assert_eq!((sidecar.accepted(), sidecar.sent() + left_out), (1000, 1000));
        assert!((249..=251).contains(&sidecar.sent()), "{}", sidecar.sent());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn whole_traces_are_kept_for_what_is_in_them_after_the_decision_wait() {
    locally(async {
        let collector = Collector::new();
        let policies = "[[tail_policy]]\npolicy = \"status\"\ncodes = \"error\"\n[[tail_policy]]\npolicy = \"latency\"\nthreshold = \"1ms\"\n";
        let sidecar = Sidecar::start(&collector, &[("OTEL_TAIL_POLICIES", policies), ("OTEL_TAIL_WAIT", "10s")]).await;
        let span = |trace: u8, end: u64, status: u64| {
            format!(r#"{{"traceId":"{trace:032x}","name":"{trace}","startTimeUnixNano":"1000","endTimeUnixNano":"{end}","status":{{"code":{status}}}}}"#)
        };
        let send = async |spans: &[String]| {
            let text = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#, spans.join(","));
            sidecar.intake.take(Signal::Traces, Encoding::Json, Bytes::from(text)).await.unwrap();
        };
        send(&[span(1, 2000, 0), span(2, 2000, 0), span(3, 2_000_000, 0)]).await;
        tokio::time::sleep(5 * SECOND).await;
        send(&[span(2, 2000, 2), span(1, 2000, 1)]).await;
        tokio::time::sleep(4 * SECOND).await;
        assert!(collector.names().is_empty());
        until(|| sidecar.sent() == 3).await;
        // Late spans follow what was decided.
        send(&[span(1, 2000, 2), span(3, 2000, 0)]).await;
        until(|| sidecar.sent() == 4).await;
        let mut names = collector.names();
        names.sort_unstable();
        assert_eq!(names, [2, 2, 3, 3]);
        assert_eq!(sidecar.metric("otel_left_out_items_total", &["reason=\"tail-sampling\""]), 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn traces_that_wait_for_their_decision_are_refused_while_nothing_can_be_queued() {
    locally(async {
        let collector = Collector::new();
        let down = std::rc::Rc::new(std::cell::Cell::new(true));
        let is_down = std::rc::Rc::clone(&down);
        collector.connections(move || match is_down.get() {
            true => Connection::Refused,
            false => Connection::Works,
        });
        let settings = [
            ("OTEL_TAIL_POLICIES", "[[tail_policy]]\npolicy = \"always\"\n"),
            ("OTEL_TAIL_WAIT", "1s"),
            ("OTEL_QUEUE_REQUESTS", "2"),
            ("OTEL_RETRY_FOR", "0s"),
        ];
        let sidecar = Sidecar::start(&collector, &settings).await;
        sidecar.take(Signal::Traces, spans(0..2)).await.unwrap();
        until(|| sidecar.metric("otel_queue_requests", &[]) == 2).await;
        let status = sidecar.take(Signal::Traces, spans([2])).await.unwrap_err();
        assert_eq!(
            (status.code.name(), status.retry_after),
            ("RESOURCE_EXHAUSTED", Some(SECOND))
        );
        down.set(false);
        until(|| sidecar.sent() == 2).await;
        sidecar.take(Signal::Traces, spans([2])).await.unwrap();
        until(|| sidecar.sent() == 3).await;
        assert_eq!((sidecar.accepted(), sidecar.dropped("queue-full")), (3, 0));
    })
    .await;
}

#[tokio::test]
async fn kept_traces_that_the_volume_does_not_take_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    locally(async {
        let settings = [
            ("OTEL_TAIL_POLICIES", "[[tail_policy]]\npolicy = \"always\"\n"),
            ("OTEL_TAIL_WAIT", "100ms"),
            ("OTEL_QUEUE_FOLDER", path.as_str()),
        ];
        let collector = Collector::new();
        let sidecar = Sidecar::start(&collector, &settings).await;
        std::fs::remove_dir_all(folder.path().join("default/traces")).unwrap();
        sidecar.take(Signal::Traces, spans(0..2)).await.unwrap();
        until(|| sidecar.dropped("disk") == 2).await;
        assert_eq!((sidecar.accepted(), sidecar.dropped("queue-full")), (2, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_services_own_metrics_are_sent_along_if_that_is_wanted() {
    locally(async {
        let collector = Collector::new();
        let sidecar = Sidecar::start(&collector, &[]).await;
        let (intake, registry) = (std::rc::Rc::clone(&sidecar.intake), sidecar.context.metrics.clone());
        tokio::task::spawn_local(async move { intake.report_itself(registry, "otel", 60 * SECOND).await });
        sidecar.take(Signal::Traces, spans(0..3)).await.unwrap();
        until(|| collector.arrived().len() == 2).await;
        let text = json::encode(Signal::Metrics.request(), &collector.arrived()[1].body).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains(r#"{"name":"otel_sent_items_total""#), "{text}");
        assert!(
            text.contains(r#""asInt":"3","attributes":[{"key":"signal","value":{"stringValue":"traces"}}"#),
            "{text}"
        );
    })
    .await;
}
