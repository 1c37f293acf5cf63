//! A handler of `wasmcloud:messaging@0.2.0` that does what a message's body says, and prints what it was called for.
//!
//! `sleep MILLISECONDS` (and nothing else of its instance goes on), `fail TEXT`. Whoever waits for an answer gets the body
//! back.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({
        inline: "package mainstay:test-nats-messaging-sync;
            world handler {
                import wasmcloud:messaging/consumer@0.2.0;
                export wasmcloud:messaging/handler@0.2.0;
            }",
        path: "../../../wit/messaging",
        world: "mainstay:test-nats-messaging-sync/handler",
        generate_all,
    });
    use super::Handler;
    export!(Handler);
}

use std::time::Duration;

use bindings::exports::wasmcloud::messaging0_2_0::handler::Guest;
use bindings::wasmcloud::messaging0_2_0::consumer;
use bindings::wasmcloud::messaging0_2_0::types::BrokerMessage;

struct Handler;

impl Guest for Handler {
    fn handle_message(message: BrokerMessage) -> Result<(), String> {
        let text = String::from_utf8_lossy(&message.body).into_owned();
        println!("begin {} {text}", message.subject);
        let (verb, rest) = text.split_once(' ').unwrap_or((&text, ""));
        match verb {
            "sleep" => std::thread::sleep(Duration::from_millis(rest.parse().unwrap_or_default())),
            "fail" => return Err(rest.to_owned()),
            _ => {}
        }
        if let Some(reply_to) = message.reply_to {
            let published = consumer::publish(&BrokerMessage {
                subject: reply_to,
                body: message.body,
                reply_to: None,
            });
            println!("replied {published:?}");
        }
        println!("end {} {text}", message.subject);
        Ok(())
    }
}
