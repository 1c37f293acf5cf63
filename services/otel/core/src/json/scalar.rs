//! Values that are no messages: what JSON has for them, to what protobuf has.

use std::fmt;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{self, DeserializeSeed, Deserializer, Unexpected, Visitor};

use crate::wire::schema::{FieldType, Kind};
use crate::wire::{put_bytes, put_fixed32, put_fixed64, put_key, put_varint};

/// Either alphabet and any padding, as protobuf's mapping demands of a reader.
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, ANY_PADDING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, ANY_PADDING);
const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Reads a value and appends it with its key.
pub(super) struct ScalarSeed<'a> {
    pub(super) field: &'static FieldType,
    pub(super) out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for ScalarSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl ScalarSeed<'_> {
    fn rule(&self) -> &'static str {
        match self.field.kind {
            Kind::Bool => "true or false",
            Kind::Int32 | Kind::Sint32 => "a whole number of 32 bits",
            Kind::Uint32 | Kind::Fixed32 => "a whole number of 32 bits, not negative",
            Kind::Int64 | Kind::Sfixed64 => "a whole number of 64 bits, as text or number",
            Kind::Uint64 | Kind::Fixed64 => "a whole number of 64 bits, not negative, as text or number",
            Kind::Double => "a number, \"NaN\", \"Infinity\" or \"-Infinity\"",
            Kind::String => "a text",
            Kind::Bytes => "a text in base64",
            Kind::Id => "a text in hexadecimal",
            Kind::Message(_) => "an object",
        }
    }

    /// Appends a whole number, if the field has room for it.
    fn integer<E: de::Error>(self, value: i128, found: Unexpected<'_>) -> Result<(), E> {
        let rule = self.rule();
        let Self { field, out } = self;
        let number = field.number;
        let bits = match field.kind {
            Kind::Int32 | Kind::Sint32 => i32::try_from(value).ok().map(|value| i64::from(value) as u64),
            Kind::Uint32 | Kind::Fixed32 => u32::try_from(value).ok().map(u64::from),
            Kind::Int64 | Kind::Sfixed64 => i64::try_from(value).ok().map(|value| value as u64),
            Kind::Uint64 | Kind::Fixed64 => u64::try_from(value).ok(),
            Kind::Double => Some((value as f64).to_bits()),
            Kind::Bool | Kind::String | Kind::Bytes | Kind::Id | Kind::Message(_) => {
                return Err(E::invalid_type(found, &rule));
            }
        };
        let bits = bits.ok_or_else(|| E::invalid_value(found, &rule))?;
        match field.kind {
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => put_fixed64(out, number, bits),
            Kind::Fixed32 => put_fixed32(out, number, bits as u32),
            Kind::Sint32 => {
                let value = bits as i32;
                put_key(out, number, 0);
                put_varint(out, u64::from((value << 1 ^ value >> 31) as u32));
            }
            _ => {
                put_key(out, number, 0);
                put_varint(out, bits);
            }
        }
        Ok(())
    }
}

impl Visitor<'_> for ScalarSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field.name, self.rule())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        if !matches!(self.field.kind, Kind::Bool) {
            return Err(E::invalid_type(Unexpected::Bool(value), &self));
        }
        put_key(self.out, self.field.number, 0);
        put_varint(self.out, u64::from(value));
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.integer(i128::from(value), Unexpected::Signed(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.integer(i128::from(value), Unexpected::Unsigned(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        match self.field.kind {
            Kind::Double => {
                put_fixed64(self.out, self.field.number, value.to_bits());
                Ok(())
            }
            // 1e3 and 5.0 are whole numbers too.
            _ if value.fract() == 0.0 && value.abs() < 9e15 => self.integer(value as i128, Unexpected::Float(value)),
            _ => Err(E::invalid_value(Unexpected::Float(value), &self)),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        let number = self.field.number;
        let invalid = |seed: &Self| E::invalid_value(Unexpected::Str(text), seed);
        match self.field.kind {
            Kind::String => put_bytes(self.out, number, text.as_bytes()),
            Kind::Bytes => {
                let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text));
                put_bytes(self.out, number, &bytes.map_err(|_| invalid(&self))?);
            }
            Kind::Id => {
                let bytes = hexadecimal(text).ok_or_else(|| invalid(&self))?;
                put_bytes(self.out, number, &bytes);
            }
            Kind::Double => {
                let value = match text {
                    "NaN" => f64::NAN,
                    "Infinity" => f64::INFINITY,
                    "-Infinity" => f64::NEG_INFINITY,
                    text => text.parse().map_err(|_| invalid(&self))?,
                };
                put_fixed64(self.out, number, value.to_bits());
            }
            Kind::Bool | Kind::Message(_) => return Err(E::invalid_type(Unexpected::Str(text), &self)),
            _ => {
                let value = text.parse().map_err(|_| invalid(&self))?;
                return self.integer(value, Unexpected::Str(text));
            }
        }
        Ok(())
    }
}

/// Bytes in hexadecimal, in either case.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}
