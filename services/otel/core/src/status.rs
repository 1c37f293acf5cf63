//! `google.rpc.Status`: what a receiver answers when it does not take a request, in the request's own encoding.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::wire::{Fields, Value, put_bytes, put_key, put_message, put_varint};

/// A status code of gRPC (grpc/grpc doc/statuscodes.md), of which OTLP uses some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub u32);

impl Code {
    /// It went well.
    pub const OK: Self = Self(0);
    /// The caller gave up.
    pub const CANCELLED: Self = Self(1);
    /// Whatever has no code of its own.
    pub const UNKNOWN: Self = Self(2);
    /// The request is malformed.
    pub const INVALID_ARGUMENT: Self = Self(3);
    /// It took too long.
    pub const DEADLINE_EXCEEDED: Self = Self(4);
    /// Too large, or too much.
    pub const RESOURCE_EXHAUSTED: Self = Self(8);
    /// Undone for a reason that may pass.
    pub const ABORTED: Self = Self(10);
    /// Past the end.
    pub const OUT_OF_RANGE: Self = Self(11);
    /// No such method, no such encoding.
    pub const UNIMPLEMENTED: Self = Self(12);
    /// Broken.
    pub const INTERNAL: Self = Self(13);
    /// Not now.
    pub const UNAVAILABLE: Self = Self(14);
    /// Gone for good.
    pub const DATA_LOSS: Self = Self(15);

    /// Its name, as logs show it.
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 17] = [
            "OK",
            "CANCELLED",
            "UNKNOWN",
            "INVALID_ARGUMENT",
            "DEADLINE_EXCEEDED",
            "NOT_FOUND",
            "ALREADY_EXISTS",
            "PERMISSION_DENIED",
            "RESOURCE_EXHAUSTED",
            "FAILED_PRECONDITION",
            "ABORTED",
            "OUT_OF_RANGE",
            "UNIMPLEMENTED",
            "INTERNAL",
            "UNAVAILABLE",
            "DATA_LOSS",
            "UNAUTHENTICATED",
        ];
        NAMES
            .get(self.0 as usize)
            .copied()
            .unwrap_or("a code that does not exist")
    }
}

/// Why a request was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What kind of failure.
    pub code: Code,
    /// For people.
    pub message: String,
    /// `google.rpc.RetryInfo`: when to try again.
    pub retry_after: Option<Duration>,
}

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

impl Status {
    /// A failure that the same request would meet again.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retry_after: None,
        }
    }

    /// In protobuf.
    pub fn to_protobuf(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.code != Code::OK {
            put_key(&mut out, 1, 0);
            put_varint(&mut out, u64::from(self.code.0));
        }
        if !self.message.is_empty() {
            put_bytes(&mut out, 2, self.message.as_bytes());
        }
        if let Some(delay) = self.retry_after {
            let mut duration = Vec::new();
            put_key(&mut duration, 1, 0);
            put_varint(&mut duration, delay.as_secs());
            put_key(&mut duration, 2, 0);
            put_varint(&mut duration, u64::from(delay.subsec_nanos()));
            let mut info = Vec::new();
            put_bytes(&mut info, 1, &duration);
            let Ok(()) = put_message(&mut out, 3, |any| {
                put_bytes(any, 1, RETRY_INFO.as_bytes());
                put_bytes(any, 2, &info);
                Ok::<_, std::convert::Infallible>(())
            });
        }
        out
    }

    /// From protobuf. Details that are no `RetryInfo` are left out.
    pub fn from_protobuf(bytes: &[u8]) -> Option<Self> {
        let mut status = Self::new(Code::OK, "");
        for field in Fields::new(bytes) {
            let field = field.ok()?;
            match (field.number, field.value) {
                (1, Value::Varint(code)) => status.code = Code(code as u32),
                (2, Value::Bytes(text)) => status.message = String::from_utf8_lossy(text).into_owned(),
                (3, Value::Bytes(any)) => status.retry_after = status.retry_after.or(retry_info(any)),
                _ => {}
            }
        }
        Some(status)
    }

    /// In JSON, as protobuf maps it.
    pub fn to_json(&self) -> Vec<u8> {
        let detail = self.retry_after.map(|delay| Detail {
            kind: RETRY_INFO.to_owned(),
            delay: Some(seconds(delay)),
        });
        let json = Json {
            code: self.code.0,
            message: self.message.clone(),
            details: detail.into_iter().collect(),
        };
        serde_json::to_vec(&json).unwrap_or_default()
    }

    /// From JSON.
    pub fn from_json(text: &[u8]) -> Option<Self> {
        let json: Json = serde_json::from_slice(text).ok()?;
        let retry_after = json
            .details
            .iter()
            .filter(|detail| detail.kind == RETRY_INFO)
            .find_map(|detail| {
                let seconds: f64 = detail.delay.as_deref()?.strip_suffix('s')?.parse().ok()?;
                Duration::try_from_secs_f64(seconds).ok()
            });
        Some(Self {
            code: Code(json.code),
            message: json.message,
            retry_after,
        })
    }

    /// For the header `grpc-status-details-bin`.
    pub fn to_header(&self) -> String {
        STANDARD_NO_PAD.encode(self.to_protobuf())
    }

    /// From the header `grpc-status-details-bin`, with padding or without.
    pub fn from_header(text: &str) -> Option<Self> {
        let text = text.trim_end_matches('=');
        let bytes = STANDARD_NO_PAD.decode(text).or_else(|_| STANDARD.decode(text)).ok()?;
        Self::from_protobuf(&bytes)
    }
}

