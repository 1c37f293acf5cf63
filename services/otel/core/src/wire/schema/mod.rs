//! OTLP's messages as tables: field numbers, names in JSON, kinds. From opentelemetry-proto 1.11; what a later version
//! adds is unknown here and passes through.
//!
//! - `tables`: the messages; here is what they are made of

// A line for each field.
#[rustfmt::skip]
mod tables;

pub use tables::*;

/// A message.
#[derive(Debug)]
pub struct Message {
    /// Its name, as errors show it.
    pub name: &'static str,
    /// The fields that are known.
    pub fields: &'static [FieldType],
    /// Whether attributes are in it, at any depth.
    pub holds_attributes: bool,
    /// Whether items are in it, at any depth.
    pub holds_items: bool,
    /// For each number, the place in `fields` and one more; 0 for none.
    places: [u8; NUMBERS],
}

/// A field of a message.
#[derive(Debug)]
pub struct FieldType {
    /// Its number on the wire.
    pub number: u32,
    /// Its name in JSON.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may come more than once.
    pub repeated: bool,
    /// Whether each of it is what OTLP counts: a span, a data point, a log record.
    pub item: bool,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A varint of 0 or 1.
    Bool,
    /// A varint, in JSON a number. Enumerations too: OTLP/JSON has them as numbers.
    Int32,
    /// A varint, in JSON a decimal text.
    Int64,
    /// A varint, in JSON a number.
    Uint32,
    /// A varint, in JSON a decimal text.
    Uint64,
    /// A zigzag varint.
    Sint32,
    /// Four bytes, in JSON a number.
    Fixed32,
    /// Eight bytes, in JSON a decimal text.
    Fixed64,
    /// Eight bytes with a sign, in JSON a decimal text.
    Sfixed64,
    /// Eight bytes, in JSON a number, `"NaN"`, `"Infinity"` or `"-Infinity"`.
    Double,
    /// UTF-8.
    String,
    /// Bytes, in JSON base64.
    Bytes,
    /// Bytes of a trace or span id, in JSON hexadecimal: OTLP's own departure from the mapping of protobuf.
    Id,
    /// A message.
    Message(&'static Message),
}

/// No field of OTLP has a number above this less one.
const NUMBERS: usize = 17;

impl Message {
    const fn new(name: &'static str, fields: &'static [FieldType]) -> Self {
        let mut places = [0; NUMBERS];
        let mut place = 0;
        while place < fields.len() {
            // Evaluated by the compiler: a number out of range would be an error there.
            #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
            {
                places[fields[place].number as usize] = place as u8 + 1;
            }
            place += 1;
        }
        Self {
            name,
            fields,
            holds_attributes: false,
            holds_items: false,
            places,
        }
    }

    const fn with_attributes(self) -> Self {
        Self {
            holds_attributes: true,
            ..self
        }
    }

    const fn with_items(self) -> Self {
        Self {
            holds_attributes: true,
            holds_items: true,
            ..self
        }
    }

    /// The field of this number, if it is known.
    #[inline]
    pub fn field(&self, number: u32) -> Option<&'static FieldType> {
        let place = *self.places.get(number as usize)?;
        self.fields.get(usize::from(place).checked_sub(1)?)
    }

    /// The field of this name in JSON.
    pub fn named(&self, name: &str) -> Option<&'static FieldType> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl FieldType {
    const fn item(self) -> Self {
        Self { item: true, ..self }
    }
}

const fn one(number: u32, name: &'static str, kind: Kind) -> FieldType {
    FieldType {
        number,
        name,
        kind,
        repeated: false,
        item: false,
    }
}

const fn many(number: u32, name: &'static str, kind: Kind) -> FieldType {
    FieldType {
        number,
        name,
        kind,
        repeated: true,
        item: false,
    }
}
