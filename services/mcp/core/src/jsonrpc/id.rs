//! What a request and its response share.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// The id of a request, or a token that the client chose: a text or a whole number. Never null, unlike in plain JSON-RPC.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Id {
    /// A whole number of 64 bits.
    Number(i64),
    /// A text.
    Text(String),
}

impl Id {
    /// The id that a value is, if it may be one.
    pub fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => number.as_i64().map(Self::Number),
            Value::String(text) => Some(Self::Text(text.clone())),
            _ => None,
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}
