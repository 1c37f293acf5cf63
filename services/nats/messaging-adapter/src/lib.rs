//! Lets a component that exports `wasmcloud:messaging/handler@0.3.0` join unmodified.
//!
//! Composed into `nats-messaging.wasm`. That interface knows neither headers nor replies: a component answers by
//! publishing to `reply-to`, for which `nats-client.wasm` is there.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({
        path: ["../../../wit/nats", "../../../wit/messaging", "wit"],
        world: "mainstay:messaging-adapter/adapter",
        generate_all,
    });
    use super::Adapter;
    export!(Adapter);
}

use bindings::exports::mainstay::nats::handler::{Disposition, Guest, Message, Reply};
use bindings::wasmcloud::messaging0_3_0::handler;
use bindings::wasmcloud::messaging0_3_0::types::{BrokerMessage, HandleMessageError};

struct Adapter;

impl Guest for Adapter {
    async fn handle(message: Message) -> Result<Option<Reply>, Disposition> {
        let (mut writer, body) = bindings::wit_stream::new();
        wit_bindgen::spawn_local(async move {
            // A handler that does not want the rest does not read it.
            let _ = writer.write_all(message.body).await;
        });
        let handled = handler::handle_message(BrokerMessage {
            subject: message.subject,
            body,
            reply_to: message.reply_to,
        });
        match handled.await {
            Ok(()) => Ok(None),
            Err(HandleMessageError::Retry) => Err(Disposition::Retry(None)),
            Err(HandleMessageError::Reject) => Err(Disposition::Reject),
            // Delivering it again will not help, says the interface, and there is no place for the text but the log.
            Err(HandleMessageError::Other(text)) => {
                eprintln!("{}: {text}", message.subscription);
                Err(Disposition::Reject)
            }
        }
    }
}
