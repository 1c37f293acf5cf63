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
pub fn dead_letter(target: &str, message: &Message, delivery: &Delivery, reason: &str) -> Message {
    let original = message
        .headers
        .as_deref()
        .and_then(|block| Headers::parse(block).ok())
        .unwrap_or_default();
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
    add(REASON, reason);
    add(SUBJECT, &String::from_utf8_lossy(&message.subject));
    add(STREAM, stream);
    add(CONSUMER, consumer);
    add(SEQUENCE, &stream_sequence.to_string());
    add(ATTEMPTS, &attempt.to_string());
    add("Nats-Msg-Id", &format!("{stream}.{consumer}.{stream_sequence}"));
    Message {
        subject: Bytes::copy_from_slice(target.as_bytes()),
        reply: None,
        headers: Some(headers.encode()),
        payload: message.payload.clone(),
    }
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
        let letter = dead_letter("dlq.orders", &message, &delivery, "no\nstock");
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
}
