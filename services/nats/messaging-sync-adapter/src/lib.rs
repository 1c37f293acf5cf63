//! Lets a component that exports `wasmcloud:messaging/handler@0.2.0` join unmodified, beside `nats.wasm` or
//! `nats-messaging.wasm`.
//!
//! A component of its own and not a part of the service: what is called synchronously runs in its caller's store, and a
//! synchronous handler would block the service. wash 2.7 runs what a service calls with a stream in the service's store
//! too, so there this one has to be called by the interface of plain values, which `nats.wasm` does.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({
        path: ["../../../wit/nats", "../../../wit/messaging", "wit"],
        world: "mainstay:messaging-sync-adapter/adapter",
        generate_all,
    });
    use super::Adapter;
    export!(Adapter);
}

use bindings::exports::mainstay::nats::handler::{self as service, Disposition, Message, Reply};
use bindings::exports::wasmcloud::messaging0_3_0::handler::Guest;
use bindings::exports::wasmcloud::messaging0_3_0::types::{BrokerMessage, HandleMessageError};
use bindings::wasmcloud::messaging0_2_0::{handler, types};

struct Adapter;

impl Guest for Adapter {
    async fn handle_message(message: BrokerMessage) -> Result<(), HandleMessageError> {
        let body = message.body.collect().await;
        call(message.subject, body, message.reply_to).map_err(HandleMessageError::Other)
    }
}

impl service::Guest for Adapter {
    async fn handle(message: Message) -> Result<Option<Reply>, Disposition> {
        match call(message.subject, message.body, message.reply_to) {
            Ok(()) => Ok(None),
            // Whether delivering it again would help is not said, and there is no place for the text but the log.
            Err(text) => {
                eprintln!("{}: {text}", message.subscription);
                Err(Disposition::Reject)
            }
        }
    }
}

fn call(subject: String, body: Vec<u8>, reply_to: Option<String>) -> Result<(), String> {
    handler::handle_message(&types::BrokerMessage {
        subject,
        body,
        reply_to,
    })
}
