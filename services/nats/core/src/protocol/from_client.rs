//! What a client says: CONNECT, PUB, HPUB, SUB, UNSUB, PING, PONG.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;

use super::control::{Frames, arguments, number, size, split_operation};
use super::{MAX_CONTROL_LINE, Message, ProtocolError};
use crate::headers;

/// One operation of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientOperation {
    /// Who it is and what it can do.
    Connect(Connect),
    /// PUB and HPUB.
    Publish(Message),
    /// SUB.
    Subscribe {
        /// What to receive; not checked yet.
        subject: Bytes,
        /// The queue group, whose members share the messages.
        queue: Option<Bytes>,
        /// The client's own name for the subscription.
        sid: Bytes,
    },
    /// UNSUB.
    Unsubscribe {
        /// The client's name for the subscription.
        sid: Bytes,
        /// End it after so many messages, counted from its beginning; `None`: at once.
        max: Option<u64>,
    },
    /// PING.
    Ping,
    /// PONG.
    Pong,
}

/// What a client says of itself. Its credentials are none of the endpoint's business and are not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// `+OK` after each operation.
    pub verbose: bool,
    /// Whether subjects of publishes are checked for wildcards.
    pub pedantic: bool,
    /// Whether messages that it publishes come back to its own subscriptions.
    pub echo: bool,
    /// Whether it understands headers.
    pub headers: bool,
    /// Whether it wants to be told at once that nobody is there to answer a request.
    pub no_responders: bool,
    /// The protocol's version: 0 or 1.
    pub protocol: i64,
    /// The client's own name.
    pub name: String,
    /// The language of its library.
    pub lang: String,
    /// The library's version.
    pub version: String,
}

/// As nats-server assumes before CONNECT, and for what CONNECT leaves out.
impl Default for Connect {
    fn default() -> Self {
        Self {
            verbose: true,
            pedantic: true,
            echo: true,
            headers: false,
            no_responders: false,
            protocol: 0,
            name: String::new(),
            lang: String::new(),
            version: String::new(),
        }
    }
}

/// CONNECT on the wire. Some clients say `null` for what they leave out.
#[derive(Deserialize)]
struct RawConnect {
    verbose: Option<bool>,
    pedantic: Option<bool>,
    echo: Option<bool>,
    headers: Option<bool>,
    no_responders: Option<bool>,
    protocol: Option<i64>,
    name: Option<String>,
    lang: Option<String>,
    version: Option<String>,
}

impl From<RawConnect> for Connect {
    fn from(raw: RawConnect) -> Self {
        let default = Self::default();
        Self {
            verbose: raw.verbose.unwrap_or(default.verbose),
            pedantic: raw.pedantic.unwrap_or(default.pedantic),
            echo: raw.echo.unwrap_or(default.echo),
            headers: raw.headers.unwrap_or(default.headers),
            no_responders: raw.no_responders.unwrap_or(default.no_responders),
            protocol: raw.protocol.unwrap_or(default.protocol),
            name: raw.name.unwrap_or_default(),
            lang: raw.lang.unwrap_or_default(),
            version: raw.version.unwrap_or_default(),
        }
    }
}

/// Decodes what a client says.
///
/// ```
/// use mainstay_nats_core::protocol::from_client::{ClientOperation, Decoder};
///
/// let mut decoder = Decoder::new(1024 * 1024);
/// decoder.buffer().extend_from_slice(b"PING\r\nPUB greet");
/// assert_eq!(decoder.next(), Ok(Some(ClientOperation::Ping)));
/// assert_eq!(decoder.next(), Ok(None));
/// ```
#[derive(Debug)]
pub struct Decoder {
    frames: Frames,
    max_payload: usize,
    headers: bool,
    /// A PUB or HPUB whose payload has not come yet.
    publish: Option<Publish>,
}

