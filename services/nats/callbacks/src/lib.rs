//! Optional NATS callbacks that do nothing: no filter, no wish for events, no watch.
//!
//! Composed into `nats.wasm`, so that a workload's component needs to export `mainstay:nats/handler` only. Filter and
//! events are asked once, when the service starts, and cost nothing after that.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../../wit/nats", world: "callbacks" });
    use super::Callbacks;
    export!(Callbacks);
}

use bindings::exports::mainstay::nats::{events, filter, watcher};

struct Callbacks;

impl filter::Guest for Callbacks {
    async fn enabled() -> bool {
        false
    }

    async fn check(_candidate: filter::Candidate) -> filter::Verdict {
        filter::Verdict::Accept
    }
}

impl events::Guest for Callbacks {
    async fn wanted() -> events::Kinds {
        events::Kinds::empty()
    }

    async fn deliver(_events: Vec<events::Event>) {}
}

impl watcher::Guest for Callbacks {
    async fn changed(_change: watcher::Change) {}
}
