//! Attributes dropped, hashed or redacted, wherever they are: on resources, scopes, spans, their events and links, log
//! records, data points and exemplars.
//!
//! Done on the wire format: only messages that hold attributes are opened, and what does not change is copied as it is.

use sha2::{Digest, Sha256};

use crate::resource::bytes_of;
use crate::wire::schema::{KEY_VALUE, Kind, Message};
use crate::wire::{Fields, Malformed, Value, put_bytes, put_message};

/// What becomes of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is left out.
    Drop,
    /// Its value becomes the SHA-256 of it, in hexadecimal: still good to group by.
    Hash,
    /// Its value becomes `***`.
    Redact,
}

/// What becomes of which attributes.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    rules: Vec<(Pattern, Action)>,
    /// For the hash, so that values cannot be guessed and compared.
    salt: String,
}

/// A key, or what a key begins with: `user.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    text: String,
    prefix: bool,
}

impl Pattern {
    fn new(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(start) => Self {
                text: start.to_owned(),
                prefix: true,
            },
            None => Self {
                text: text.to_owned(),
                prefix: false,
            },
        }
    }

    fn matches(&self, key: &[u8]) -> bool {
        if self.prefix {
            key.starts_with(self.text.as_bytes())
        } else {
            key == self.text.as_bytes()
        }
    }
}

const KEY: u32 = 1;
const VALUE: u32 = 2;
const STRING_VALUE: u32 = 1;

impl Rules {
    /// No rules, and the salt of those to come.
    pub fn new(salt: impl Into<String>) -> Self {
        Self {
            rules: Vec::new(),
            salt: salt.into(),
        }
    }

    /// Adds a rule for a key, or with a `*` at its end for all that begin so. The first rule that matches holds.
    pub fn add(&mut self, pattern: &str, action: Action) {
        self.rules.push((Pattern::new(pattern), action));
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The request with its attributes as the rules want them.
    ///
    /// # Errors
    /// It is malformed.
    pub fn apply(&self, request: &'static Message, bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
        let mut out = Vec::with_capacity(bytes.len());
        self.put(&mut out, request, bytes)?;
        Ok(out)
    }

    fn put(&self, out: &mut Vec<u8>, message: &'static Message, bytes: &[u8]) -> Result<(), Malformed> {
        for field in Fields::new(bytes) {
            let field = field.map_err(|fault| Malformed::new(message, fault))?;
            let known = message.field(field.number).map(|known| known.kind);
            match (known, field.value) {
                (Some(Kind::Message(inner)), Value::Bytes(content)) if inner.holds_attributes => {
                    put_message(out, field.number, |out| self.put(out, inner, content))?;
                }
                (Some(Kind::Message(inner)), Value::Bytes(attribute)) if std::ptr::eq(inner, &KEY_VALUE) => {
                    self.put_attribute(out, field.number, field.raw, attribute);
                }
                _ => out.extend_from_slice(field.raw),
            }
        }
        Ok(())
    }

    fn put_attribute(&self, out: &mut Vec<u8>, number: u32, raw: &[u8], attribute: &[u8]) {
        let key = bytes_of(attribute, KEY).unwrap_or_default();
        let rule = self.rules.iter().find(|(pattern, _)| pattern.matches(key));
        let text = match rule {
            None => return out.extend_from_slice(raw),
            Some((_, Action::Drop)) => return,
            Some((_, Action::Redact)) => "***".to_owned(),
            Some((_, Action::Hash)) => self.hash(bytes_of(attribute, VALUE).unwrap_or_default()),
        };
        let Ok(()) = put_message(out, number, |out| {
            put_bytes(out, KEY, key);
            put_message(out, VALUE, |out| {
                put_bytes(out, STRING_VALUE, text.as_bytes());
                Ok::<_, std::convert::Infallible>(())
            })
        });
    }

    /// Of a text the hash of its bytes, so that others can compute it; of any other value that of its encoding.
    fn hash(&self, value: &[u8]) -> String {
        let digest = Sha256::new()
            .chain_update(&self.salt)
            .chain_update(bytes_of(value, STRING_VALUE).unwrap_or(value));
        digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
