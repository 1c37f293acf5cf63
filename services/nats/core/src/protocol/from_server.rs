//! What the NATS server says: INFO, MSG, HMSG, PING, PONG, +OK, -ERR.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;

use super::Message;
use super::control::{Frames, arguments, number, size, split_operation};
use crate::subject::lossy;

/// INFO names every server of a cluster, so its line may be longer than a client's.
const MAX_LINE: usize = 256 * 1024;

/// nats-server takes no larger `max_payload`.
const MAX_PAYLOAD: usize = 64 * 1024 * 1024;

/// One operation of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerOperation {
    /// What the server says of itself: first of all, and when something has changed.
    Info(Box<ServerInfo>),
    /// MSG and HMSG: a message for a subscription of the service.
    Message {
        /// The subscription's number.
        sid: u64,
        /// The message.
        message: Message,
    },
    /// PING.
    Ping,
    /// PONG.
    Pong,
    /// +OK.
    Ok,
    /// -ERR, its text without quotes.
    Error(String),
}

/// What a server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ServerInfo {
    /// The server's identity.
    pub server_id: String,
    /// Its name.
    pub server_name: String,
    /// Its version.
    pub version: String,
    /// Whether it understands headers.
    pub headers: bool,
    /// Whether it asks for credentials.
    pub auth_required: bool,
    /// Whether TLS is a must.
    pub tls_required: bool,
    /// Whether TLS is offered.
    pub tls_available: bool,
    /// Bytes that headers and payload of one message may have.
    pub max_payload: usize,
    /// What to sign.
    pub nonce: String,
    /// Further servers of the cluster, `host:port`.
    pub connect_urls: Vec<String>,
    /// It is about to go: connect to another one.
    #[serde(rename = "ldm")]
    pub lame_duck: bool,
    /// Whether it has JetStream.
    pub jetstream: bool,
    /// Its JetStream domain.
    pub domain: Option<String>,
    /// The number that it has given to the connection.
    pub client_id: u64,
    /// Said by the loopback endpoint alone: whether there is a server behind it.
    pub connected: Option<bool>,
}

/// The server says something that is not the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer does not speak the NATS protocol: {0}")]
pub struct ServerFault(String);

/// Decodes what a server says.
#[derive(Debug)]
pub struct Decoder {
    frames: Frames,
    /// A MSG or HMSG whose payload has not come yet: subscription, message so far, bytes of headers, bytes in all.
    message: Option<(u64, Message, Option<usize>, usize)>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            frames: Frames::new(MAX_LINE),
            message: None,
        }
    }
}

impl Decoder {
    /// Where to put bytes that arrive, at the end.
    pub fn buffer(&mut self) -> &mut BytesMut {
        self.frames.buffer()
    }

    /// The next operation, `None` if it is not complete. After an error there is no next one.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator cannot tell an error from an incomplete line"
    )]
    pub fn next(&mut self) -> Result<Option<ServerOperation>, ServerFault> {
        loop {
            if let Some((sid, message, headers, size)) = self.message.take() {
                return self.finish(sid, message, headers, size);
            }
            let Some(line) = self.frames.line().map_err(|_| fault("a line without an end", b""))? else {
                return Ok(None);
            };
            if let Some(operation) = self.operation(&line)? {
                return Ok(Some(operation));
            }
        }
    }

    fn operation(&mut self, line: &Bytes) -> Result<Option<ServerOperation>, ServerFault> {
        let (name, rest) = split_operation(line);
        let operation = match name {
            b"MSG" => {
                self.message = Some(message(&rest).ok_or_else(|| fault("MSG", line))?);
                return Ok(None);
            }
            b"HMSG" => {
                self.message = Some(message_with_headers(&rest).ok_or_else(|| fault("HMSG", line))?);
                return Ok(None);
            }
            b"PING" => ServerOperation::Ping,
            b"PONG" => ServerOperation::Pong,
            b"+OK" => ServerOperation::Ok,
            b"-ERR" => {
                let text = lossy(&rest);
                ServerOperation::Error(text.trim_matches('\'').to_owned())
            }
            b"INFO" => {
                let info = serde_json::from_slice(&rest).map_err(|_| fault("INFO", line))?;
                ServerOperation::Info(Box::new(info))
            }
            _ => return Err(fault("unknown operation", line)),
        };
        Ok(Some(operation))
    }

    fn finish(
        &mut self,
        sid: u64,
        mut message: Message,
        headers: Option<usize>,
        size: usize,
    ) -> Result<Option<ServerOperation>, ServerFault> {
        match self.frames.payload(size) {
            Ok(Some(mut payload)) => {
                message.headers = headers.map(|length| payload.split_to(length));
                message.payload = payload;
                Ok(Some(ServerOperation::Message { sid, message }))
            }
            Ok(None) => {
                self.message = Some((sid, message, headers, size));
                Ok(None)
            }
            Err(_) => Err(fault("a payload longer than it said, for", &message.subject)),
        }
    }
}

