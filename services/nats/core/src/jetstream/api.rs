//! Requests to JetStream and their answers, as JSON (`io.nats.jetstream.api.v1`).

use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The subjects of the API: `$JS.API`, or `$JS.<domain>.API` of another domain, or what an account imports it as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    prefix: String,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            prefix: "$JS.API".to_owned(),
        }
    }
}

impl Api {
    /// The API of a domain.
    pub fn domain(domain: &str) -> Self {
        Self {
            prefix: format!("$JS.{domain}.API"),
        }
    }

    /// The API below a prefix.
    pub fn prefix(prefix: &str) -> Self {
        Self {
            prefix: prefix.trim_end_matches('.').to_owned(),
        }
    }

    /// Whether this is where JetStream is asked something, here or below `$JS`.
    pub fn covers(&self, subject: &[u8]) -> bool {
        let below = |prefix: &[u8]| {
            subject
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.first() == Some(&b'.'))
        };
        below(b"$JS") || below(self.prefix.as_bytes())
    }

    /// Where to ask what a consumer is.
    pub fn consumer_info(&self, stream: &str, consumer: &str) -> String {
        format!("{}.CONSUMER.INFO.{stream}.{consumer}", self.prefix)
    }

    /// Where to create a durable consumer, or change one (servers from 2.9 on).
    pub fn consumer_create(&self, stream: &str, consumer: &str) -> String {
        format!("{}.CONSUMER.CREATE.{stream}.{consumer}", self.prefix)
    }

    /// Where to ask a pull consumer for messages.
    pub fn next(&self, stream: &str, consumer: &str) -> String {
        format!("{}.CONSUMER.MSG.NEXT.{stream}.{consumer}", self.prefix)
    }

    /// Where to create a stream.
    pub fn stream_create(&self, stream: &str) -> String {
        format!("{}.STREAM.CREATE.{stream}", self.prefix)
    }

    /// Where to publish what goes to `subject` of a bucket: through the API's prefix, if that is not the default one.
    pub fn kv_put(&self, subject: &str) -> String {
        if *self == Self::default() {
            subject.to_owned()
        } else {
            format!("{}.{subject}", self.prefix)
        }
    }

    /// Where to ask for one message of a stream.
    pub fn message_get(&self, stream: &str) -> String {
        format!("{}.STREAM.MSG.GET.{stream}", self.prefix)
    }

    /// Where to create a consumer that nobody else knows, by the filter in its subject (servers from 2.9 on).
    pub fn consumer_create_filtered(&self, stream: &str, consumer: &str, filter: &str) -> String {
        format!("{}.CONSUMER.CREATE.{stream}.{consumer}.{filter}", self.prefix)
    }

    /// Where to publish for a subject that a stream behind this API takes: to the subject itself, or through the API of
    /// another domain or account, which hands it on.
    pub fn publish(&self, subject: &str) -> String {
        if *self == Self::default() {
            subject.to_owned()
        } else {
            format!("{}.{subject}", self.prefix)
        }
    }

    /// Where to delete a consumer.
    pub fn consumer_delete(&self, stream: &str, consumer: &str) -> String {
        format!("{}.CONSUMER.DELETE.{stream}.{consumer}", self.prefix)
    }
}

/// An error that JetStream answers with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, thiserror::Error)]
#[serde(default)]
#[error("{description} ({err_code})")]
pub struct ApiError {
    /// As of HTTP: 404, 503.
    pub code: u16,
    /// JetStream's own code.
    pub err_code: u32,
    /// What it is.
    pub description: String,
}

/// No such consumer.
pub const CONSUMER_NOT_FOUND: u32 = 10014;
/// No such stream.
pub const STREAM_NOT_FOUND: u32 = 10059;
/// There is a stream of this name, and it was made otherwise.
pub const STREAM_NAME_IN_USE: u32 = 10058;
/// No such message.
pub const MESSAGE_NOT_FOUND: u32 = 10037;
/// The last sequence, of the stream or of the subject, is not the one that was expected.
pub const WRONG_LAST_SEQUENCE: u32 = 10071;
/// The same, of a server that says so of a constant.
pub const WRONG_LAST_SEQUENCE_CONSTANT: u32 = 10164;

