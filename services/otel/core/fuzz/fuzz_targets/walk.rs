//! Whatever is sent as protobuf: refused, or a request that all that is done to requests leaves one.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use mainstay_otel_core::attributes::{Action, Rules};
use mainstay_otel_core::resource::ResourceAttributes;
use mainstay_otel_core::sampling::head::Ratio;
use mainstay_otel_core::sampling::tail::policy::Policy;
use mainstay_otel_core::sampling::tail::{Settings, TailSampler};
use mainstay_otel_core::wire::{Limits, check, split};
use mainstay_otel_core::{Signal, json};

fuzz_target!(|input: (u8, u16, &[u8])| {
    let (choice, limit, bytes) = input;
    let signal = Signal::ALL[usize::from(choice) % 3];
    let request = signal.request();
    let Ok(items) = check(request, bytes) else { return };

    let limits = Limits { items: usize::from(limit % 7) + 1, bytes: usize::from(limit) };
    let parts = split(request, bytes, limits).expect("a request that was checked is split");
    assert_eq!(parts.iter().map(|part| check(request, &part.bytes).expect("a part is a request")).sum::<usize>(), items);

    let added = ResourceAttributes::new(vec![("service.name".to_owned(), "fuzz".to_owned())], choice > 127);
    let changed = added.apply(request, bytes).expect("attributes are added");
    assert_eq!(check(request, &changed), Ok(items));
    let mut rules = Rules::new("salt");
    rules.add("a*", Action::Drop);
    rules.add("b", Action::Hash);
    rules.add("*", Action::Redact);
    let changed = rules.apply(request, bytes).expect("attributes are changed");
    assert_eq!(check(request, &changed), Ok(items));

    let text = json::encode(request, bytes).expect("a request has a form in JSON");
    // Values may be nested deeper than a reader of JSON goes.
    if let Ok(back) = json::decode(request, &text) {
        assert_eq!(check(request, &back), Ok(items));
    }

    if signal == Signal::Traces {
        let sampled = Ratio::new(0.5).expect("a ratio").sample(request, bytes).expect("spans are sampled");
        assert_eq!((sampled.kept + sampled.dropped, check(request, &sampled.bytes)), (items, Ok(sampled.kept)));
        let policies = vec![Policy::Status(vec![2])];
        let settings = Settings { policies, decision_wait: Duration::from_secs(1), max_traces: 3, max_bytes: 1000 };
        let mut tail = TailSampler::new(settings);
        let mut decisions = tail.add(request, bytes, Duration::ZERO, &mut || 0.5).expect("traces are told apart");
        decisions.extend(tail.decide(Duration::from_secs(1), &mut || 0.5));
        let found = decisions.iter().map(|decision| check(request, &decision.request).expect("a trace is a request"));
        assert_eq!(found.sum::<usize>(), items);
        assert_eq!(tail.waiting(), (0, 0));
    }
});
