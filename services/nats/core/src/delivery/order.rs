//! Which messages of a subscription must not overtake one another.

use bytes::Bytes;

use crate::headers::Headers;
use crate::protocol::Message;

/// What messages share that are to be handled one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Nothing: all may run at once.
    #[default]
    None,
    /// The subject.
    Subject,
    /// The first value of this header. Messages without it are free.
    Header(String),
}

impl Order {
    /// Reads `none`, `subject` or `header:<name>`.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        match (text, text.strip_prefix("header:")) {
            ("none", _) => Ok(Self::None),
            ("subject", _) => Ok(Self::Subject),
            (_, Some(name)) if !name.trim().is_empty() => Ok(Self::Header(name.trim().to_owned())),
            _ => Err("not one of none, subject, header:<name>"),
        }
    }

    /// The key of a message; those with the same one wait for each other.
    pub fn key(&self, message: &Message) -> Option<Bytes> {
        match self {
            Self::None => None,
            Self::Subject => Some(message.subject.clone()),
            Self::Header(name) => {
                let headers = Headers::parse(message.headers.as_deref()?).ok()?;
                headers
                    .first(name)
                    .map(|value| Bytes::copy_from_slice(value.as_bytes()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_what_the_messages_share() {
        let message = Message {
            subject: Bytes::from("a.b"),
            headers: Some(Bytes::from("NATS/1.0\r\nCustomer: 7\r\n\r\n")),
            ..Message::default()
        };
        let key = |text| Order::parse(text).unwrap().key(&message);
        assert_eq!(key("none"), None);
        assert_eq!(key("subject"), Some(Bytes::from("a.b")));
        assert_eq!(key("header:customer"), Some(Bytes::from("7")));
        assert_eq!(key("header:other"), None);
        for bad in ["", "header:", "header: ", "Subject", "key"] {
            assert!(Order::parse(bad).is_err());
        }
    }
}
