//! Watching a bucket: its present values, then each change, in the order of revisions and with none left out.
//!
//! A watch is a consumer that nobody acknowledges to. It numbers its deliveries, so a missing one is noticed: by the next
//! delivery, or by a sign of life that names the last. Then another consumer takes over where this one was.

use bytes::Bytes;

use super::ack::Delivery;
use super::api::{ConsumerConfig, create_consumer};
use super::kv;
use crate::headers::Headers;
use crate::protocol::Message;
use crate::subject::{Pattern, lossy};

/// How far a watch has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last delivery of the present consumer.
    delivery: u64,
    /// The last revision that was seen, 0 if none was.
    revision: u64,
    /// Whether the present values have all come.
    present: bool,
}

/// What a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The next one.
    Next,
    /// The next one, of a revision that came before already.
    Again,
    /// Not the next one: deliveries are missing.
    Gap,
}

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: String,
    /// Its value, none if it was deleted.
    pub value: Option<Bytes>,
    /// Its revision.
    pub revision: u64,
    /// When it was written, in nanoseconds since 1970.
    pub written: u64,
    /// Changes that are known to follow.
    pub pending: u64,
}

/// The subjects of keys of a bucket.
pub fn subjects(bucket: &str, keys: &[Pattern]) -> Vec<String> {
    keys.iter().map(|keys| kv::subject(bucket, &keys.to_string())).collect()
}

impl Progress {
    /// A request for a pull consumer that goes on from here: with what comes after the last revision or, as long as the
    /// present values have not all come, with those.
    pub fn consumer(&mut self, bucket: &str, keys: &[Pattern], name: &str) -> Bytes {
        const MINUTE: u64 = 60 * 1_000_000_000;
        self.delivery = 0;
        let (deliver_policy, opt_start_seq) = if self.present {
            ("by_start_sequence", self.revision + 1)
        } else {
            ("last_per_subject", 0)
        };
        let mut config = ConsumerConfig {
            name: name.to_owned(),
            description: "a watch of mainstay-nats".to_owned(),
            deliver_policy: deliver_policy.to_owned(),
            opt_start_seq,
            ack_policy: "none".to_owned(),
            mem_storage: true,
            num_replicas: 1,
            inactive_threshold: 5 * MINUTE,
            ..ConsumerConfig::default()
        };
        config.filter(subjects(bucket, keys));
        create_consumer(&kv::stream(bucket), &config)
    }

    /// The consumer has so many messages to deliver: with none the present values have all come.
    pub fn begun(&mut self, pending: u64) {
        self.present |= pending == 0;
    }

    /// A message has come.
    pub fn delivered(&mut self, delivery: &Delivery) -> Seen {
        if delivery.consumer_sequence != self.delivery + 1 {
            return Seen::Gap;
        }
        self.delivery = delivery.consumer_sequence;
        self.present |= delivery.pending == 0;
        if delivery.stream_sequence <= self.revision {
            return Seen::Again;
        }
        self.revision = delivery.stream_sequence;
        Seen::Next
    }

    /// Whether a sign of life tells of deliveries that did not come.
    pub fn is_behind(&self, headers: &Headers) -> bool {
        let last = headers.first("Nats-Last-Consumer");
        last.and_then(|text| text.parse::<u64>().ok())
            .is_some_and(|last| last > self.delivery)
    }

    /// The last revision that was seen.
    pub fn revision(&self) -> u64 {
        self.revision
    }
}

/// What a message of a bucket says of its key; nothing, if it is none of the bucket.
pub fn change(bucket: &str, message: &Message, delivery: &Delivery) -> Option<Change> {
    let subject = lossy(&message.subject);
    let headers = message.headers.as_deref().and_then(|block| Headers::parse(block).ok());
    let deleted = headers.is_some_and(|headers| kv::is_deletion(&headers));
    Some(Change {
        key: kv::key(bucket, &subject)?.to_owned(),
        value: (!deleted).then(|| message.payload.clone()),
        revision: delivery.stream_sequence,
        written: delivery.stored,
        pending: delivery.pending,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(consumer_sequence: u64, stream_sequence: u64, pending: u64) -> Delivery {
        Delivery {
            stream: "KV_b".to_owned(),
            consumer: "w".to_owned(),
            attempt: 1,
            stream_sequence,
            consumer_sequence,
            stored: 7,
            pending,
        }
    }

    fn request(progress: &mut Progress, keys: &[&str]) -> String {
        let keys: Vec<Pattern> = keys.iter().map(|keys| keys.parse().unwrap()).collect();
        String::from_utf8(progress.consumer("b", &keys, "w").to_vec()).unwrap()
    }

    #[test]
    fn it_begins_with_the_present_and_goes_on_after_a_gap() {
        let mut progress = Progress::default();
        let first = request(&mut progress, &[">"]);
        for part in [
            r#""deliver_policy":"last_per_subject""#,
            r#""filter_subject":"$KV.b.>""#,
        ] {
            assert!(first.contains(part), "{first}");
        }
        assert_eq!(progress.delivered(&delivery(1, 10, 1)), Seen::Next);
        assert_eq!(progress.delivered(&delivery(2, 12, 0)), Seen::Next);
        assert_eq!(progress.delivered(&delivery(4, 14, 0)), Seen::Gap);
        let again = request(&mut progress, &["a.>", "c"]);
        for part in [
            r#""deliver_policy":"by_start_sequence","opt_start_seq":13"#,
            r#""filter_subjects":["$KV.b.a.>","$KV.b.c"]"#,
        ] {
            assert!(again.contains(part), "{again}");
        }
        assert_eq!(progress.delivered(&delivery(1, 13, 1)), Seen::Next);
    }

    #[test]
    fn a_gap_among_the_present_values_begins_with_them_again_and_repeats_none() {
        let mut progress = Progress::default();
        progress.begun(3);
        assert_eq!(progress.delivered(&delivery(1, 10, 2)), Seen::Next);
        assert_eq!(progress.delivered(&delivery(3, 12, 0)), Seen::Gap);
        assert!(request(&mut progress, &[">"]).contains("last_per_subject"));
        assert_eq!(progress.delivered(&delivery(1, 10, 2)), Seen::Again);
        assert_eq!(progress.delivered(&delivery(2, 11, 1)), Seen::Next);
        assert_eq!(progress.revision(), 11);
    }

    #[test]
    fn a_sign_of_life_tells_of_deliveries_that_did_not_come() {
        let mut progress = Progress::default();
        progress.begun(0);
        progress.delivered(&delivery(1, 10, 0));
        let alive = |last: u64| {
            let block = format!("NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: {last}\r\n\r\n");
            Headers::parse(block.as_bytes()).unwrap()
        };
        assert!(!progress.is_behind(&alive(1)));
        assert!(progress.is_behind(&alive(2)));
        assert!(!progress.is_behind(&Headers::default()));
    }

    #[test]
    fn a_deletion_has_no_value() {
        let mut message = Message {
            subject: Bytes::from("$KV.b.colour"),
            payload: Bytes::from("red"),
            ..Message::default()
        };
        let written = change("b", &message, &delivery(1, 10, 4)).unwrap();
        let expected = Change {
            key: "colour".to_owned(),
            value: Some(Bytes::from("red")),
            revision: 10,
            written: 7,
            pending: 4,
        };
        assert_eq!(written, expected);
        message.headers = Some(Bytes::from("NATS/1.0\r\nKV-Operation: DEL\r\n\r\n"));
        assert_eq!(change("b", &message, &delivery(1, 11, 0)).unwrap().value, None);
        assert_eq!(change("other", &message, &delivery(1, 11, 0)), None);
    }
}
