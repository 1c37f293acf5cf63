//! A handler of `wasmcloud:messaging@0.3.0` that does what a message's body says, and prints what it was called for.
//!
//! `sleep MILLISECONDS`, `retry`, `reject`, `other TEXT`, `unread` (the body is not read), `publish SUBJECT`. Whoever waits
//! for an answer gets the body back.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({
        inline: "package mainstay:test-nats-messaging;
            world handler {
                import wasmcloud:messaging/consumer@0.3.0;
                export wasmcloud:messaging/handler@0.3.0;
            }",
        path: "../../../wit/messaging",
        world: "mainstay:test-nats-messaging/handler",
        generate_all,
    });
    use super::Handler;
    export!(Handler);
}

use bindings::exports::wasmcloud::messaging0_3_0::handler::Guest;
use bindings::wasmcloud::messaging0_3_0::consumer;
use bindings::wasmcloud::messaging0_3_0::types::{BrokerMessage, HandleMessageError};

struct Handler;

impl Guest for Handler {
    async fn handle_message(message: BrokerMessage) -> Result<(), HandleMessageError> {
        if message.subject.ends_with(".unread") {
            println!("end {} unread", message.subject);
            return Ok(());
        }
        let body = message.body.collect().await;
        let text = String::from_utf8_lossy(&body).into_owned();
        println!("begin {} {text}", message.subject);
        let (verb, rest) = text.split_once(' ').unwrap_or((&text, ""));
        match verb {
            "sleep" => {
                let milliseconds: u64 = rest.parse().unwrap_or_default();
                wasip3::clocks::monotonic_clock::wait_for(milliseconds * 1_000_000).await;
            }
            "retry" => return Err(HandleMessageError::Retry),
            "reject" => return Err(HandleMessageError::Reject),
            "other" => return Err(HandleMessageError::Other(rest.to_owned())),
            "publish" => println!("published {rest}: {:?}", publish(rest.to_owned(), Vec::new()).await),
            _ => {}
        }
        if let Some(reply_to) = message.reply_to {
            let published = publish(reply_to, body).await;
            println!("replied {published:?}");
        }
        println!("end {} {text}", message.subject);
        Ok(())
    }
}

async fn publish(subject: String, body: Vec<u8>) -> Result<(), consumer::Error> {
    let (mut writer, reader) = bindings::wit_stream::new();
    wit_bindgen::spawn_local(async move {
        let _ = writer.write_all(body).await;
    });
    consumer::publish(BrokerMessage {
        subject,
        body: reader,
        reply_to: None,
    })
    .await
}
