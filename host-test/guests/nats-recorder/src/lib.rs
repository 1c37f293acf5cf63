//! A component that takes part in all NATS callbacks and prints what it is told.
//!
//! Its filter skips messages with the header `Filter: skip` and rejects those with `Filter: reject`. Its handler fails
//! those with a `Fail` header. A changed value `sleep MILLISECONDS` takes so long.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({
        inline: "package mainstay:test-nats-recorder;
            world recorder {
                export mainstay:nats/handler@0.1.0;
                export mainstay:nats/filter@0.1.0;
                export mainstay:nats/events@0.1.0;
                export mainstay:nats/watcher@0.1.0;
            }",
        path: "../../../wit/nats",
        world: "mainstay:test-nats-recorder/recorder",
    });
    use super::Recorder;
    export!(Recorder);
}

use bindings::exports::mainstay::nats::{events, filter, handler, watcher};

struct Recorder;

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

impl handler::Guest for Recorder {
    async fn handle(message: handler::Message) -> Result<Option<handler::Reply>, handler::Disposition> {
        println!("handle {} {}", message.subject, String::from_utf8_lossy(&message.body));
        match find(&message.headers, "Fail") {
            Some(text) => Err(handler::Disposition::Failed(text.to_owned())),
            None => Ok(None),
        }
    }
}

impl filter::Guest for Recorder {
    async fn enabled() -> bool {
        true
    }

    async fn check(candidate: filter::Candidate) -> filter::Verdict {
        println!("check {} {} bytes", candidate.subject, candidate.size);
        match find(&candidate.headers, "Filter") {
            Some("skip") => filter::Verdict::Skip,
            Some("reject") => filter::Verdict::Reject,
            _ => filter::Verdict::Accept,
        }
    }
}

impl events::Guest for Recorder {
    async fn wanted() -> events::Kinds {
        events::Kinds::all()
    }

    async fn deliver(events: Vec<events::Event>) {
        for event in events {
            println!("event {event:?}");
        }
    }
}

impl watcher::Guest for Recorder {
    async fn changed(change: watcher::Change) {
        let value = change.value.map(|value| String::from_utf8_lossy(&value).into_owned());
        let milliseconds = value.as_deref().and_then(|value| value.strip_prefix("sleep "));
        if let Some(milliseconds) = milliseconds.and_then(|text| text.parse::<u64>().ok()) {
            wasip3::clocks::monotonic_clock::wait_for(milliseconds * 1_000_000).await;
        }
        println!(
            "changed {}/{} {value:?} revision {} pending {}",
            change.bucket, change.key, change.revision, change.pending
        );
    }
}
