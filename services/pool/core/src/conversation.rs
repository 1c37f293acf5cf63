//! What a hook and an upstream say to each other: something is sent, something has to come back.

use bytes::{Bytes, BytesMut};

/// The most steps of a conversation.
pub const STEPS: usize = 32;

/// The most bytes that are heard in all.
pub const HEARD: usize = 64 * 1024;

/// What has to come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// Nothing is waited for.
    Nothing,
    /// Exactly these bytes.
    These(Vec<u8>),
    /// So many.
    Count(usize),
    /// Everything up to these, and these.
    Until(Vec<u8>),
}

/// What an upstream says does not meet an expectation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unexpected {
    /// Other bytes.
    #[error("it says \"{0}\" in place of \"{1}\"")]
    Other(String, String),
    /// Too many.
    #[error("it says more than {HEARD} bytes")]
    TooLong,
}

impl Expectation {
    /// Takes what was waited for, if it is there whole; `room` is what may still be heard.
    ///
    /// # Errors
    /// It will not come.
    pub fn meet(&self, heard: &mut BytesMut, room: usize) -> Result<Option<Bytes>, Unexpected> {
        let length = match self {
            Self::Nothing => Some(0),
            Self::These(bytes) => {
                let length = bytes.len().min(heard.len());
                if heard.get(..length) != bytes.get(..length) {
                    return Err(Unexpected::Other(shown(heard), shown(bytes)));
                }
                (length == bytes.len()).then_some(length)
            }
            Self::Count(count) => (heard.len() >= *count).then_some(*count),
            Self::Until(end) => memchr::memmem::find(heard, end).map(|at| at + end.len()),
        };
        match length {
            Some(length) if length > room => Err(Unexpected::TooLong),
            None if heard.len() > room => Err(Unexpected::TooLong),
            Some(length) => Ok(Some(heard.split_to(length).freeze())),
            None => Ok(None),
        }
    }
}

/// The beginning of what was said, for an error.
fn shown(bytes: &[u8]) -> String {
    let beginning = bytes.get(..40).unwrap_or(bytes);
    beginning.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meet(expectation: &Expectation, heard: &str) -> Result<Option<(String, String)>, Unexpected> {
        let mut left = BytesMut::from(heard);
        let met = expectation.meet(&mut left, 10)?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Ok(met.map(|met| (text(&met), text(&left))))
    }

    #[test]
    fn an_expectation_is_met_whole_or_not_yet() {
        let these = Expectation::These(b"+OK\n".to_vec());
        let until = Expectation::Until(b"\r\n".to_vec());
        for (expectation, heard, met) in [
            (&Expectation::Nothing, "", Some(("", ""))),
            (&Expectation::Nothing, "hello", Some(("", "hello"))),
            (&these, "", None),
            (&these, "+O", None),
            (&these, "+OK\nmore", Some(("+OK\n", "more"))),
            (&Expectation::Count(3), "ab", None),
            (&Expectation::Count(3), "abcd", Some(("abc", "d"))),
            (&until, "220 a\r", None),
            (&until, "220 a\r\nb", Some(("220 a\r\n", "b"))),
        ] {
            let met = met.map(|(met, left)| (met.to_owned(), left.to_owned()));
            assert_eq!(meet(expectation, heard), Ok(met), "{expectation:?} {heard:?}");
        }
    }

    #[test]
    fn what_cannot_be_met_is_said_at_once() {
        let these = Expectation::These(b"+OK\n".to_vec());
        let refused = meet(&these, "-ERR no\n").unwrap_err();
        assert_eq!(refused.to_string(), r#"it says "-ERR no\n" in place of "+OK\n""#);
        let until = Expectation::Until(b"\n".to_vec());
        assert_eq!(meet(&until, "0123456789a"), Err(Unexpected::TooLong));
        assert_eq!(meet(&Expectation::Count(11), "0123456789a"), Err(Unexpected::TooLong));
        assert_eq!(meet(&until, "012345678").unwrap(), None);
    }
}
