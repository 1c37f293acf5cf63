//! Whatever a server says, in pieces: operations or one error, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstay_nats_core::headers::Headers;
use mainstay_nats_core::jetstream::ack::Delivery;
use mainstay_nats_core::protocol::from_server::{Decoder, ServerOperation};

fuzz_target!(|pieces: Vec<Vec<u8>>| {
    let mut decoder = Decoder::default();
    for piece in pieces {
        decoder.buffer().extend_from_slice(&piece);
        while let Ok(Some(operation)) = decoder.next() {
            if let ServerOperation::Message { message, .. } = operation {
                let _ = message.headers.as_deref().map(Headers::parse);
                let _ = message.reply.as_deref().map(Delivery::parse);
            }
        }
    }
});
