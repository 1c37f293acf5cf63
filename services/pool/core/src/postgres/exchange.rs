//! A query of the pool's own: to check a connection, or to reset it.

use bytes::BytesMut;

use super::frame::{text, write, write_text};
use super::{ErrorFields, Fault, Parameters};

/// Writes Query.
pub fn query(out: &mut BytesMut, sql: &str) {
    write(out, b'Q', |out| write_text(out, sql.as_bytes()));
}

/// The answer to a query of the pool's own, read message by message.
#[derive(Debug, Default)]
pub struct Exchange {
    error: Option<ErrorFields>,
}

impl Exchange {
    /// The server says this. Gives how it went when that is all.
    ///
    /// # Errors
    /// The server says what does not belong there.
    pub fn message(
        &mut self,
        tag: u8,
        mut body: &[u8],
        parameters: &mut Parameters,
    ) -> Result<Option<Result<(), ErrorFields>>, Fault> {
        match tag {
            b'Z' if body == b"I" => Ok(Some(self.error.take().map_or(Ok(()), Err))),
            b'Z' => Err(Fault::malformed(b'Z', "a transaction is open that nobody began")),
            b'E' => {
                self.error = Some(ErrorFields::parse(body));
                Ok(None)
            }
            b'S' => {
                if let Some((name, value)) = text(&mut body).zip(text(&mut body)) {
                    parameters.set(name, value);
                }
                Ok(None)
            }
            b'T' | b'D' | b'C' | b'I' | b'N' | b'A' => Ok(None),
            other => Err(Fault::Type(other.into())),
        }
    }
}
