//! The message that is left of one that nobody could handle: the original's headers and body, and why.

use bytes::Bytes;

use crate::headers::Headers;
use crate::jetstream::ack::Delivery;
use crate::protocol::Message;

/// Why: the last attempt's failure.
pub const REASON: &str = "Dead-Letter-Reason";
/// The subject that the message was published to.
pub const SUBJECT: &str = "Dead-Letter-Subject";
/// The stream that it came from.
pub const STREAM: &str = "Dead-Letter-Stream";
/// The consumer that delivered it.
pub const CONSUMER: &str = "Dead-Letter-Consumer";
/// Its place in that stream.
pub const SEQUENCE: &str = "Dead-Letter-Sequence";
/// How often it was delivered.
pub const ATTEMPTS: &str = "Dead-Letter-Attempts";
/// The `Nats-Msg-Id` that it had.
pub const MESSAGE_ID: &str = "Dead-Letter-Msg-Id";
/// Bytes of the body that is not here, because server and stream take no message of that size.
pub const LEFT_OUT: &str = "Dead-Letter-Left-Out";

/// A reason may be this long; what is behind it is cut off.
const MAX_REASON: usize = 4096;

/// The message that is left of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// What to publish.
    pub message: Message,
    /// Whether the body, and perhaps the headers of the original, had to be left out.
    pub is_cut: bool,
}

/// Headers that would tell the stream of dead letters what was meant for another.
const FOR_THE_STREAM: [&str; 8] = [
    "Nats-Expected-Stream",
    "Nats-Expected-Last-Msg-Id",
    "Nats-Expected-Last-Sequence",
    "Nats-Expected-Last-Subject-Sequence",
    "Nats-Expected-Last-Subject-Sequence-Subject",
    "Nats-Rollup",
    "Nats-TTL",
    "Nats-Msg-Id",
];

/// Makes the dead letter of a message, for `target`.
///
/// Its `Nats-Msg-Id` is made of stream, consumer and sequence, so that a stream keeps one even if a crash between the
/// dead letter and the end of the message makes another.
///
/// What says why comes on top of the original's size, and a server hangs up on whoever publishes more than `max_payload`
/// bytes. So the body of a message that had nearly as many is left out, [`LEFT_OUT`] in its place, and the headers of
/// one that is too large even so.
pub fn dead_letter(
    target: &str,
    message: &Message,
    delivery: &Delivery,
    reason: &str,
    max_payload: usize,
) -> DeadLetter {
    let original = message
        .headers
        .as_deref()
        .and_then(|block| Headers::parse(block).ok())
        .unwrap_or_default();
    let letter = |original: &Headers, body: Option<Bytes>| {
        let mut headers = headers(original, message, delivery, reason);
        if body.is_none() {
            // A name and a value that are as they should be.
            let _ = headers.push(LEFT_OUT, message.payload.len().to_string());
        }
        Message {
            subject: Bytes::copy_from_slice(target.as_bytes()),
            reply: None,
            headers: Some(headers.encode()),
            payload: body.unwrap_or_default(),
        }
    };
    let whole = letter(&original, Some(message.payload.clone()));
    if whole.size() <= max_payload {
        return DeadLetter {
            message: whole,
            is_cut: false,
        };
    }
    let without_body = letter(&original, None);
    DeadLetter {
        message: if without_body.size() <= max_payload {
            without_body
        } else {
            letter(&Headers::default(), None)
        },
        is_cut: true,
    }
}

