//! Message headers: an ordered list of names and values, in which a name may come more than once (ADR-4).
//!
//! On the wire they are a block in front of the payload: `NATS/1.0`, with a status where the server speaks itself
//! (`NATS/1.0 503`), then a line for each header, then an empty line. The multiplexer passes blocks on as they came; only
//! who reads a header parses one.

use std::fmt::Write;

use bytes::{Bytes, BytesMut};

const VERSION: &[u8] = b"NATS/1.0";

/// No subscriber for a request (ADR-2).
pub const NO_RESPONDERS: u16 = 503;

/// Headers in their order, and the server's status if the block has one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    entries: Vec<(String, String)>,
    status: Option<Status>,
}

/// What the server says by a message that nobody published: `503`, `409 Consumer Deleted`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Three digits.
    pub code: u16,
    /// Its text, empty if there is none.
    pub description: String,
}

/// A block, name or value that is against the rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Not `NATS/1.0` first, or not an empty line last.
    #[error("a header block begins with NATS/1.0 and ends with an empty line")]
    Frame,
    /// A name to be sent that is empty or holds a colon, a blank or a control character.
    #[error("header name {0:?} is not printable ASCII without blanks and colons")]
    Name(String),
    /// A value to be sent that would end its line.
    #[error("the value of header {0:?} holds a line break")]
    Value(String),
}

impl Headers {
    /// Reads a block. Bytes of names and values that are not UTF-8 become U+FFFD. A line without a colon, or with nothing
    /// before it, is no header and is left out: servers pass on whatever stands in a block.
    ///
    /// ```
    /// use mainstay_nats_core::headers::Headers;
    ///
    /// let headers = Headers::parse(b"NATS/1.0\r\nTrace: 7\r\nTag: a\r\nTag: b\r\n\r\n").unwrap();
    /// assert_eq!(headers.first("trace"), Some("7"));
    /// assert_eq!(headers.entries().len(), 3);
    /// ```
    pub fn parse(block: &[u8]) -> Result<Self, HeaderError> {
        let status = status(block);
        let block = block.strip_suffix(b"\r\n\r\n").ok_or(HeaderError::Frame)?;
        if !is_version(block) {
            return Err(HeaderError::Frame);
        }
        let mut entries = Vec::new();
        for line in lines(block).skip(1) {
            let colon = memchr::memchr(b':', line).filter(|colon| *colon > 0);
            let Some((name, value)) = colon.and_then(|colon| line.split_at_checked(colon)) else {
                continue;
            };
            let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
            entries.push((
                String::from_utf8_lossy(name).into_owned(),
                String::from_utf8_lossy(value).into_owned(),
            ));
        }
        Ok(Self { entries, status })
    }

    /// Headers to be sent, checked.
    pub fn new(entries: Vec<(String, String)>) -> Result<Self, HeaderError> {
        let mut headers = Self::default();
        for (name, value) in entries {
            headers.push(name, value)?;
        }
        Ok(headers)
    }

    /// Adds a header at the end, whether or not there is one of this name.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) -> Result<(), HeaderError> {
        let (name, value) = (name.into(), value.into());
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') {
            return Err(HeaderError::Name(name));
        }
        if value.contains(['\r', '\n']) {
            return Err(HeaderError::Value(name));
        }
        self.entries.push((name, value));
        Ok(())
    }

    /// The headers in their order.
    pub fn entries(&self) -> &[(String, String)] {
        &self.entries
    }

    /// The headers in their order, taken out.
    pub fn into_entries(self) -> Vec<(String, String)> {
        self.entries
    }

    /// The value of the first header of this name, letters of either case being the same.
    pub fn first(&self, name: &str) -> Option<&str> {
        let found = self.entries.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The server's status.
    pub fn status(&self) -> Option<&Status> {
        self.status.as_ref()
    }

    /// Whether there is nothing to be sent.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The block to be sent. A status is the server's to say and is left out.
    pub fn encode(&self) -> Bytes {
        let mut block = BytesMut::from("NATS/1.0\r\n");
        for (name, value) in &self.entries {
            // Writing to memory does not fail.
            let _ = write!(block, "{name}: {value}\r\n");
        }
        block.extend_from_slice(b"\r\n");
        block.freeze()
    }
}

