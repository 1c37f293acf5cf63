//! A reactive component that NATS messages call: it greets whoever asks.
//!
//! It lives for one call. All that it needs to know comes with the message.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../wit/nats", world: "message-handler" });
    use super::Greeter;
    export!(Greeter);
}

use bindings::exports::mainstay::nats::handler::{Disposition, Guest, Message, Reply};

struct Greeter;

impl Guest for Greeter {
    async fn handle(message: Message) -> Result<Option<Reply>, Disposition> {
        let whom = String::from_utf8(message.body)
            .map_err(|error| Disposition::Failed(format!("the body is not text: {error}")))?;
        let greeting = format!("hello, {}", if whom.is_empty() { "world" } else { &whom });
        println!("{}: {greeting}", message.subject);
        Ok(Some(Reply {
            headers: Vec::new(),
            body: greeting.into_bytes(),
        }))
    }
}
