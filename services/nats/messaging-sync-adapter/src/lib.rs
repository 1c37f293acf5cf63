//! Lets a component that exports `wasmcloud:messaging/handler@0.2.0` join unmodified, beside `nats-messaging.wasm`.
//!
//! A component of its own and not a part of the service: what is called synchronously runs in its caller's store, and a
//! synchronous handler would block the service.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({
        path: ["../../../wit/messaging", "wit"],
        world: "mainstay:messaging-sync-adapter/adapter",
        generate_all,
    });
    use super::Adapter;
    export!(Adapter);
}

use bindings::exports::wasmcloud::messaging0_3_0::handler::Guest;
use bindings::exports::wasmcloud::messaging0_3_0::types::{BrokerMessage, HandleMessageError};
use bindings::wasmcloud::messaging0_2_0::{handler, types};

struct Adapter;

impl Guest for Adapter {
    async fn handle_message(message: BrokerMessage) -> Result<(), HandleMessageError> {
        let message = types::BrokerMessage {
            subject: message.subject,
            body: message.body.collect().await,
            reply_to: message.reply_to,
        };
        handler::handle_message(&message).map_err(HandleMessageError::Other)
    }
}
