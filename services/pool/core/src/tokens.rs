//! What components have to bring, where something is set: a token each, or one for all.

use std::fmt;

/// The name of a token that was given without one.
const UNNAMED: &str = "";

/// Tokens by the names of those who have them. Its `Debug` shows the names alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tokens(Vec<(String, String)>);

impl Tokens {
    /// One for all.
    pub fn one(token: impl Into<String>) -> Self {
        Self(vec![(UNNAMED.to_owned(), token.into())])
    }

    /// One more, of this component.
    pub fn add(&mut self, component: impl Into<String>, token: impl Into<String>) {
        self.0.push((component.into(), token.into()));
    }

    /// Those of both.
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Whether there are none, so that nobody has to bring one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose token this is, in a time that does not tell how much of it is right. Empty for the one of all.
    pub fn owner(&self, token: &[u8]) -> Option<&str> {
        let mut owner = None;
        for (component, expected) in &self.0 {
            if same(expected.as_bytes(), token) {
                owner = Some(component.as_str());
            }
        }
        owner
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(component, _)| component))
            .finish()
    }
}

fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_whose_it_is() {
        let mut tokens = Tokens::one("all");
        tokens.add("web", "s3cret");
        tokens.add("jobs", "s4cret");
        assert_eq!(tokens.owner(b"s4cret"), Some("jobs"));
        assert_eq!(tokens.owner(b"s3cret"), Some("web"));
        assert_eq!(tokens.owner(b"all"), Some(""));
        for wrong in [&b""[..], b"s3cre", b"s3crets", b"S3CRET"] {
            assert_eq!(tokens.owner(wrong), None);
        }
        assert_eq!(format!("{tokens:?}"), r#"["", "web", "jobs"]"#);
    }
}
