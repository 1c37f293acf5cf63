//! `wasmcloud:messaging/consumer@0.3.0`.

use std::time::{Duration, Instant};

use bytes::Bytes;
use mainstay_nats_core::subject::lossy;
use wit_bindgen::{StreamReader, StreamResult};

use crate::Client;
use crate::bindings::exports::wasmcloud::messaging0_3_0::consumer::Guest;
use crate::bindings::exports::wasmcloud::messaging0_3_0::types::{BrokerMessage, Error};
use crate::bindings::wit_stream;
use crate::conversation::{Failure, PUBLISH, message, with};

/// How much of a body is read at once.
const READ: usize = 64 << 10;

/// No NATS server takes larger messages, so a body is not read any further.
const LARGEST: usize = 64 << 20;

/// How long a request without a timeout of its own may take.
const REQUEST: Duration = Duration::from_secs(10);

impl Guest for Client {
    async fn request(subject: String, body: StreamReader<u8>, timeout_ms: Option<u32>) -> Result<BrokerMessage, Error> {
        let message = message(subject, Vec::new(), read(body).await?)?;
        let timeout = timeout_ms.map_or(REQUEST, |milliseconds| Duration::from_millis(milliseconds.into()));
        let deadline = Instant::now() + timeout;
        let answer = with(deadline, |conversation| conversation.ask(message, deadline))?;
        let (mut writer, reader) = wit_stream::new();
        let payload = answer.payload.to_vec();
        wit_bindgen::spawn_local(async move {
            // Who does not want the rest does not read it.
            let _ = writer.write_all(payload).await;
        });
        Ok(BrokerMessage {
            subject: lossy(&answer.subject),
            body: reader,
            reply_to: answer.reply.as_deref().map(lossy),
        })
    }

    async fn publish(msg: BrokerMessage) -> Result<(), Error> {
        let mut message = message(msg.subject, Vec::new(), read(msg.body).await?)?;
        message.reply = msg.reply_to.map(Bytes::from);
        let deadline = Instant::now() + PUBLISH;
        Ok(with(deadline, |conversation| conversation.publish(&message, deadline))?)
    }
}

/// A body to its end.
async fn read(mut body: StreamReader<u8>) -> Result<Vec<u8>, Error> {
    let mut whole = Vec::new();
    loop {
        whole.reserve(READ);
        let (status, more) = body.read(whole).await;
        whole = more;
        if whole.len() > LARGEST {
            return Err(Error::MessageTooLarge);
        }
        match status {
            StreamResult::Complete(_) => {}
            StreamResult::Dropped | StreamResult::Cancelled => return Ok(whole),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Subject(_) => Self::SubjectInvalid,
            Failure::Denied(_) => Self::AccessDenied,
            Failure::TimedOut => Self::Timeout,
            Failure::TooLarge(_) => Self::MessageTooLarge,
            Failure::Unavailable(_) => Self::BrokerUnavailable,
            Failure::NoResponders | Failure::Header(_) => Self::Other(failure.to_string()),
        }
    }
}