fn retry_info(any: &[u8]) -> Option<Duration> {
    let field = |message, number| {
        Fields::new(message)
            .filter_map(Result::ok)
            .filter(move |field| field.number == number)
            .last()
    };
    let bytes = |value| match value {
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    };
    if bytes(field(any, 1)?.value)? != RETRY_INFO.as_bytes() {
        return None;
    }
    let duration = bytes(field(bytes(field(any, 2)?.value)?, 1)?.value)?;
    let number = |number| match field(duration, number).map(|field| field.value) {
        Some(Value::Varint(value)) => value,
        _ => 0,
    };
    // A negative one is not honoured.
    let seconds = u64::try_from(number(1) as i64).ok()?;
    let nanoseconds = u32::try_from(number(2))
        .ok()
        .filter(|nanoseconds| *nanoseconds < 1_000_000_000)?;
    Some(Duration::new(seconds, nanoseconds))
}

/// As `google.protobuf.Duration` is written in JSON.
fn seconds(delay: Duration) -> String {
    match delay.subsec_nanos() {
        0 => format!("{}s", delay.as_secs()),
        nanoseconds => format!("{}.{nanoseconds:09}s", delay.as_secs()),
    }
}

#[derive(Serialize, Deserialize)]
struct Json {
    #[serde(default)]
    code: u32,
    #[serde(default)]
    message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    details: Vec<Detail>,
}

#[derive(Serialize, Deserialize)]
struct Detail {
    #[serde(rename = "@type", default)]
    kind: String,
    #[serde(rename = "retryDelay", default, skip_serializing_if = "Option::is_none")]
    delay: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Status {
        Status {
            retry_after: Some(Duration::from_millis(2500)),
            ..Status::new(Code::RESOURCE_EXHAUSTED, "the queue is full")
        }
    }

    #[test]
    fn a_status_is_read_back_in_all_three_encodings() {
        for status in [
            full(),
            Status::new(Code::INVALID_ARGUMENT, "no"),
            Status::new(Code::OK, ""),
        ] {
            assert_eq!(Status::from_protobuf(&status.to_protobuf()).as_ref(), Some(&status));
            assert_eq!(Status::from_json(&status.to_json()).as_ref(), Some(&status));
            assert_eq!(Status::from_header(&status.to_header()).as_ref(), Some(&status));
        }
    }

    #[test]
    fn it_is_written_as_protobuf_maps_it() {
        let json = String::from_utf8(full().to_json()).unwrap();
        let expected = r#"{"code":8,"message":"the queue is full","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"2.500000000s"}]}"#;
        assert_eq!(json, expected);
    }

    #[test]
    fn details_that_are_something_else_are_left_out() {
        let mut bytes = Status::new(Code::UNAVAILABLE, "x").to_protobuf();
        put_bytes(&mut bytes, 3, b"\x0a\x05other\x12\x02\x08\x01");
        let status = Status::from_protobuf(&bytes).unwrap();
        assert_eq!((status.code, status.retry_after), (Code::UNAVAILABLE, None));
        let json = br#"{"code":14,"details":[{"@type":"x","violations":[]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"-1s"}]}"#;
        assert_eq!(Status::from_json(json).unwrap().retry_after, None);
    }
}
