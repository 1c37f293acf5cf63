//! Where a delivery comes from, which its reply subject says (ADR-15), and what is answered to it.

use std::time::Duration;

use bytes::Bytes;

use crate::protocol::control::number;

/// What the reply subject of a delivery says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The stream.
    pub stream: String,
    /// The consumer.
    pub consumer: String,
    /// How often the message was delivered, 1 at first.
    pub attempt: u64,
    /// The message's place in the stream.
    pub stream_sequence: u64,
    /// The delivery's place among all of the consumer.
    pub consumer_sequence: u64,
    /// When the stream stored the message, in nanoseconds since 1970.
    pub stored: u64,
    /// Messages that the consumer has still to deliver.
    pub pending: u64,
}

impl Delivery {
    /// Reads `$JS.ACK.<stream>.<consumer>.<attempt>.<stream sequence>.<consumer sequence>.<stored>.<pending>`, or the
    /// same with domain and account hash after `ACK` and a random token at the end.
    pub fn parse(reply: &[u8]) -> Option<Self> {
        let tokens: Vec<&[u8]> = reply.strip_prefix(b"$JS.ACK.")?.split(|byte| *byte == b'.').collect();
        let tokens = match tokens.len() {
            7 => tokens.get(..),
            9.. => tokens.get(2..9),
            _ => None,
        };
        let Some(
            [
                stream,
                consumer,
                attempt,
                stream_sequence,
                consumer_sequence,
                stored,
                pending,
            ],
        ) = tokens
        else {
            return None;
        };
        Some(Self {
            stream: std::str::from_utf8(stream).ok()?.to_owned(),
            consumer: std::str::from_utf8(consumer).ok()?.to_owned(),
            attempt: number(attempt)?,
            stream_sequence: number(stream_sequence)?,
            consumer_sequence: number(consumer_sequence)?,
            stored: number(stored)?,
            pending: number(pending)?,
        })
    }
}

/// What is answered to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Ack,
    /// Deliver it again, after so long.
    Nak(Option<Duration>),
    /// Never deliver it again.
    Term,
    /// It is still being worked on: the ack-wait begins anew.
    InProgress,
}

impl Answer {
    /// The payload that says it.
    pub fn payload(self) -> Bytes {
        match self {
            Self::Ack => Bytes::from_static(b"+ACK"),
            Self::Nak(None) => Bytes::from_static(b"-NAK"),
            Self::Nak(Some(delay)) => Bytes::from(format!("-NAK {{\"delay\": {}}}", delay.as_nanos())),
            Self::Term => Bytes::from_static(b"+TERM"),
            Self::InProgress => Bytes::from_static(b"+WPI"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_reply_subject_are_read() {
        let expected = Delivery {
            stream: "ORDERS".to_owned(),
            consumer: "worker".to_owned(),
            attempt: 2,
            stream_sequence: 10,
            consumer_sequence: 21,
            stored: 1_700_000_000_000_000_000,
            pending: 5,
        };
        let short = b"$JS.ACK.ORDERS.worker.2.10.21.1700000000000000000.5";
        let long = b"$JS.ACK._.ACCHASH.ORDERS.worker.2.10.21.1700000000000000000.5.rnd";
        let without_token = b"$JS.ACK.hub.ACCHASH.ORDERS.worker.2.10.21.1700000000000000000.5";
        for reply in [&short[..], long, without_token] {
            assert_eq!(Delivery::parse(reply).as_ref(), Some(&expected));
        }
    }

    #[test]
    fn other_reply_subjects_are_no_deliveries() {
        for reply in [
            "_INBOX.x",
            "$JS.ACK",
            "$JS.ACK.S.c.1.2.3.4",
            "$JS.ACK.S.c.1.2.x.4.5",
            "$JS.ACK.S.c.1.2.3.4.5.6",
        ] {
            assert_eq!(Delivery::parse(reply.as_bytes()), None, "{reply}");
        }
    }

    #[test]
    fn a_delay_is_said_in_nanoseconds() {
        assert_eq!(
            Answer::Nak(Some(Duration::from_millis(1500))).payload(),
            "-NAK {\"delay\": 1500000000}"
        );
        assert_eq!(Answer::Nak(None).payload(), "-NAK");
    }
}
