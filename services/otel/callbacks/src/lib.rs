//! Optional OpenTelemetry callbacks that do nothing: no processor, no wish for events.
//!
//! Composed into `otel.wasm`, so that it is a sidecar for any workload, whatever its components export. Both are asked
//! once, when the service starts, and cost nothing after that.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../../wit/otel", world: "callbacks" });
    use super::Callbacks;
    export!(Callbacks);
}

use bindings::exports::mainstay::otel::{events, processor};

struct Callbacks;

impl processor::Guest for Callbacks {
    async fn wanted() -> processor::Signals {
        processor::Signals::empty()
    }

    async fn process(_signal: processor::Signal, _request: Vec<u8>) -> Result<processor::Verdict, String> {
        Ok(processor::Verdict::Keep)
    }
}

impl events::Guest for Callbacks {
    async fn wanted() -> events::Kinds {
        events::Kinds::empty()
    }

    async fn deliver(_events: Vec<events::Event>) {}
}