/// What came of reading an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// JetStream says no.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// It is not an answer of JetStream.
    #[error("the answer is not JetStream's: {0}")]
    Unreadable(String),
}

#[derive(Deserialize)]
struct Failure {
    error: Option<ApiError>,
}

/// Reads an answer.
pub fn answer<T: DeserializeOwned>(payload: &[u8]) -> Result<T, AnswerError> {
    let unreadable = |error: serde_json::Error| AnswerError::Unreadable(error.to_string());
    let failure: Failure = serde_json::from_slice(payload).map_err(unreadable)?;
    match failure.error {
        Some(error) => Err(error.into()),
        None => serde_json::from_slice(payload).map_err(unreadable),
    }
}

/// Something was made; what it is does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Made {}

/// What a stream says of a message that it stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct PublishAck {
    /// The stream.
    pub stream: String,
    /// The message's place in it.
    pub seq: u64,
    /// Whether it had the message already.
    #[serde(default)]
    pub duplicate: bool,
    /// The domain.
    #[serde(default)]
    pub domain: Option<String>,
}

/// What a consumer is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ConsumerInfo {
    /// How it was made.
    pub config: ConsumerConfig,
    /// Messages that it has still to deliver.
    pub num_pending: u64,
    /// Messages that it has delivered and that are not acknowledged.
    pub num_ack_pending: u64,
    /// What it has delivered.
    pub delivered: Delivered,
}

/// How far a consumer has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Delivered {
    /// Deliveries so far.
    pub consumer_seq: u64,
}

/// How a consumer is made, as far as the service asks for it or looks at it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsumerConfig {
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub durable_name: String,
    /// Its name once more, as servers from 2.9 on want it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where it begins: `all`, `last`, `new`, `last_per_subject`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub deliver_policy: String,
    /// The first message, where it begins `by_start_sequence`.
    #[serde(skip_serializing_if = "is_zero")]
    pub opt_start_seq: u64,
    /// `explicit`, `none` or `all`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ack_policy: String,
    /// How long it waits for an acknowledgement, in nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub ack_wait: u64,
    /// How often it delivers a message at most; -1 (or 0): without end.
    #[serde(skip_serializing_if = "is_nothing")]
    pub max_deliver: i64,
    /// How many unacknowledged messages it allows.
    #[serde(skip_serializing_if = "is_nothing")]
    pub max_ack_pending: i64,
    /// The only subject that it delivers.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub filter_subject: String,
    /// The only subjects that it delivers (servers from 2.10 on).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filter_subjects: Vec<String>,
    /// Where a push consumer delivers to; empty for a pull consumer.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub deliver_subject: String,
    /// Whether it delivers headers without bodies.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub headers_only: bool,
    /// Whether it is kept in memory only.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mem_storage: bool,
    /// How many servers keep it; 0: as many as keep the stream.
    #[serde(skip_serializing_if = "is_nothing")]
    pub num_replicas: i64,
    /// After so many nanoseconds without anybody listening it is deleted; 0: never, if it is durable.
    #[serde(skip_serializing_if = "is_zero")]
    pub inactive_threshold: u64,
    /// A sign of life at least so often, in nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub idle_heartbeat: u64,
    /// Whether the one it delivers to confirms from time to time that it keeps up.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub flow_control: bool,
}

impl ConsumerConfig {
    /// Lets it deliver what these patterns match; without any, all of the stream.
    pub fn filter(&mut self, mut patterns: Vec<String>) {
        // Servers before 2.10 know one only.
        match patterns.as_mut_slice() {
            [one] => self.filter_subject = std::mem::take(one),
            _ => self.filter_subjects = patterns,
        }
    }

