//! Subjects and the patterns that match them.
//!
//! A subject is a list of tokens with dots between them (`orders.eu.created`). In a pattern the token `*` stands for any
//! one token, and a last token `>` for one or more. On the wire a subject is any bytes but blanks; nothing here asks for
//! UTF-8.

use std::fmt;

use bytes::Bytes;

/// Whether `subject` may be published to: tokens that are not empty, no blanks, no wildcards.
pub fn is_literal(subject: &[u8]) -> bool {
    is_pattern(subject) && !tokens(subject).any(is_wildcard)
}

/// Whether `subject` may be subscribed to: a literal subject, or one with `*` tokens and a `>` at its end.
pub fn is_pattern(subject: &[u8]) -> bool {
    let mut ended = false;
    tokens(subject).all(|token| {
        let valid = !ended && !token.is_empty() && !token.iter().any(|byte| is_blank(*byte));
        ended = token == b">";
        valid
    })
}

/// What separates the arguments of a control line, or ends it, cannot be in a subject.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0c | 0)
}

fn is_wildcard(token: &[u8]) -> bool {
    token == b"*" || token == b">"
}

fn tokens(subject: &[u8]) -> impl Iterator<Item = &[u8]> {
    subject.split(|byte| *byte == b'.')
}

/// A subject that may be subscribed to, as a subscription or a grant holds it.
///
/// ```
/// use mainstay_nats_core::subject::Pattern;
///
/// let pattern: Pattern = "orders.*.created".parse().unwrap();
/// assert!(pattern.matches(b"orders.eu.created"));
/// assert!(!pattern.matches(b"orders.created"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Pattern(Bytes);

/// A text that is no subject.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a subject: tokens between dots, none empty, without blanks; * stands for one, a last > for many")]
pub struct SubjectError(String);

impl Pattern {
    /// Takes bytes that are a valid pattern.
    pub fn new(subject: Bytes) -> Result<Self, SubjectError> {
        if is_pattern(&subject) {
            Ok(Self(subject))
        } else {
            Err(SubjectError(lossy(&subject)))
        }
    }

    /// Its text.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The same, in memory of its own instead of the buffer that it was read into.
    pub fn detach(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }

    /// Whether it holds no wildcard and so matches one subject only.
    pub fn is_literal(&self) -> bool {
        !tokens(&self.0).any(is_wildcard)
    }

    /// Whether a message that was published to `subject` comes to a subscription of this pattern.
    pub fn matches(&self, subject: &[u8]) -> bool {
        covers(&self.0, subject)
    }

    /// Whether it matches every subject that `other` matches.
    pub fn covers(&self, other: &Pattern) -> bool {
        covers(&self.0, &other.0)
    }

    /// The first token.
    pub fn first_token(&self) -> &[u8] {
        first_token(&self.0)
    }
}

/// The first token of a subject, all of it if it has one only.
pub fn first_token(subject: &[u8]) -> &[u8] {
    tokens(subject).next().unwrap_or_default()
}

/// Whether `pattern` covers `other`, a subject or a pattern: a `*` there needs a `*` or `>` here, a `>` there a `>` here.
fn covers(pattern: &[u8], other: &[u8]) -> bool {
    let mut theirs = tokens(other);
    for ours in tokens(pattern) {
        match theirs.next() {
            None => return false,
            Some(_) if ours == b">" => return true,
            Some(b">") => return false,
            Some(_) if ours == b"*" => {}
            Some(token) if ours == token => {}
            Some(_) => return false,
        }
    }
    theirs.next().is_none()
}

/// A subject for logs and errors.
pub fn lossy(subject: &[u8]) -> String {
    String::from_utf8_lossy(subject).into_owned()
}

impl std::str::FromStr for Pattern {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn subjects_that_nats_server_takes_are_taken_and_no_others() {
        for good in [
            "a",
            "a.b",
            "*",
            ">",
            "a.*.c",
            "a.>",
            "a*b",
            "a.>b",
            "$JS.API.INFO",
            "\u{e9}.x",
        ] {
            assert!(is_pattern(good.as_bytes()), "{good}");
        }
        for bad in [
            "", ".", "a.", ".a", "a..b", ">.a", "a.>.b", "a b", "a\tb", "a\r", "a\n.b", "\0",
        ] {
            assert!(!is_pattern(bad.as_bytes()), "{bad:?}");
        }
        assert!(is_literal(b"a.b*.c>"));
        assert!(!is_literal(b"a.*"));
        assert!(!is_literal(b"a.>"));
    }

    #[test]
    fn wildcards_match_whole_tokens() {
        for (text, yes, no) in [
            ("a.b", "a.b", "a.c"),
            ("a.*", "a.b", "a.b.c"),
            ("*.b", "a.b", "b"),
            ("a.>", "a.b.c", "a"),
            (">", "a.b.c", ""),
            ("a.*.c", "a.b.c", "a.b.d"),
            ("a*", "a*", "ab"),
        ] {
            assert!(pattern(text).matches(yes.as_bytes()), "{text} {yes}");
            assert!(!pattern(text).matches(no.as_bytes()) || no.is_empty(), "{text} {no}");
        }
    }

    #[test]
    fn a_pattern_covers_another_only_if_it_matches_all_of_it() {
        for (wide, narrow) in [
            (">", "a.>"),
            ("a.>", "a.b.*"),
            ("a.*", "a.*"),
            ("a.*", "a.b"),
            ("*.>", "a.b.>"),
        ] {
            assert!(pattern(wide).covers(&pattern(narrow)), "{wide} {narrow}");
        }
        for (narrow, wide) in [
            ("a.*", "a.>"),
            ("a.b", "a.*"),
            ("a.b.*", "a.>"),
            ("*", ">"),
            ("*.*", "a.>"),
        ] {
            assert!(!pattern(narrow).covers(&pattern(wide)), "{narrow} {wide}");
        }
    }

    fn token() -> impl Strategy<Value = String> {
        prop_oneof![3 => "[a-c]{1,2}", 1 => Just("*".to_owned())]
    }

    fn any_pattern() -> impl Strategy<Value = String> {
        (prop::collection::vec(token(), 1..4), any::<bool>())
            .prop_map(|(tokens, tail)| tokens.join(".") + if tail { ".>" } else { "" })
    }

    proptest! {
        #[test]
        fn what_covers_also_matches(wide in any_pattern(), narrow in any_pattern(), subject in "[a-c]{1,2}(\\.[a-c]{1,2}){0,4}") {
            let (wide, narrow) = (pattern(&wide), pattern(&narrow));
            if wide.covers(&narrow) && narrow.matches(subject.as_bytes()) {
                prop_assert!(wide.matches(subject.as_bytes()));
            }
        }

        #[test]
        fn any_bytes_can_be_asked_about(pattern in any::<Vec<u8>>(), subject in any::<Vec<u8>>()) {
            let _ = (is_literal(&pattern), covers(&pattern, &subject));
        }
    }
}
