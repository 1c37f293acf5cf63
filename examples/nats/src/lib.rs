//! A reactive component that NATS messages call: it greets whoever asks, and tells the world of it.
//!
//! It lives for one call. What it needs to know comes with the message; what it has to say goes through `nats-client.wasm`.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../wit/nats", world: "messaging-component" });
    use super::Greeter;
    export!(Greeter);
}

use bindings::exports::mainstay::nats::handler::{Disposition, Guest, Message, Reply};
use bindings::mainstay::nats::publisher;

struct Greeter;

impl Guest for Greeter {
    async fn handle(message: Message) -> Result<Option<Reply>, Disposition> {
        let whom = message.subject.rsplit('.').next().unwrap_or("world");
        let greeting = format!("hello, {whom}");
        let event = publisher::Message {
            subject: format!("greeted.{whom}"),
            headers: vec![("traceparent".to_owned(), message.traceparent)],
            body: greeting.clone().into_bytes(),
        };
        if let Err(error) = publisher::publish(event, None).await {
            // Who asked gets the answer all the same.
            println!("not told: {error:?}");
        }
        Ok(Some(Reply {
            headers: Vec::new(),
            body: greeting.into_bytes(),
        }))
    }
}
