//! Is it such a message, and how many items does it hold?
//!
//! What is merged is judged together: one malformed request in a batch and the whole batch is refused. So a request is
//! checked down to its last field before it is let in, without a copy and without an allocation.

use super::read::varint;
use super::schema::{FieldType, Kind, Message};
use super::{Fault, Fields, Value};

/// A request that is none: in which message, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {message}: {fault}")]
pub struct Malformed {
    message: &'static str,
    fault: Fault,
}

impl Malformed {
    /// A fault in this message.
    pub(crate) fn new(message: &Message, fault: Fault) -> Self {
        Self {
            message: message.name,
            fault,
        }
    }
}

/// How deep messages may be nested, as in protobuf's own libraries.
const MAX_DEPTH: usize = 100;

/// Checks that the bytes are such a message. Returns how many items are in it: spans, data points, log records.
///
/// # Errors
/// They are not: what is wrong, and in which message. Unknown fields have to be well formed and nothing else.
pub fn check(message: &'static Message, bytes: &[u8]) -> Result<usize, Malformed> {
    check_at(message, bytes, 0)
}

fn check_at(message: &'static Message, bytes: &[u8], depth: usize) -> Result<usize, Malformed> {
    let fail = |fault| Malformed {
        message: message.name,
        fault,
    };
    if depth > MAX_DEPTH {
        return Err(fail(Fault::TooDeep(MAX_DEPTH)));
    }
    let mut items = 0;
    for field in Fields::new(bytes) {
        let field = field.map_err(fail)?;
        let Some(known) = message.field(field.number) else {
            continue;
        };
        match (known.kind, field.value) {
            (Kind::Message(inner), Value::Bytes(bytes)) => {
                items += usize::from(known.item);
                items += check_at(inner, bytes, depth + 1)?;
            }
            (Kind::String, Value::Bytes(bytes)) => {
                if !bytes.is_ascii() && std::str::from_utf8(bytes).is_err() {
                    return Err(fail(Fault::NotUtf8(known.name)));
                }
            }
            (kind, value) => check_scalar(known, kind, value).map_err(fail)?,
        }
    }
    Ok(items)
}

#[inline]
fn check_scalar(field: &'static FieldType, kind: Kind, value: Value<'_>) -> Result<(), Fault> {
    match (kind, value) {
        (Kind::Bytes | Kind::Id, Value::Bytes(_))
        | (Kind::Bool | Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Sint32, Value::Varint(_))
        | (Kind::Fixed64 | Kind::Sfixed64 | Kind::Double, Value::Fixed64(_))
        | (Kind::Fixed32, Value::Fixed32(_)) => Ok(()),
        (kind, Value::Bytes(packed)) if field.repeated => check_packed(field, kind, packed),
        _ => Err(Fault::OtherWireType(field.name)),
    }
}

fn check_packed(field: &'static FieldType, kind: Kind, packed: &[u8]) -> Result<(), Fault> {
    match kind {
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double if packed.len().is_multiple_of(8) => Ok(()),
        Kind::Fixed32 if packed.len().is_multiple_of(4) => Ok(()),
        Kind::Bool | Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Sint32 => {
            let mut rest = packed;
            while !rest.is_empty() {
                varint(&mut rest)?;
            }
            Ok(())
        }
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double | Kind::Fixed32 => Err(Fault::Truncated),
        Kind::String | Kind::Bytes | Kind::Id | Kind::Message(_) => Err(Fault::OtherWireType(field.name)),
    }
}
