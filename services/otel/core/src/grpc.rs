//! The framing of gRPC over HTTP/2 (grpc/grpc doc/PROTOCOL-HTTP2.md), as far as a unary call goes.

use std::time::Duration;

use crate::status::{Code, Status};

/// The bytes in front of a message: whether it is compressed, and its length.
pub const PREFIX: usize = 5;

/// What is wrong with the body of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It ends in the middle of a message.
    #[error("the call ends in the middle of a message")]
    Truncated,
    /// A unary call has one message.
    #[error("more than one message in a unary call")]
    MoreThanOne,
    /// There are two values of the flag.
    #[error("a compression flag that is neither 0 nor 1")]
    Flag,
}

/// The prefix of a message of so many bytes.
pub fn prefix(compressed: bool, length: usize) -> [u8; PREFIX] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [u8::from(compressed), a, b, c, d]
}

/// The one message of a call's body, and whether it is compressed. None if there is no message.
///
/// # Errors
/// See [`FrameError`].
pub fn message(body: &[u8]) -> Result<Option<(bool, &[u8])>, FrameError> {
    let Some(([flag, length @ ..], rest)) = body.split_first_chunk::<PREFIX>() else {
        return if body.is_empty() {
            Ok(None)
        } else {
            Err(FrameError::Truncated)
        };
    };
    let length = u32::from_be_bytes(*length) as usize;
    if *flag > 1 {
        return Err(FrameError::Flag);
    }
    match rest.len() {
        actual if actual < length => Err(FrameError::Truncated),
        actual if actual > length => Err(FrameError::MoreThanOne),
        _ => Ok(Some((*flag == 1, rest))),
    }
}

/// A message for the header `grpc-message`, where what is not printable ASCII is percent-encoded.
pub fn encode_message(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The text of the header `grpc-message`. What is not encoded as it should be stays as it is.
pub fn decode_message(text: &str) -> String {
    let digit = |byte: Option<&u8>| {
        byte.and_then(|byte| char::from(*byte).to_digit(16))
            .map(|digit| digit as u8)
    };
    let (mut decoded, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((byte, after)) = rest.split_first() {
        let pair = (digit(after.first()), digit(after.get(1)));
        if let (b'%', (Some(high), Some(low))) = (byte, pair) {
            decoded.push(high << 4 | low);
            rest = after.get(2..).unwrap_or_default();
        } else {
            decoded.push(*byte);
            rest = after;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// How long the caller waits, by the header `grpc-timeout`: up to eight digits and a unit.
pub fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

/// The code of an answer that is no gRPC at all, from a proxy (grpc/grpc doc/http-grpc-status-mapping.md).
pub fn code_of_http(status: u16) -> Code {
    match status {
        400 => Code::INTERNAL,
        401 => Code(16),
        403 => Code(7),
        404 => Code::UNIMPLEMENTED,
        429 | 502 | 503 | 504 => Code::UNAVAILABLE,
        _ => Code::UNKNOWN,
    }
}

/// The HTTP status that says the same, and the code that goes with it in `google.rpc.Status`.
pub fn http_of_code(code: Code) -> u16 {
    match code {
        Code::OK => 200,
        Code::INVALID_ARGUMENT => 400,
        Code::RESOURCE_EXHAUSTED => 429,
        Code::UNIMPLEMENTED => 404,
        Code::UNAVAILABLE => 503,
        Code::DEADLINE_EXCEEDED => 504,
        _ => 500,
    }
}

/// What the trailers of an answer say: `grpc-status`, `grpc-message`, `grpc-status-details-bin`.
pub fn status<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Option<Status> {
    let code = Code(header("grpc-status")?.parse().ok()?);
    let message = header("grpc-message").map(decode_message).unwrap_or_default();
    let details = header("grpc-status-details-bin").and_then(Status::from_header);
    Some(Status {
        code,
        message,
        retry_after: details.and_then(|details| details.retry_after),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_goes_through_a_header(text: String) {
            let encoded = encode_message(&text);
            prop_assert!(encoded.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(decode_message(&encoded), text);
        }

        #[test]
        fn a_message_is_found_behind_its_prefix(compressed: bool, content: Vec<u8>) {
            let mut body = prefix(compressed, content.len()).to_vec();
            body.extend_from_slice(&content);
            prop_assert_eq!(message(&body), Ok(Some((compressed, &*content))));
            prop_assert_eq!(message(&body[..body.len() - 1]), Err(FrameError::Truncated));
            body.push(0);
            prop_assert_eq!(message(&body), Err(FrameError::MoreThanOne));
        }
    }

    #[test]
    fn a_body_without_a_message_is_none_and_a_strange_flag_is_refused() {
        assert_eq!(message(b""), Ok(None));
        assert_eq!(message(b"\x02\0\0\0\0"), Err(FrameError::Flag));
    }

    #[test]
    fn timeouts_have_a_unit() {
        assert_eq!(timeout("10S"), Some(Duration::from_secs(10)));
        assert_eq!(timeout("250m"), Some(Duration::from_millis(250)));
        for wrong in ["", "S", "10", "-1S", "123456789S", "1é"] {
            assert_eq!(timeout(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn percent_signs_that_encode_nothing_stay() {
        assert_eq!(decode_message("100% of %zz %e2%82%ac"), "100% of %zz €");
    }
}
