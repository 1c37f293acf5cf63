//! What the service says to the NATS server: CONNECT, PUB, HPUB, SUB, UNSUB, PING, PONG.

use bytes::{BufMut, BytesMut};
use serde::Serialize;

use super::control::put_number;
use super::{MAX_CONTROL_LINE, Message};

/// How the service presents itself.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct Connect {
    /// Never: `+OK` after each operation is of no use.
    pub verbose: bool,
    /// Never: the service checks subjects itself.
    pub pedantic: bool,
    /// Whether TLS is a must.
    pub tls_required: bool,
    /// The connection's name, as `nats server report connections` shows it.
    pub name: String,
    /// `rust`.
    pub lang: &'static str,
    /// Version of this service.
    pub version: &'static str,
    /// 1: INFO may come at any time.
    pub protocol: u8,
    /// Whether own messages come back.
    pub echo: bool,
    /// Always: headers are understood.
    pub headers: bool,
    /// Always: requests without a responder fail at once.
    pub no_responders: bool,
    /// Who it is.
    #[serde(flatten)]
    pub proof: Proof,
}

/// What proves who the service is. Its `Debug` shows none of it.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// User name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Password of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pass: Option<String>,
    /// Token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_token: Option<String>,
    /// User JWT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<String>,
    /// Public nkey.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nkey: Option<String>,
    /// The server's nonce, signed; base64url without padding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sig: Option<String>,
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proof(***)")
    }
}

/// CONNECT.
pub fn connect(out: &mut BytesMut, connect: &Connect) {
    out.put_slice(b"CONNECT ");
    // Plain texts and flags always become JSON.
    out.put_slice(&serde_json::to_vec(connect).unwrap_or_default());
    out.put_slice(b"\r\n");
}

/// Whether a control line with this subject, and a reply subject or a queue group beside it, is one that a server takes. It
/// hangs up on whoever says a longer one.
pub fn fits(subject: &[u8], other: Option<&[u8]>) -> bool {
    // Two sizes of nine digits, or a subscription's number of at most twenty, and the blanks before them.
    const NUMBERS: usize = 21;
    subject.len() + other.map_or(0, |other| other.len() + 1) + NUMBERS <= MAX_CONTROL_LINE
}

/// PUB, or HPUB if the message has headers.
pub fn publish(out: &mut BytesMut, message: &Message) {
    let Message {
        subject,
        reply,
        headers,
        payload,
    } = message;
    out.reserve(message.weight() + 48);
    out.put_slice(if headers.is_some() { b"HPUB " } else { b"PUB " });
    out.put_slice(subject);
    out.put_u8(b' ');
    if let Some(reply) = reply {
        out.put_slice(reply);
        out.put_u8(b' ');
    }
    if let Some(block) = headers {
        put_number(out, block.len() as u64);
        out.put_u8(b' ');
    }
    put_number(out, message.size() as u64);
    out.put_slice(b"\r\n");
    out.put_slice(headers.as_deref().unwrap_or_default());
    out.put_slice(payload);
    out.put_slice(b"\r\n");
}

/// SUB.
pub fn subscribe(out: &mut BytesMut, subject: &[u8], queue: Option<&[u8]>, sid: u64) {
    out.put_slice(b"SUB ");
    out.put_slice(subject);
    out.put_u8(b' ');
    if let Some(queue) = queue {
        out.put_slice(queue);
        out.put_u8(b' ');
    }
    put_number(out, sid);
    out.put_slice(b"\r\n");
}

/// UNSUB, at once or after so many messages since SUB.
pub fn unsubscribe(out: &mut BytesMut, sid: u64, max: Option<u64>) {
    out.put_slice(b"UNSUB ");
    put_number(out, sid);
    if let Some(max) = max {
        out.put_u8(b' ');
        put_number(out, max);
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn operations_are_written_to_the_byte() {
        let mut out = BytesMut::new();
        subscribe(&mut out, b"a.*", None, 1);
        subscribe(&mut out, b"a.>", Some(b"q"), 2);
        unsubscribe(&mut out, 1, None);
        unsubscribe(&mut out, 2, Some(5));
        let mut message = Message {
            subject: Bytes::from("a"),
            payload: Bytes::from("xy"),
            ..Message::default()
        };
        publish(&mut out, &message);
        message.reply = Some(Bytes::from("r"));
        message.headers = Some(Bytes::from("NATS/1.0\r\n\r\n"));
        publish(&mut out, &message);
        let expected = "SUB a.* 1\r\nSUB a.> q 2\r\nUNSUB 1\r\nUNSUB 2 5\r\nPUB a 2\r\nxy\r\n\
                        HPUB a r 12 14\r\nNATS/1.0\r\n\r\nxy\r\n";
        assert_eq!(out, expected.as_bytes());
    }

    #[test]
    fn connect_says_only_what_it_knows_and_shows_no_secret() {
        let said = Connect {
            name: "orders".to_owned(),
            lang: "rust",
            version: "0.1.0",
            protocol: 1,
            echo: true,
            headers: true,
            no_responders: true,
            proof: Proof {
                auth_token: Some("s3cr3t".to_owned()),
                ..Proof::default()
            },
            ..Connect::default()
        };
        let mut out = BytesMut::new();
        connect(&mut out, &said);
        let line = String::from_utf8(out.to_vec()).unwrap();
        assert!(
            line.contains("\"auth_token\":\"s3cr3t\"") && !line.contains("\"user\""),
            "{line}"
        );
        assert!(!format!("{:?}", said.proof).contains("s3cr3t"));
    }
}