/// Whether the bytes frame a header block; its lines are not looked at.
pub fn is_block(block: &[u8]) -> bool {
    block.strip_suffix(b"\r\n\r\n").is_some_and(is_version)
}

fn is_version(block: &[u8]) -> bool {
    block
        .strip_prefix(VERSION)
        .is_some_and(|rest| matches!(rest.first(), None | Some(b' ' | b'\r')))
}

fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    block
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// The server's status of a block, found without parsing its headers.
pub fn status(block: &[u8]) -> Option<Status> {
    let line = lines(block.strip_prefix(VERSION)?).next()?.trim_ascii();
    let (code, description) = line.split_at_checked(3)?;
    Some(Status {
        code: std::str::from_utf8(code).ok()?.parse().ok()?,
        description: String::from_utf8_lossy(description.trim_ascii()).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn order_and_repetition_survive() {
        let block = b"NATS/1.0\r\nb: 1\r\na:2\r\nb:  3 \r\nEmpty:\r\n\r\n";
        let headers = Headers::parse(block).unwrap();
        let expected = [("b", "1"), ("a", "2"), ("b", "3"), ("Empty", "")];
        let entries: Vec<_> = headers
            .entries()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(entries, expected);
        assert_eq!(
            headers.encode().as_ref(),
            b"NATS/1.0\r\nb: 1\r\na: 2\r\nb: 3\r\nEmpty: \r\n\r\n"
        );
        assert_eq!(headers.first("B"), Some("1"));
    }

    #[test]
    fn a_status_is_read_with_and_without_a_description() {
        let status = |block: &[u8]| Headers::parse(block).unwrap().status().cloned();
        assert_eq!(status(b"NATS/1.0 503\r\n\r\n").unwrap().code, NO_RESPONDERS);
        let deleted = status(b"NATS/1.0 409 Consumer Deleted\r\nNats-X: 1\r\n\r\n").unwrap();
        assert_eq!((deleted.code, deleted.description.as_str()), (409, "Consumer Deleted"));
        assert_eq!(status(b"NATS/1.0\r\n\r\n"), None);
        assert_eq!(status(b"NATS/1.0 soon\r\n\r\n"), None);
    }

    #[test]
    fn blocks_that_are_none_are_refused() {
        for bad in [
            &b""[..],
            b"NATS/1.0",
            b"NATS/1.0\r\n",
            b"NATS/1.05\r\n\r\n",
            b"HTTP/1.1\r\n\r\n",
            b"NATS/1.0\r\na:b\r\n",
        ] {
            assert_eq!(Headers::parse(bad), Err(HeaderError::Frame), "{bad:?}");
            assert!(!is_block(bad));
        }
    }

    #[test]
    fn a_line_that_is_no_header_takes_none_of_the_others_with_it() {
        let headers = Headers::parse(b"NATS/1.0\r\na: 1\r\nno colon\r\n: no name\r\n\r\nb: 2\r\n\r\n").unwrap();
        let entries = [("a", "1"), ("b", "2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(headers.entries(), entries);
    }

    #[test]
    fn nothing_that_would_break_the_block_can_be_sent() {
        for name in ["", "a b", "a:b", "a\r\nb", "\u{e9}"] {
            assert_eq!(
                Headers::default().push(name, ""),
                Err(HeaderError::Name(name.to_owned()))
            );
        }
        assert_eq!(
            Headers::default().push("a", "x\r\nb: y"),
            Err(HeaderError::Value("a".to_owned()))
        );
    }

    proptest! {
        #[test]
        fn what_is_sent_is_read_again(entries in prop::collection::vec(("[!-9;-~]{1,8}", "[ -~]{0,8}"), 0..6)) {
            let trimmed: Vec<_> = entries.into_iter().map(|(name, value)| (name, value.trim().to_owned())).collect();
            let headers = Headers::new(trimmed).unwrap();
            prop_assert_eq!(Headers::parse(&headers.encode()), Ok(headers));
        }

        #[test]
        fn any_bytes_are_a_block_or_an_error(block in any::<Vec<u8>>()) {
            let _ = Headers::parse(&block);
        }
    }
}
