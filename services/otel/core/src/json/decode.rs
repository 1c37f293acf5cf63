//! JSON to protobuf, in one pass.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::scalar::ScalarSeed;
use crate::wire::schema::{FieldType, Kind, Message};
use crate::wire::{put_key, put_length_delimited};

/// A text that is no such message.
#[derive(Debug, thiserror::Error)]
#[error("malformed JSON of {message}: {error}")]
pub struct JsonError {
    message: &'static str,
    error: serde_json::Error,
}

/// The protobuf of a message in JSON.
///
/// # Errors
/// It is not JSON, or a field holds what it cannot; with line and column.
pub fn decode(message: &'static Message, text: &[u8]) -> Result<Vec<u8>, JsonError> {
    let mut out = Vec::with_capacity(text.len() / 2);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let decoded = MessageSeed { message, out: &mut out }
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    match decoded {
        Ok(()) => Ok(out),
        Err(error) => Err(JsonError {
            message: message.name,
            error,
        }),
    }
}

/// Reads a message and appends its fields.
struct MessageSeed<'a> {
    message: &'static Message,
    out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object, {}", self.message.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(known) = map.next_key_seed(KeySeed(self.message))? {
            match known {
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
                Some(field) if field.repeated => map.next_value_seed(ListSeed { field, out: self.out })?,
                Some(field) => map.next_value_seed(ValueSeed {
                    field,
                    out: self.out,
                    may_be_null: true,
                })?,
            }
        }
        Ok(())
    }
}

/// Reads a name, and finds its field without keeping the name.
struct KeySeed(&'static Message);

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Option<&'static FieldType>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Option<&'static FieldType>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.named(name))
    }
}

/// Reads an array and appends each of its values. Numbers are not packed, which every decoder takes.
struct ListSeed<'a> {
    field: &'static FieldType,
    out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for ListSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for ListSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array, {}", self.field.name)
    }

    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { field, out } = self;
        while items
            .next_element_seed(ValueSeed {
                field,
                out,
                may_be_null: false,
            })?
            .is_some()
        {}
        Ok(())
    }
}

/// Reads one value and appends it with its key. `null` is an absent field, but no element of an array.
struct ValueSeed<'a> {
    field: &'static FieldType,
    out: &'a mut Vec<u8>,
    may_be_null: bool,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.may_be_null {
            deserializer.deserialize_option(self)
        } else {
            self.visit_some(deserializer)
        }
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value of {}", self.field.name)
    }

    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { field, out, .. } = self;
        let Kind::Message(message) = field.kind else {
            return ScalarSeed { field, out }.deserialize(deserializer);
        };
        put_key(out, field.number, 2);
        put_length_delimited(out, |out| MessageSeed { message, out }.deserialize(deserializer))
    }
}
