//! The fields of ErrorResponse and NoticeResponse (§53.8).

use std::fmt;

use super::frame::text;

/// What an error says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorFields {
    /// `ERROR`, `FATAL`, `PANIC`, not translated.
    pub severity: String,
    /// The SQLSTATE.
    pub code: String,
    /// The message.
    pub message: String,
}

impl ErrorFields {
    /// Reads the body of the message. What is missing is empty.
    pub fn parse(mut body: &[u8]) -> Self {
        let mut fields = Self::default();
        while let Some((field, rest)) = body.split_first() {
            body = rest;
            let Some(text) = text(&mut body) else { break };
            let text = || String::from_utf8_lossy(text).into_owned();
            match field {
                b'V' => fields.severity = text(),
                b'S' if fields.severity.is_empty() => fields.severity = text(),
                b'C' => fields.code = text(),
                b'M' => fields.message = text(),
                _ => {}
            }
        }
        fields
    }

    /// Whether the server does not want who asks, or what it asks for does not exist: class 28, and 3D000.
    pub fn is_rejection(&self) -> bool {
        self.code.starts_with("28") || self.code == "3D000"
    }
}

impl fmt::Display for ErrorFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.code)
    }
}