fn headers(original: &Headers, message: &Message, delivery: &Delivery, reason: &str) -> Headers {
    let mut headers = Headers::default();
    // What was read as a header can be sent as one; a value that cannot is replaced.
    let mut add = |name: &str, value: &str| {
        let line: String = value
            .chars()
            .map(|c| if c == '\r' || c == '\n' { ' ' } else { c })
            .collect();
        let _ = headers.push(name, line);
    };
    for (name, value) in original.entries() {
        let own = FOR_THE_STREAM.iter().any(|known| known.eq_ignore_ascii_case(name));
        if name.eq_ignore_ascii_case("Nats-Msg-Id") {
            add(MESSAGE_ID, value);
        } else if !own {
            add(name, value);
        }
    }
    let Delivery {
        stream,
        consumer,
        stream_sequence,
        attempt,
        ..
    } = delivery;
    add(
        REASON,
        reason.get(..reason.floor_char_boundary(MAX_REASON)).unwrap_or_default(),
    );
    add(SUBJECT, &String::from_utf8_lossy(&message.subject));
    add(STREAM, stream);
    add(CONSUMER, consumer);
    add(SEQUENCE, &stream_sequence.to_string());
    add(ATTEMPTS, &attempt.to_string());
    add("Nats-Msg-Id", &format!("{stream}.{consumer}.{stream_sequence}"));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_body_stay_and_the_reason_is_added() {
        let block = "NATS/1.0\r\nTag: a\r\nNats-Msg-Id: 77\r\nnats-expected-stream: X\r\nTag: b\r\n\r\n";
        let message = Message {
            subject: Bytes::from("orders.eu"),
            headers: Some(Bytes::from(block)),
            payload: Bytes::from("body"),
            ..Message::default()
        };
        let delivery = Delivery::parse(b"$JS.ACK.ORDERS.worker.3.10.21.1.5").unwrap();
        let letter = dead_letter("dlq.orders", &message, &delivery, "no\nstock", 1024);
        assert!(!letter.is_cut);
        let letter = letter.message;
        assert_eq!(
            (letter.subject.as_ref(), letter.payload.as_ref()),
            (&b"dlq.orders"[..], &b"body"[..])
        );
        let headers = Headers::parse(letter.headers.as_deref().unwrap()).unwrap();
        let lines: Vec<String> = headers
            .entries()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            lines,
            [
                "Tag=a",
                "Dead-Letter-Msg-Id=77",
                "Tag=b",
                "Dead-Letter-Reason=no stock",
                "Dead-Letter-Subject=orders.eu",
                "Dead-Letter-Stream=ORDERS",
                "Dead-Letter-Consumer=worker",
                "Dead-Letter-Sequence=10",
                "Dead-Letter-Attempts=3",
                "Nats-Msg-Id=ORDERS.worker.10",
            ]
        );
    }

    #[test]
    fn it_is_never_larger_than_the_server_takes() {
        let block = Bytes::from("NATS/1.0\r\nTag: a\r\n\r\n");
        let message = |size: usize| Message {
            subject: Bytes::from("orders.eu"),
            headers: Some(block.clone()),
            payload: Bytes::from("x".repeat(size)),
            ..Message::default()
        };
        let delivery = Delivery::parse(b"$JS.ACK.ORDERS.worker.3.10.21.1.5").unwrap();
        let letter = |size, limit| dead_letter("dlq.orders", &message(size), &delivery, "no stock", limit);
        let limit = letter(100, usize::MAX).message.size();
        assert!(!letter(100, limit).is_cut, "at the limit");
        let cut = letter(101, limit);
        assert!(cut.is_cut && cut.message.payload.is_empty() && cut.message.size() <= limit);
        let headers = Headers::parse(cut.message.headers.as_deref().unwrap()).unwrap();
        assert_eq!(
            (headers.first("Tag"), headers.first(LEFT_OUT)),
            (Some("a"), Some("101"))
        );
        let bare = letter(101, cut.message.size() - 1);
        let headers = Headers::parse(bare.message.headers.as_deref().unwrap()).unwrap();
        assert_eq!((headers.first("Tag"), headers.first(REASON)), (None, Some("no stock")));
    }

    #[test]
    fn a_reason_is_cut_between_two_letters() {
        let delivery = Delivery::parse(b"$JS.ACK.ORDERS.worker.3.10.21.1.5").unwrap();
        let reason = format!("a{}", "\u{e9}".repeat(3000));
        let letter = dead_letter("dlq", &Message::default(), &delivery, &reason, 1 << 20).message;
        let headers = Headers::parse(letter.headers.as_deref().unwrap()).unwrap();
        assert_eq!(headers.first(REASON).unwrap(), format!("a{}", "\u{e9}".repeat(2047)));
    }
}
