//! `Export*ServiceResponse`: success, or partial success (OTLP 1.x §Partial Success).

use crate::Signal;
use crate::json::{self, JsonError};
use crate::wire::{Fields, Malformed, Value, check, put_bytes, put_key, put_message, put_varint};

/// What a receiver did not take of a request that it took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartialSuccess {
    /// Items that are not taken, and must not be sent again.
    pub rejected: u64,
    /// Why; or, with nothing rejected, a warning.
    pub message: String,
}

/// An answer that is none.
#[derive(Debug, thiserror::Error)]
pub enum ResponseError {
    /// Not protobuf.
    #[error(transparent)]
    Protobuf(#[from] Malformed),
    /// Not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
}

/// The answer in protobuf. Nothing rejected and nothing to say is an empty message.
pub fn to_protobuf(partial: Option<&PartialSuccess>) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(partial) = partial {
        let Ok(()) = put_message(&mut out, 1, |out| {
            if partial.rejected > 0 {
                put_key(out, 1, 0);
                put_varint(out, partial.rejected);
            }
            if !partial.message.is_empty() {
                put_bytes(out, 2, partial.message.as_bytes());
            }
            Ok::<_, std::convert::Infallible>(())
        });
    }
    out
}

/// The answer in JSON.
///
/// # Errors
/// None in fact: what [`to_protobuf`] makes is a message.
pub fn to_json(signal: Signal, partial: Option<&PartialSuccess>) -> Result<Vec<u8>, ResponseError> {
    Ok(json::encode(signal.response(), &to_protobuf(partial))?)
}

/// What a collector says it did not take, in protobuf.
///
/// # Errors
/// It is no such message.
pub fn from_protobuf(signal: Signal, bytes: &[u8]) -> Result<Option<PartialSuccess>, ResponseError> {
    check(signal.response(), bytes)?;
    let mut partial = None;
    for field in Fields::new(bytes).filter_map(Result::ok) {
        let (1, Value::Bytes(message)) = (field.number, field.value) else {
            continue;
        };
        let found: &mut PartialSuccess = partial.get_or_insert_default();
        for field in Fields::new(message).filter_map(Result::ok) {
            match (field.number, field.value) {
                (1, Value::Varint(count)) => found.rejected = u64::try_from(count as i64).unwrap_or(0),
                (2, Value::Bytes(text)) => found.message = String::from_utf8_lossy(text).into_owned(),
                _ => {}
            }
        }
    }
    // A collector may set it to say that all is well.
    Ok(partial.filter(|partial| *partial != PartialSuccess::default()))
}

/// What a collector says it did not take, in JSON.
///
/// # Errors
/// It is no such message.
pub fn from_json(signal: Signal, text: &[u8]) -> Result<Option<PartialSuccess>, ResponseError> {
    from_protobuf(signal, &json::decode(signal.response(), text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_rejected_is_read_back_in_both_encodings() {
        let partial = PartialSuccess {
            rejected: 3,
            message: "too old".to_owned(),
        };
        for signal in Signal::ALL {
            for partial in [None, Some(&partial)] {
                assert_eq!(from_protobuf(signal, &to_protobuf(partial)).unwrap().as_ref(), partial);
                assert_eq!(
                    from_json(signal, &to_json(signal, partial).unwrap()).unwrap().as_ref(),
                    partial
                );
            }
        }
        let json = to_json(Signal::Metrics, Some(&partial)).unwrap();
        assert_eq!(
            json,
            br#"{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"too old"}}"#
        );
        assert_eq!(to_json(Signal::Logs, None).unwrap(), b"{}");
    }

    #[test]
    fn a_partial_success_that_says_nothing_is_a_success() {
        assert_eq!(from_protobuf(Signal::Traces, b"\x0a\x00").unwrap(), None);
        assert_eq!(
            from_json(Signal::Traces, br#"{"partialSuccess":{"rejectedSpans":0}}"#).unwrap(),
            None
        );
    }
}