/// The first bytes of what was said are in the error; a server says no secrets before it is told one.
fn fault(what: &str, line: &[u8]) -> ServerFault {
    let snippet = line.get(..line.len().min(32)).unwrap_or_default();
    ServerFault(format!("{what} {:?}", lossy(snippet)))
}

type Pending = (u64, Message, Option<usize>, usize);

fn message(rest: &Bytes) -> Option<Pending> {
    let (subject, sid, reply, length) = match arguments::<4>(rest)? {
        ([subject, sid, length, _], 3) => (subject, sid, None, length),
        ([subject, sid, reply, length], 4) => (subject, sid, Some(reply), length),
        _ => return None,
    };
    let size = size(&length).filter(|size| *size <= MAX_PAYLOAD)?;
    Some((
        number(&sid)?,
        Message {
            subject,
            reply,
            ..Message::default()
        },
        None,
        size,
    ))
}

fn message_with_headers(rest: &Bytes) -> Option<Pending> {
    let (subject, sid, reply, headers, length) = match arguments::<5>(rest)? {
        ([subject, sid, headers, length, _], 4) => (subject, sid, None, headers, length),
        ([subject, sid, reply, headers, length], 5) => (subject, sid, Some(reply), headers, length),
        _ => return None,
    };
    let size = size(&length).filter(|size| *size <= MAX_PAYLOAD)?;
    let headers = self::size(&headers).filter(|headers| *headers <= size)?;
    Some((
        number(&sid)?,
        Message {
            subject,
            reply,
            ..Message::default()
        },
        Some(headers),
        size,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(bytes: &[u8]) -> Result<Vec<ServerOperation>, ServerFault> {
        let mut decoder = Decoder::default();
        decoder.buffer().extend_from_slice(bytes);
        let mut operations = Vec::new();
        while let Some(operation) = decoder.next()? {
            operations.push(operation);
        }
        Ok(operations)
    }

    #[test]
    fn all_operations_of_a_server_are_understood() {
        let said =
            b"INFO {\"server_id\":\"A\",\"max_payload\":99,\"headers\":true,\"ldm\":true} \r\nPING\r\nPONG\r\n+OK\r\n\
                     -ERR 'Stale Connection'\r\nMSG a 1 2\r\nhi\r\nMSG a 1 r 0\r\n\r\n\
                     HMSG a.b 22 r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n";
        let operations = decode(said).unwrap();
        assert_eq!(operations.len(), 8);
        assert!(matches!(&operations[0], ServerOperation::Info(info) if info.lame_duck && info.max_payload == 99));
        assert_eq!(operations[4], ServerOperation::Error("Stale Connection".to_owned()));
        let with_headers = Message {
            subject: Bytes::from("a.b"),
            reply: Some(Bytes::from("r")),
            headers: Some(Bytes::from("NATS/1.0\r\n\r\n")),
            payload: Bytes::from("hi"),
        };
        assert_eq!(
            operations[7],
            ServerOperation::Message {
                sid: 22,
                message: with_headers
            }
        );
    }

    #[test]
    fn a_peer_that_speaks_something_else_is_found_out() {
        for (bad, text) in [
            (
                &b"HTTP/1.1 400 Bad Request\r\n"[..],
                "unknown operation \"HTTP/1.1 400 Bad Request\"",
            ),
            (b"MSG a 1\r\n", "MSG \"MSG a 1\""),
            (b"MSG a one 2\r\n", "MSG \"MSG a one 2\""),
            (b"HMSG a 1 9 2\r\n", "HMSG \"HMSG a 1 9 2\""),
            (b"INFO {\r\n", "INFO \"INFO {\""),
            (b"MSG a 1 2\r\nabcd\r\n", "a payload longer than it said, for \"a\""),
        ] {
            assert_eq!(decode(bad).unwrap_err(), ServerFault(text.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_operations_or_an_error(bytes in any::<Vec<u8>>()) {
            let _ = decode(&bytes);
        }
    }
}