#[derive(Debug)]
struct Publish {
    subject: Bytes,
    reply: Option<Bytes>,
    /// Bytes of the header block; `None` if there is none.
    headers: Option<usize>,
    /// Bytes of header block and payload together.
    size: usize,
}

impl Decoder {
    /// Decodes with a limit of bytes for headers and payload of one message.
    pub fn new(max_payload: usize) -> Self {
        Self {
            frames: Frames::new(MAX_CONTROL_LINE + 8),
            max_payload,
            headers: false,
            publish: None,
        }
    }

    /// Where to put bytes that arrive, at the end. It never holds more than a message and what came with it in one read.
    pub fn buffer(&mut self) -> &mut BytesMut {
        self.frames.buffer()
    }

    /// The limit that the server tells may change when the service connects to another one.
    pub fn set_max_payload(&mut self, max_payload: usize) {
        self.max_payload = max_payload;
    }

    /// The next operation, `None` if it is not complete. After an error there is no next one.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator cannot tell an error from an incomplete line"
    )]
    pub fn next(&mut self) -> Result<Option<ClientOperation>, ProtocolError> {
        loop {
            if let Some(publish) = self.publish.take() {
                return self.finish(publish);
            }
            let Some(line) = self.frames.line().map_err(|_| ProtocolError::MaxControlLine)? else {
                return if is_beginning(self.frames.peek()) {
                    Ok(None)
                } else {
                    Err(ProtocolError::UnknownOperation)
                };
            };
            if let Some(operation) = self.operation(&line)? {
                return Ok(Some(operation));
            }
        }
    }

    /// What a line says, `None` if it says nothing or a payload has to follow.
    fn operation(&mut self, line: &Bytes) -> Result<Option<ClientOperation>, ProtocolError> {
        let (name, rest) = split_operation(line);
        if rest.len() > MAX_CONTROL_LINE {
            return Err(ProtocolError::MaxControlLine);
        }
        match OPERATIONS.iter().find(|known| known.eq_ignore_ascii_case(name)) {
            Some(&b"PUB") => self.publish = Some(self.publish(&rest)?),
            Some(&b"HPUB") => self.publish = Some(self.publish_with_headers(&rest)?),
            Some(&b"SUB") => return subscribe(&rest).map(Some),
            Some(&b"UNSUB") => return unsubscribe(&rest).map(Some),
            Some(&b"PING") => return Ok(Some(ClientOperation::Ping)),
            Some(&b"PONG") => return Ok(Some(ClientOperation::Pong)),
            Some(&b"CONNECT") => return self.connect(&rest).map(Some),
            // Known, and of no meaning from a client: INFO, +OK, -ERR.
            Some(_) => {}
            None => return Err(ProtocolError::UnknownOperation),
        }
        Ok(None)
    }

    fn connect(&mut self, rest: &[u8]) -> Result<ClientOperation, ProtocolError> {
        let raw: RawConnect = serde_json::from_slice(rest).map_err(|_| ProtocolError::Parser)?;
        let connect = Connect::from(raw);
        if !(0..=1).contains(&connect.protocol) {
            return Err(ProtocolError::InvalidClientProtocol);
        }
        if connect.no_responders && !connect.headers {
            return Err(ProtocolError::NoRespondersRequiresHeaders);
        }
        self.headers = connect.headers;
        Ok(ClientOperation::Connect(connect))
    }

    fn publish(&self, rest: &Bytes) -> Result<Publish, ProtocolError> {
        let (subject, reply, length) = match arguments::<3>(rest).ok_or(ProtocolError::Parser)? {
            ([subject, length, _], 2) => (subject, None, length),
            ([subject, reply, length], 3) => (subject, Some(reply), length),
            _ => return Err(ProtocolError::Parser),
        };
        let size = self.within_limit(size(&length).ok_or(ProtocolError::Parser)?)?;
        Ok(Publish {
            subject,
            reply,
            headers: None,
            size,
        })
    }

    fn publish_with_headers(&self, rest: &Bytes) -> Result<Publish, ProtocolError> {
        if !self.headers {
            return Err(ProtocolError::HeadersNotSupported);
        }
        let (subject, reply, headers, length) = match arguments::<4>(rest).ok_or(ProtocolError::Parser)? {
            ([subject, headers, length, _], 3) => (subject, None, headers, length),
            ([subject, reply, headers, length], 4) => (subject, Some(reply), headers, length),
            _ => return Err(ProtocolError::Parser),
        };
        let headers = size(&headers).ok_or(ProtocolError::Parser)?;
        let size = size(&length)
            .filter(|size| headers <= *size)
            .ok_or(ProtocolError::Parser)?;
        Ok(Publish {
            subject,
            reply,
            // Clients that always say HPUB say 0 where there are no headers, and nats-server takes it.
            headers: Some(headers).filter(|headers| *headers > 0),
            size: self.within_limit(size)?,
        })
    }

    fn within_limit(&self, size: usize) -> Result<usize, ProtocolError> {
        if size > self.max_payload {
            Err(ProtocolError::MaxPayload)
        } else {
            Ok(size)
        }
    }

    fn finish(&mut self, publish: Publish) -> Result<Option<ClientOperation>, ProtocolError> {
        let whole = self
            .frames
            .payload(publish.size)
            .map_err(|_| ProtocolError::UnknownOperation)?;
        let Some(mut payload) = whole else {
            self.publish = Some(publish);
            return Ok(None);
        };
        let headers = publish.headers.map(|length| payload.split_to(length));
        if headers.as_ref().is_some_and(|block| !headers::is_block(block)) {
            return Err(ProtocolError::Parser);
        }
        let message = Message {
            subject: publish.subject,
            reply: publish.reply,
            headers,
            payload,
        };
        Ok(Some(ClientOperation::Publish(message)))
    }
}

