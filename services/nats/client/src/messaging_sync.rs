//! `wasmcloud:messaging/consumer@0.2.0`.

use std::time::{Duration, Instant};

use bytes::Bytes;
use mainstay_nats_core::subject::lossy;

use crate::Client;
use crate::bindings::exports::wasmcloud::messaging0_2_0::consumer::Guest;
use crate::bindings::exports::wasmcloud::messaging0_2_0::types::BrokerMessage;
use crate::conversation::{PUBLISH, message, with};

impl Guest for Client {
    fn request(subject: String, body: Vec<u8>, timeout_ms: u32) -> Result<BrokerMessage, String> {
        let deadline = Instant::now() + Duration::from_millis(timeout_ms.into());
        let asked = message(subject, Vec::new(), body)
            .and_then(|message| with(deadline, |conversation| conversation.ask(message, deadline)));
        let answer = asked.map_err(|failure| failure.to_string())?;
        Ok(BrokerMessage {
            subject: lossy(&answer.subject),
            body: answer.payload.to_vec(),
            reply_to: answer.reply.as_deref().map(lossy),
        })
    }

    fn publish(msg: BrokerMessage) -> Result<(), String> {
        let deadline = Instant::now() + PUBLISH;
        let published = message(msg.subject, Vec::new(), msg.body).and_then(|mut message| {
            message.reply = msg.reply_to.map(Bytes::from);
            with(deadline, |conversation| conversation.publish(&message, deadline))
        });
        published.map_err(|failure| failure.to_string())
    }
}