    /// Whether it delivers what several patterns match and nothing else. A server before 2.10 leaves them out without a
    /// word, and delivers all of the stream.
    pub fn knows_filters(&self, patterns: &[String]) -> bool {
        patterns.len() < 2 || patterns.iter().all(|pattern| self.filter_subjects.contains(pattern))
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_nothing(number: &i64) -> bool {
    *number == 0
}

/// A request to create a consumer.
pub fn create_consumer(stream: &str, config: &ConsumerConfig) -> Bytes {
    #[derive(Serialize)]
    struct Create<'a> {
        stream_name: &'a str,
        config: &'a ConsumerConfig,
    }
    json(&Create {
        stream_name: stream,
        config,
    })
}

/// A request for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// At most so many.
    pub batch: u64,
    /// At most so many bytes, subjects and headers included; 0: as many as come.
    pub max_bytes: u64,
    /// For how long.
    pub expires: Duration,
    /// A sign of life at least so often, while there are no messages.
    pub heartbeat: Duration,
}

impl Next {
    /// The request.
    pub fn payload(&self) -> Bytes {
        #[derive(Serialize)]
        struct Request {
            batch: u64,
            #[serde(skip_serializing_if = "is_zero")]
            max_bytes: u64,
            expires: u64,
            idle_heartbeat: u64,
        }
        let nanoseconds = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        json(&Request {
            batch: self.batch,
            max_bytes: self.max_bytes,
            expires: nanoseconds(self.expires),
            idle_heartbeat: nanoseconds(self.heartbeat),
        })
    }
}

fn json<T: Serialize>(value: &T) -> Bytes {
    // Plain texts and numbers always become JSON.
    Bytes::from(serde_json::to_vec(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_an_error_and_nothing_else() {
        let error =
            answer::<PublishAck>(br#"{"error":{"code":404,"err_code":10059,"description":"stream not found"}}"#);
        let expected = ApiError {
            code: 404,
            err_code: STREAM_NOT_FOUND,
            description: "stream not found".to_owned(),
        };
        assert_eq!(error, Err(AnswerError::Api(expected)));
        let ack: PublishAck = answer(br#"{"stream":"S","seq":7,"duplicate":true}"#).unwrap();
        assert_eq!(
            ack,
            PublishAck {
                stream: "S".to_owned(),
                seq: 7,
                duplicate: true,
                domain: None
            }
        );
        assert!(matches!(
            answer::<PublishAck>(b"hello"),
            Err(AnswerError::Unreadable(_))
        ));
        assert!(matches!(answer::<PublishAck>(b"{}"), Err(AnswerError::Unreadable(_))));
    }

    #[test]
    fn a_consumer_is_asked_for_with_what_is_set_only() {
        let config = ConsumerConfig {
            durable_name: "w".to_owned(),
            ack_policy: "explicit".to_owned(),
            max_deliver: -1,
            ..ConsumerConfig::default()
        };
        let expected = r#"{"stream_name":"S","config":{"durable_name":"w","ack_policy":"explicit","max_deliver":-1}}"#;
        assert_eq!(create_consumer("S", &config), expected);
        let info: ConsumerInfo =
            answer(br#"{"type":"x","config":{"durable_name":"w","ack_wait":30000000000},"num_pending":4}"#).unwrap();
        assert_eq!((info.config.ack_wait, info.num_pending), (30_000_000_000, 4));
    }

    #[test]
    fn the_api_of_a_domain_has_another_prefix() {
        assert_eq!(Api::default().next("S", "c"), "$JS.API.CONSUMER.MSG.NEXT.S.c");
        assert_eq!(Api::default().kv_put("$KV.b.k"), "$KV.b.k");
        assert_eq!(Api::domain("hub").kv_put("$KV.b.k"), "$JS.hub.API.$KV.b.k");
        assert_eq!(
            Api::domain("hub").consumer_info("S", "c"),
            "$JS.hub.API.CONSUMER.INFO.S.c"
        );
        for (api, subject, covered) in [
            (Api::default(), "$JS.API.INFO", true),
            (Api::domain("hub"), "$JS.API.INFO", true),
            (Api::prefix("acme.API"), "acme.API.INFO", true),
            (Api::prefix("acme.API"), "acme.APIS.INFO", false),
            (Api::default(), "acme.API.INFO", false),
        ] {
            assert_eq!(api.covers(subject.as_bytes()), covered, "{subject}");
        }
        assert_eq!(Api::default().publish("$KV.b.k"), "$KV.b.k");
        assert_eq!(Api::domain("hub").publish("$KV.b.k"), "$JS.hub.API.$KV.b.k");
    }
}