const OPERATIONS: [&[u8]; 10] = [
    b"PUB", b"HPUB", b"SUB", b"UNSUB", b"PING", b"PONG", b"CONNECT", b"INFO", b"+OK", b"-ERR",
];

/// Whether an operation may begin like this. nats-server hangs up at the first byte that cannot be one's, and so the one
/// who speaks another protocol is not left waiting for an answer.
fn is_beginning(text: &[u8]) -> bool {
    OPERATIONS.iter().any(|operation| {
        let length = operation.len().min(text.len());
        let same = text
            .get(..length)
            .zip(operation.get(..length))
            .is_some_and(|(a, b)| a.eq_ignore_ascii_case(b));
        same && text.get(length).is_none_or(|next| matches!(next, b' ' | b'\t' | b'\r'))
    })
}

fn subscribe(rest: &Bytes) -> Result<ClientOperation, ProtocolError> {
    match arguments::<3>(rest).ok_or(ProtocolError::Parser)? {
        ([subject, sid, _], 2) => Ok(ClientOperation::Subscribe {
            subject,
            queue: None,
            sid,
        }),
        ([subject, queue, sid], 3) => Ok(ClientOperation::Subscribe {
            subject,
            queue: Some(queue),
            sid,
        }),
        _ => Err(ProtocolError::Parser),
    }
}

fn unsubscribe(rest: &Bytes) -> Result<ClientOperation, ProtocolError> {
    match arguments::<2>(rest).ok_or(ProtocolError::Parser)? {
        ([sid, _], 1) => Ok(ClientOperation::Unsubscribe { sid, max: None }),
        // A maximum of 0 ends it at once.
        ([sid, max], 2) => {
            let max = number(&max).ok_or(ProtocolError::Parser)?;
            Ok(ClientOperation::Unsubscribe {
                sid,
                max: Some(max).filter(|max| *max > 0),
            })
        }
        _ => Err(ProtocolError::Parser),
    }
}

#[cfg(test)]
mod tests;
