//! Whole traces, kept or not for what is in them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::time::Duration;

use mainstay_otel_core::sampling::tail::policy::{Attribute, Composite, Policy};
use mainstay_otel_core::sampling::tail::{Decision, Settings, TailSampler};
use mainstay_otel_core::wire::check;
use mainstay_otel_core::{Signal, json};

const WAIT: Duration = Duration::from_secs(30);

/// One span of a trace: nanoseconds that it took, its status, its attributes in JSON.
fn span(trace: u64, took: u64, status: u64, attributes: &str) -> String {
    format!(
        r#"{{"traceId":"{trace:032x}","startTimeUnixNano":"1000","endTimeUnixNano":"{}","status":{{"code":{status}}},"attributes":[{attributes}]}}"#,
        1000 + took
    )
}

fn request(resource: &str, spans: &[String]) -> Vec<u8> {
    let text = format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{resource}]}},"schemaUrl":"r","scopeSpans":[{{"scope":{{"name":"s"}},"spans":[{}]}}]}}]}}"#,
        spans.join(",")
    );
    json::decode(Signal::Traces.request(), text.as_bytes()).unwrap()
}

fn sampler(policies: Vec<Policy>) -> TailSampler {
    TailSampler::new(Settings {
        policies,
        decision_wait: WAIT,
        max_traces: 1000,
        max_bytes: 1 << 20,
    })
}

/// Which of these traces are kept, when each has one span with these words.
fn kept(policy: Policy, resource: &str, spans: &[String]) -> Vec<bool> {
    let mut sampler = sampler(vec![policy]);
    let mut chances = [0.1, 0.6, 0.3, 0.9].into_iter().cycle();
    let mut random = || chances.next().unwrap();
    let request = request(resource, spans);
    let early = sampler.add(Signal::Traces.request(), &request, Duration::ZERO, &mut random);
    assert!(early.unwrap().is_empty());
    assert!(sampler.decide(WAIT - Duration::from_nanos(1), &mut random).is_empty());
    let decisions = sampler.decide(WAIT, &mut random);
    assert_eq!(
        decisions.iter().map(|decision| decision.spans).sum::<usize>(),
        spans.len()
    );
    decisions.iter().map(|decision| decision.keep).collect()
}

fn plain(count: u64) -> Vec<String> {
    (1..=count).map(|trace| span(trace, 10, 0, "")).collect()
}

#[test]
fn each_policy_keeps_what_it_is_for() {
    let slow = [span(1, 99, 0, ""), span(2, 100, 0, ""), span(3, 101, 0, "")];
    assert_eq!(
        kept(Policy::Latency(Duration::from_nanos(100)), "", &slow),
        [false, true, true]
    );
    let failed = [span(1, 1, 0, ""), span(2, 1, 1, ""), span(3, 1, 2, "")];
    assert_eq!(kept(Policy::Status(vec![2]), "", &failed), [false, false, true]);
    assert_eq!(kept(Policy::Status(vec![0, 1]), "", &failed), [true, true, false]);
    assert_eq!(kept(Policy::Rate(2), "", &plain(4)), [true, true, false, false]);
    assert_eq!(
        kept(Policy::Probability(0.5), "", &plain(4)),
        [true, false, true, false]
    );
    assert_eq!(kept(Policy::Always, "", &plain(2)), [true, true]);
}

#[test]
fn an_attribute_is_found_on_a_span_or_its_resource_in_any_type() {
    let number = r#"{"key":"code","value":{"intValue":"500"}}"#;
    let flag = r#"{"key":"code","value":{"boolValue":true}}"#;
    let text = r#"{"key":"code","value":{"stringValue":"500"}}"#;
    let other = r#"{"key":"other","value":{"stringValue":"500"}}"#;
    let spans = [
        span(1, 1, 0, number),
        span(2, 1, 0, flag),
        span(3, 1, 0, text),
        span(4, 1, 0, other),
    ];
    let wanted = |values: &[&str]| {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        Policy::Attribute(Attribute {
            key: "code".to_owned(),
            values,
        })
    };
    assert_eq!(kept(wanted(&["500"]), "", &spans), [true, false, true, false]);
    assert_eq!(kept(wanted(&["true"]), "", &spans), [false, true, false, false]);
    assert_eq!(kept(wanted(&[]), "", &spans), [true, true, true, false]);
    assert_eq!(kept(wanted(&["500"]), text, &plain(2)), [true, true]);
}

#[test]
fn a_composite_gives_each_part_its_share_of_the_rate() {
    let parts = vec![(Policy::Status(vec![2]), 0.5), (Policy::Always, 0.25)];
    let composite = Policy::Composite(Composite {
        spans_per_second: 8,
        parts,
    });
    let mut spans: Vec<String> = (1..=6).map(|trace| span(trace, 1, 2, "")).collect();
    spans.extend((7..=10).map(|trace| span(trace, 1, 0, "")));
    // Four that failed, and two more of any kind.
    let expected = [true, true, true, true, true, true, false, false, false, false];
    assert_eq!(kept(composite, "", &spans), expected);
}

#[test]
fn a_trace_is_one_request_with_all_its_resources_and_scopes() {
    let mut sampler = sampler(vec![Policy::Always]);
    let name = |name: &str| format!(r#"{{"key":"service.name","value":{{"stringValue":"{name}"}}}}"#);
    for (service, trace) in [("a", 1), ("b", 1), ("b", 2)] {
        let request = request(&name(service), &[span(trace, 1, 0, "")]);
        sampler
            .add(Signal::Traces.request(), &request, Duration::ZERO, &mut || 0.0)
            .unwrap();
    }
    let decisions = sampler.decide(WAIT, &mut || 0.0);
    let requests: Vec<Vec<u8>> = decisions.into_iter().map(|decision| decision.request).collect();
    let expected = [
        request(&name("a"), &[span(1, 1, 0, "")]),
        request(&name("b"), &[span(1, 1, 0, "")]),
    ]
    .concat();
    assert_eq!(requests[0], expected);
    assert_eq!(requests[1], request(&name("b"), &[span(2, 1, 0, "")]));
}

#[test]
fn above_the_bounds_the_oldest_are_decided_early_and_nothing_is_lost() {
    let one = request("", &plain(1)).len();
    for (max_traces, max_bytes) in [(10, 1 << 20), (1000, one * 10)] {
        let settings = Settings {
            policies: vec![Policy::Status(vec![2])],
            decision_wait: WAIT,
            max_traces,
            max_bytes,
        };
        let mut sampler = TailSampler::new(settings);
        let mut decisions: Vec<Decision> = Vec::new();
        for trace in 0..100 {
            let request = request("", &[span(trace, 1, if trace % 2 == 0 { 2 } else { 0 }, "")]);
            let now = Duration::from_millis(trace);
            decisions.extend(
                sampler
                    .add(Signal::Traces.request(), &request, now, &mut || 0.0)
                    .unwrap(),
            );
            let (traces, bytes) = sampler.waiting();
            assert!(traces <= max_traces && bytes <= max_bytes);
        }
        assert!(decisions.len() >= 88 && decisions.iter().all(|decision| decision.early));
        decisions.extend(sampler.decide(WAIT * 2, &mut || 0.0));
        let (kept, left_out): (Vec<_>, Vec<_>) = decisions.into_iter().partition(|decision| decision.keep);
        assert_eq!((kept.len(), left_out.len(), sampler.waiting()), (50, 50, (0, 0)));
        assert!(
            kept.iter()
                .all(|decision| check(Signal::Traces.request(), &decision.request) == Ok(1))
        );
    }
}
