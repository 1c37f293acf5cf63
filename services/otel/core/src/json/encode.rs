//! Protobuf to JSON.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::wire::schema::{FieldType, Kind, Message};
use crate::wire::{Fault, Fields, Malformed, Value};

/// A message in JSON. Fields that are not known are left out.
///
/// # Errors
/// The bytes are no such message.
pub fn encode(message: &'static Message, bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::with_capacity(bytes.len() * 2);
    put_object(&mut out, message, bytes)?;
    Ok(out)
}

/// A field's values in the order of the wire.
type Values<'a> = Vec<(u32, &'static FieldType, Value<'a>)>;

fn put_object(out: &mut Vec<u8>, message: &'static Message, bytes: &[u8]) -> Result<(), Malformed> {
    let fail = |fault| Malformed::new(message, fault);
    let mut values: Values<'_> = Vec::new();
    for field in Fields::new(bytes) {
        let field = field.map_err(fail)?;
        if let Some(known) = message.field(field.number) {
            values.push((field.number, known, field.value));
        }
    }
    // What repeats need not stand together on the wire.
    values.sort_by_key(|(number, ..)| *number);
    out.push(b'{');
    for (index, group) in values.chunk_by(|a, b| a.0 == b.0).enumerate() {
        let Some((_, field, last)) = group.last() else { continue };
        if index > 0 {
            out.push(b',');
        }
        put_string(out, field.name);
        out.push(b':');
        match (field.repeated, field.kind) {
            (true, _) => {
                out.push(b'[');
                let start = out.len();
                for (_, field, value) in group {
                    put_element(out, message, field, *value, start)?;
                }
                out.push(b']');
            }
            // A message that comes twice is merged, any other value replaced.
            (false, Kind::Message(inner)) => put_object(out, inner, &merged(message, field, group)?)?,
            (false, _) => put_scalar(out, field, *last).map_err(fail)?,
        }
    }
    out.push(b'}');
    Ok(())
}

fn merged(
    message: &'static Message,
    field: &FieldType,
    group: &[(u32, &FieldType, Value<'_>)],
) -> Result<Vec<u8>, Malformed> {
    let mut merged = Vec::new();
    for (_, _, value) in group {
        let Value::Bytes(bytes) = value else {
            return Err(Malformed::new(message, Fault::OtherWireType(field.name)));
        };
        merged.extend_from_slice(bytes);
    }
    Ok(merged)
}

/// An element of the array that began at `start`, or many: numbers may be packed.
fn put_element(
    out: &mut Vec<u8>,
    message: &'static Message,
    field: &'static FieldType,
    value: Value<'_>,
    start: usize,
) -> Result<(), Malformed> {
    let fail = |fault| Malformed::new(message, fault);
    let comma = |out: &mut Vec<u8>| {
        if out.len() > start {
            out.push(b',');
        }
    };
    match (field.kind, value) {
        (Kind::Message(inner), Value::Bytes(bytes)) => {
            comma(out);
            put_object(out, inner, bytes)
        }
        (Kind::Fixed64 | Kind::Sfixed64 | Kind::Double, Value::Bytes(packed)) => {
            for bytes in packed.as_chunks::<8>().0 {
                comma(out);
                put_scalar(out, field, Value::Fixed64(u64::from_le_bytes(*bytes))).map_err(fail)?;
            }
            Ok(())
        }
        (Kind::Uint64 | Kind::Int64, Value::Bytes(packed)) => {
            let mut rest = packed;
            while !rest.is_empty() {
                comma(out);
                let number = crate::wire::take_varint(&mut rest).map_err(fail)?;
                put_scalar(out, field, Value::Varint(number)).map_err(fail)?;
            }
            Ok(())
        }
        (_, value) => {
            comma(out);
            put_scalar(out, field, value).map_err(fail)
        }
    }
}

fn put_scalar(out: &mut Vec<u8>, field: &'static FieldType, value: Value<'_>) -> Result<(), Fault> {
    // Writing to a vector never fails.
    let _ = match (field.kind, value) {
        (Kind::Bool, Value::Varint(bits)) => write!(out, "{}", bits != 0),
        (Kind::Int32, Value::Varint(bits)) => write!(out, "{}", bits as i32),
        (Kind::Uint32, Value::Varint(bits)) => write!(out, "{}", bits as u32),
        (Kind::Sint32, Value::Varint(bits)) => {
            let bits = bits as u32;
            write!(out, "{}", (bits >> 1) as i32 ^ -((bits & 1) as i32))
        }
        (Kind::Fixed32, Value::Fixed32(bits)) => write!(out, "{bits}"),
        (Kind::Int64, Value::Varint(bits)) => write!(out, "\"{}\"", bits as i64),
        (Kind::Uint64, Value::Varint(bits)) => write!(out, "\"{bits}\""),
        (Kind::Fixed64, Value::Fixed64(bits)) => write!(out, "\"{bits}\""),
        (Kind::Sfixed64, Value::Fixed64(bits)) => write!(out, "\"{}\"", bits as i64),
        (Kind::Double, Value::Fixed64(bits)) => put_double(out, f64::from_bits(bits)),
        (Kind::String, Value::Bytes(bytes)) => {
            let text = std::str::from_utf8(bytes).map_err(|_| Fault::NotUtf8(field.name))?;
            put_string(out, text);
            Ok(())
        }
        (Kind::Bytes, Value::Bytes(bytes)) => write!(out, "\"{}\"", STANDARD.encode(bytes)),
        (Kind::Id, Value::Bytes(bytes)) => {
            out.push(b'"');
            for byte in bytes {
                let _ = write!(out, "{byte:02x}");
            }
            out.push(b'"');
            Ok(())
        }
        _ => return Err(Fault::OtherWireType(field.name)),
    };
    Ok(())
}

fn put_double(out: &mut Vec<u8>, value: f64) -> std::io::Result<()> {
    if value.is_nan() {
        write!(out, "\"NaN\"")
    } else if value.is_infinite() {
        write!(out, "\"{}Infinity\"", if value < 0.0 { "-" } else { "" })
    } else {
        serde_json::to_writer(out, &value).map_err(Into::into)
    }
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    // Neither does writing a text to a vector.
    let _ = serde_json::to_writer(out, text);
}
