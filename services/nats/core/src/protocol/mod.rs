//! The NATS client protocol, both ends of it, as codecs without I/O.
//!
//! - [`from_client`]: what a component's client says to the loopback endpoint
//! - [`to_client`]: what the endpoint answers
//! - [`from_server`]: what the NATS server says to the service
//! - [`to_server`]: what the service says to it
//! - [`error`]: the errors of the protocol, with nats-server's texts
//! - [`refusal`]: what a server refuses without hanging up
//! - [`control`]: control lines, which all of them are made of
//!
//! Decoders take bytes as they come, in pieces of any size, and hand payloads on without copying them. They hold at most
//! one control line and one payload, both bounded.

pub mod control;
pub mod error;
pub mod from_client;
pub mod from_server;
pub mod refusal;
pub mod to_client;
pub mod to_server;

pub use error::ProtocolError;

use bytes::{Bytes, BytesMut};

/// The arguments of a control line may be this long (nats-server's default `max_control_line`).
pub const MAX_CONTROL_LINE: usize = 4096;

/// A message on its way, in either direction. All of it points into the buffer that it was read into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// What it was published to.
    pub subject: Bytes,
    /// Where an answer is expected, or what acknowledges it.
    pub reply: Option<Bytes>,
    /// The header block as it is on the wire.
    pub headers: Option<Bytes>,
    /// The body.
    pub payload: Bytes,
}

impl Message {
    /// Bytes of headers and body together: what a server counts against its limit.
    pub fn size(&self) -> usize {
        self.headers.as_ref().map_or(0, Bytes::len) + self.payload.len()
    }

    /// The same message in memory of its own. One that is kept must not hold on to the buffer that it was read into,
    /// which may be a thousand times larger.
    pub fn detach(&self) -> Self {
        let mut memory = BytesMut::with_capacity(self.weight());
        let mut copy = |bytes: &Bytes| {
            memory.extend_from_slice(bytes);
            memory.split().freeze()
        };
        Self {
            subject: copy(&self.subject),
            reply: self.reply.as_ref().map(&mut copy),
            headers: self.headers.as_ref().map(&mut copy),
            payload: copy(&self.payload),
        }
    }

    /// Bytes that it takes to hold on to it.
    pub fn weight(&self) -> usize {
        self.size() + self.subject.len() + self.reply.as_ref().map_or(0, Bytes::len)
    }
}
