//! Percent-encoding (RFC 3986 §2.1), as it stands in the credentials of URLs.

/// Why a text cannot be decoded. It is not shown: it may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecodable {
    /// A `%` is not followed by two hexadecimal digits.
    Digits,
    /// What it encodes is not UTF-8.
    Utf8,
}

/// Decodes a text.
///
/// ```
/// use mainstay_runtime::net::percent::{Undecodable, decode};
///
/// assert_eq!(decode("p%40ss").as_deref(), Ok("p@ss"));
/// assert_eq!(decode("p%4"), Err(Undecodable::Digits));
/// assert_eq!(decode("p%ff"), Err(Undecodable::Utf8));
/// ```
pub fn decode(text: &str) -> Result<String, Undecodable> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = rest.next().zip(rest.next());
        let value = digits.and_then(|(high, low)| {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            u8::try_from(digit(high)? * 16 + digit(low)?).ok()
        });
        bytes.push(value.ok_or(Undecodable::Digits)?);
    }
    String::from_utf8(bytes).map_err(|_| Undecodable::Utf8)
}
