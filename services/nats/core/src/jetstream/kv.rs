//! Key-value buckets (ADR-8): a bucket is a stream `KV_<bucket>` of subjects `$KV.<bucket>.<key>`, the value of a key is
//! the last message of its subject.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;

use super::api::{ConsumerConfig, create_consumer};
use super::instant;
use crate::headers::Headers;

/// Header of a message that says that a key has no value any more.
pub const OPERATION: &str = "KV-Operation";

/// Header of a write: the revision that the key is expected to have, 0 if it was never written.
pub const EXPECTED_REVISION: &str = "Nats-Expected-Last-Subject-Sequence";

/// Letters, digits, `_` and `-`.
pub fn is_bucket(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// Letters, digits and `-`, `/`, `_`, `=`, `.`, the last neither first nor last nor twice in a row.
pub fn is_key(key: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '/' | '_' | '=');
    key.split('.')
        .all(|token| !token.is_empty() && token.chars().all(allowed))
}

/// The stream of a bucket.
pub fn stream(bucket: &str) -> String {
    format!("KV_{bucket}")
}

/// The subject of a key.
pub fn subject(bucket: &str, key: &str) -> String {
    format!("$KV.{bucket}.{key}")
}

/// The key of a subject of a bucket.
pub fn key<'a>(bucket: &str, subject: &'a str) -> Option<&'a str> {
    subject.strip_prefix("$KV.")?.strip_prefix(bucket)?.strip_prefix('.')
}

/// Whether a message with these headers says that its key has no value any more.
pub fn is_deletion(headers: &Headers) -> bool {
    let purged_by_age = headers.first("Nats-Marker-Reason").is_some();
    purged_by_age
        || headers
            .first(OPERATION)
            .is_some_and(|operation| matches!(operation, "DEL" | "PURGE"))
}

/// A message as JetStream hands it out on request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its place in the stream.
    pub sequence: u64,
    /// Its headers.
    pub headers: Headers,
    /// Its body.
    pub body: Bytes,
    /// When it was stored: seconds and nanoseconds since 1970.
    pub stored: (i64, u32),
}

/// A request for the last message of a subject.
pub fn last_request(subject: &str) -> Bytes {
    Bytes::from(serde_json::json!({ "last_by_subj": subject }).to_string())
}

/// The message in the answer to it. `None`: the answer cannot be read.
pub fn last_answer(payload: &[u8]) -> Option<Stored> {
    #[derive(Deserialize)]
    struct Answer {
        message: Message,
    }
    #[derive(Deserialize)]
    struct Message {
        seq: u64,
        #[serde(default)]
        data: String,
        #[serde(default)]
        hdrs: String,
        time: String,
    }
    let Answer { message } = serde_json::from_slice(payload).ok()?;
    let headers = STANDARD.decode(message.hdrs).ok()?;
    Some(Stored {
        sequence: message.seq,
        headers: if headers.is_empty() {
            Headers::default()
        } else {
            Headers::parse(&headers).ok()?
        },
        body: Bytes::from(STANDARD.decode(message.data).ok()?),
        stored: instant::parse(&message.time)?,
    })
}

/// A request for a bucket that keeps one value a key (ADR-8).
pub fn create_bucket(bucket: &str) -> Bytes {
    let config = serde_json::json!({
        "name": stream(bucket),
        "subjects": [subject(bucket, ">")],
        "max_msgs_per_subject": 1,
        "discard": "new",
        "storage": "file",
        "num_replicas": 1,
        "allow_rollup_hdrs": true,
        "allow_direct": true,
        "deny_delete": true,
    });
    Bytes::from(config.to_string())
}

/// A request for a consumer that delivers the last message of each key to an inbox, and then what comes after.
pub fn create_watch(bucket: &str, name: &str, inbox: &str, keys_only: bool) -> Bytes {
    const SECOND: u64 = 1_000_000_000;
    let config = ConsumerConfig {
        name: name.to_owned(),
        deliver_subject: inbox.to_owned(),
        deliver_policy: "last_per_subject".to_owned(),
        ack_policy: "none".to_owned(),
        filter_subject: subject(bucket, ">"),
        max_deliver: 1,
        headers_only: keys_only,
        mem_storage: true,
        num_replicas: 1,
        inactive_threshold: 5 * 60 * SECOND,
        idle_heartbeat: 5 * SECOND,
        flow_control: true,
        ..ConsumerConfig::default()
    };
    create_consumer(&stream(bucket), &config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_nats_wants_them() {
        for good in ["settings", "A-b_9"] {
            assert!(is_bucket(good), "{good}");
        }
        for bad in ["", "a.b", "a b", "*", "é"] {
            assert!(!is_bucket(bad), "{bad}");
        }
        for good in ["colour", "a.b.c", "a/b=c-d_e"] {
            assert!(is_key(good), "{good}");
        }
        for bad in ["", ".a", "a.", "a..b", "a b", "a.*", ">", "é"] {
            assert!(!is_key(bad), "{bad}");
        }
        assert_eq!(key("b", "$KV.b.x.y"), Some("x.y"));
        assert_eq!(key("b", "$KV.bb.x"), None);
    }

    #[test]
    fn a_stored_message_is_read() {
        let answer = br#"{"type":"x","message":{"subject":"$KV.b.k","seq":7,"data":"cmVk",
            "hdrs":"TkFUUy8xLjANCktWLU9wZXJhdGlvbjogREVMDQoNCg==","time":"1970-01-01T00:00:01.5Z"}}"#;
        let stored = last_answer(answer).unwrap();
        assert_eq!(
            (stored.sequence, stored.body.as_ref(), stored.stored),
            (7, &b"red"[..], (1, 500_000_000))
        );
        assert!(is_deletion(&stored.headers));
        assert_eq!(last_answer(b"{}"), None);
        assert_eq!(last_request("$KV.b.k"), r#"{"last_by_subj":"$KV.b.k"}"#);
    }

    #[test]
    fn a_watch_begins_with_the_present() {
        let request = String::from_utf8(create_watch("b", "w", "_INBOX.x", true).to_vec()).unwrap();
        for part in [
            r#""stream_name":"KV_b""#,
            r#""deliver_policy":"last_per_subject""#,
            r#""filter_subject":"$KV.b.>""#,
            r#""headers_only":true"#,
        ] {
            assert!(request.contains(part), "{request}");
        }
    }
}
