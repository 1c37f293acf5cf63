//! What the loopback endpoint answers: INFO, MSG, HMSG, PING, PONG, +OK, -ERR.

use bytes::{BufMut, BytesMut};
use serde::Serialize;

use super::control::put_number;
use super::{Message, ProtocolError};
use crate::headers::is_block;

/// What the endpoint says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Info<'a> {
    /// The service's identity.
    pub server_id: &'a str,
    /// Its name.
    pub server_name: &'a str,
    /// The version of the server behind it: clients decide by it what they may use.
    pub version: &'a str,
    /// Version of the protocol: 1.
    pub proto: u8,
    /// Where it listens.
    pub host: &'a str,
    /// Where it listens.
    pub port: u16,
    /// Whether headers are understood: they are.
    pub headers: bool,
    /// Bytes that headers and payload of one message may have.
    pub max_payload: usize,
    /// Whether the server behind it has JetStream.
    pub jetstream: bool,
    /// A number for this connection.
    pub client_id: u64,
    /// The client's address.
    pub client_ip: &'a str,
    /// The server behind it is about to go.
    #[serde(rename = "ldm", skip_serializing_if = "std::ops::Not::not")]
    pub lame_duck: bool,
    /// The JetStream domain of the server behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<&'a str>,
    /// Whether there is a server behind it at present. No other server says so; clients that do not know it ignore it.
    pub connected: bool,
}

/// INFO.
pub fn info(out: &mut BytesMut, info: &Info<'_>) {
    out.put_slice(b"INFO ");
    // Plain texts and numbers always become JSON.
    out.put_slice(&serde_json::to_vec(info).unwrap_or_default());
    out.put_slice(b"\r\n");
}

/// MSG, or HMSG if it has headers and the client understands them; else they are left out, as nats-server does.
pub fn message(out: &mut BytesMut, sid: &[u8], message: &Message, with_headers: bool) {
    let Message {
        subject,
        reply,
        headers,
        payload,
    } = message;
    let headers = headers.as_ref().filter(|block| with_headers && is_block(block));
    out.reserve(subject.len() + sid.len() + message.weight() + 48);
    out.put_slice(if headers.is_some() { b"HMSG " } else { b"MSG " });
    out.put_slice(subject);
    out.put_u8(b' ');
    out.put_slice(sid);
    out.put_u8(b' ');
    if let Some(reply) = reply {
        out.put_slice(reply);
        out.put_u8(b' ');
    }
    if let Some(block) = headers {
        put_number(out, block.len() as u64);
        out.put_u8(b' ');
    }
    put_number(out, (headers.map_or(0, |block| block.len()) + payload.len()) as u64);
    out.put_slice(b"\r\n");
    out.put_slice(headers.map_or(b"", |block| block));
    out.put_slice(payload);
    out.put_slice(b"\r\n");
}

/// PING.
pub fn ping(out: &mut BytesMut) {
    out.put_slice(b"PING\r\n");
}

/// PONG.
pub fn pong(out: &mut BytesMut) {
    out.put_slice(b"PONG\r\n");
}

/// +OK.
pub fn ok(out: &mut BytesMut) {
    out.put_slice(b"+OK\r\n");
}

/// -ERR.
pub fn error(out: &mut BytesMut, error: &ProtocolError) {
    out.put_slice(b"-ERR '");
    out.put_slice(error.to_string().as_bytes());
    out.put_slice(b"'\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn written(of: impl FnOnce(&mut BytesMut)) -> String {
        let mut out = BytesMut::new();
        of(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn messages_are_written_to_the_byte() {
        let plain = Message {
            subject: Bytes::from("a.b"),
            payload: Bytes::from("hello"),
            ..Message::default()
        };
        assert_eq!(
            written(|out| message(out, b"9", &plain, true)),
            "MSG a.b 9 5\r\nhello\r\n"
        );
        let with_reply = Message {
            reply: Some(Bytes::from("_INBOX.1")),
            payload: Bytes::new(),
            ..plain.clone()
        };
        assert_eq!(
            written(|out| message(out, b"s1", &with_reply, true)),
            "MSG a.b s1 _INBOX.1 0\r\n\r\n"
        );
        let with_headers = Message {
            headers: Some(Bytes::from("NATS/1.0\r\nA: b\r\n\r\n")),
            ..with_reply
        };
        assert_eq!(
            written(|out| message(out, b"9", &with_headers, true)),
            "HMSG a.b 9 _INBOX.1 18 18\r\nNATS/1.0\r\nA: b\r\n\r\n\r\n"
        );
        assert_eq!(
            written(|out| message(out, b"9", &with_headers, false)),
            "MSG a.b 9 _INBOX.1 0\r\n\r\n"
        );
    }

    #[test]
    fn errors_have_the_texts_of_nats_server() {
        let text = |problem: ProtocolError| written(|out| error(out, &problem));
        assert_eq!(
            text(ProtocolError::UnknownOperation),
            "-ERR 'Unknown Protocol Operation'\r\n"
        );
        assert_eq!(
            text(ProtocolError::PublishDenied(b"a.b".to_vec())),
            "-ERR 'Permissions Violation for Publish to \"a.b\"'\r\n"
        );
        assert_eq!(
            text(ProtocolError::SubscribeDenied(b"a.>".to_vec(), Some(b"q".to_vec()))),
            "-ERR 'Permissions Violation for Subscription to \"a.>\" using queue \"q\"'\r\n"
        );
    }

    #[test]
    fn info_is_one_line_of_json() {
        let said = Info {
            server_id: "id",
            server_name: "mainstay",
            version: "2.15.1",
            proto: 1,
            host: "127.0.0.1",
            port: 4222,
            headers: true,
            max_payload: 1024,
            jetstream: true,
            client_id: 7,
            client_ip: "127.0.0.1",
            lame_duck: false,
            domain: None,
            connected: true,
        };
        let line = written(|out| info(out, &said));
        assert!(
            line.starts_with("INFO {\"server_id\":\"id\"") && line.ends_with("}\r\n"),
            "{line}"
        );
        assert!(!line.contains("ldm") && !line.contains("domain"));
    }
}
