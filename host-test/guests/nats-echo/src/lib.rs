//! A NATS handler that does nothing but send a request's body back, so that what is measured is the service and its
//! host. One with a header `Sleep` takes so many milliseconds.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../../wit/nats", world: "message-handler" });
    use super::Echo;
    export!(Echo);
}

use bindings::exports::mainstay::nats::handler::{Disposition, Guest, Message, Reply};

struct Echo;

impl Guest for Echo {
    async fn handle(message: Message) -> Result<Option<Reply>, Disposition> {
        let sleep = message.headers.iter().find(|(name, _)| name == "Sleep");
        if let Some(milliseconds) = sleep.and_then(|(_, value)| value.parse::<u64>().ok()) {
            wasip3::clocks::monotonic_clock::wait_for(milliseconds * 1_000_000).await;
        }
        Ok(message.reply_to.map(|_| Reply {
            headers: Vec::new(),
            body: message.body,
        }))
    }
}
