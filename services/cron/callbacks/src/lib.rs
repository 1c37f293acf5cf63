//! Optional cron callbacks that do nothing: no jobs of its own, no gate, no wish for events.
//!
//! Composed into `cron.wasm`, so that a workload's component needs to export `mainstay:cron/job` only. Each interface
//! is asked once, when the service starts, and costs nothing after that.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../../wit/cron", world: "callbacks" });
    use super::Callbacks;
    export!(Callbacks);
}

use bindings::exports::mainstay::cron::{events, gate, schedule};

struct Callbacks;

impl schedule::Guest for Callbacks {
    async fn jobs() -> Result<Vec<schedule::Definition>, String> {
        Ok(Vec::new())
    }
}

impl gate::Guest for Callbacks {
    async fn enabled() -> bool {
        false
    }

    async fn check(_candidate: gate::Candidate) -> Result<(), String> {
        Ok(())
    }
}

impl events::Guest for Callbacks {
    async fn wanted() -> events::Kinds {
        events::Kinds::empty()
    }

    async fn deliver(_events: Vec<events::Event>) {}
}
