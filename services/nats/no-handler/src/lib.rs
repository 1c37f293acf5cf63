//! The handler of a workload that has none.
//!
//! Composed into `nats-endpoint.wasm` and into bundles of services, which then need no component that handles messages.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../../wit/nats", world: "message-handler" });
    use super::NoHandler;
    export!(NoHandler);
}

use bindings::exports::mainstay::nats::handler::{Disposition, Guest, Message, Reply};

struct NoHandler;

impl Guest for NoHandler {
    async fn handle(_message: Message) -> Result<Option<Reply>, Disposition> {
        let text =
            "this service calls no handler: take nats.wasm or bundle-nats.wasm for a workload with subscriptions";
        Err(Disposition::Failed(text.to_owned()))
    }
}
