//! The fields of a message, one after the other.

/// What is wrong with the bytes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A number of more than 64 bits.
    #[error("a varint of more than ten bytes")]
    LongVarint,
    /// The message ends in the middle of a field.
    #[error("it ends in the middle of a field")]
    Truncated,
    /// Field numbers are 1 to 536,870,911.
    #[error("a field number that is not in 1-536870911")]
    FieldNumber,
    /// There are six wire types.
    #[error("wire type {0}, which does not exist")]
    WireType(u8),
    /// A group ends that did not begin, or is not ended.
    #[error("a group that is not closed, or closed and not opened")]
    Group,
    /// A field of this message in the encoding of another.
    #[error("field {0} has another wire type than its own")]
    OtherWireType(&'static str),
    /// Strings are UTF-8.
    #[error("field {0} is not UTF-8")]
    NotUtf8(&'static str),
    /// A value nested in a value, and so on.
    #[error("values are nested more than {0} deep")]
    TooDeep(usize),
}

/// A field as it stands in the message.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Its number.
    pub number: u32,
    /// Its value.
    pub value: Value<'a>,
    /// The whole of it, the key included.
    pub raw: &'a [u8],
}

/// A value, in one of the encodings there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1, little-endian.
    Fixed64(u64),
    /// Wire type 2: bytes, a string, a message, packed numbers.
    Bytes(&'a [u8]),
    /// Wire types 3 and 4, which OTLP has no use for.
    Group,
    /// Wire type 5, little-endian.
    Fixed32(u32),
}

/// Groups inside groups.
const MAX_GROUPS: usize = 32;

/// The fields of a message. After an error there are no more.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of the message that these bytes are.
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Result<Field<'a>, Fault> {
        let whole = self.rest;
        let (number, value) = self.value(0)?;
        let length = whole.len() - self.rest.len();
        let raw = whole.get(..length).unwrap_or_default();
        Ok(Field { number, value, raw })
    }

    #[inline]
    fn value(&mut self, groups: usize) -> Result<(u32, Value<'a>), Fault> {
        let key = varint(&mut self.rest)?;
        let number = u32::try_from(key >> 3).map_err(|_| Fault::FieldNumber)?;
        if number == 0 || number > 0x1FFF_FFFF {
            return Err(Fault::FieldNumber);
        }
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut self.rest)?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(varint(&mut self.rest)?).map_err(|_| Fault::Truncated)?;
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Fault::Truncated)?;
                self.rest = rest;
                Value::Bytes(bytes)
            }
            3 if groups < MAX_GROUPS => {
                self.skip_group(number, groups + 1)?;
                Value::Group
            }
            3 | 4 => return Err(Fault::Group),
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            other => return Err(Fault::WireType(u8::try_from(other).unwrap_or(u8::MAX))),
        };
        Ok((number, value))
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (array, rest) = self.rest.split_first_chunk::<N>().ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(*array)
    }

    fn skip_group(&mut self, number: u32, groups: usize) -> Result<(), Fault> {
        loop {
            let mut ahead = self.rest;
            let key = varint(&mut ahead)?;
            if key & 7 == 4 {
                self.rest = ahead;
                return if key >> 3 == u64::from(number) {
                    Ok(())
                } else {
                    Err(Fault::Group)
                };
            }
            self.value(groups)?;
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Fault>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// Reads a varint off the front.
#[inline]
pub(crate) fn varint(rest: &mut &[u8]) -> Result<u64, Fault> {
    match rest.split_first() {
        Some((first, tail)) if *first < 0x80 => {
            *rest = tail;
            Ok(u64::from(*first))
        }
        Some(_) => long_varint(rest),
        None => Err(Fault::Truncated),
    }
}

fn long_varint(rest: &mut &[u8]) -> Result<u64, Fault> {
    let mut value = 0;
    let mut tail = *rest;
    for shift in (0..70).step_by(7) {
        let (byte, after) = tail.split_first().ok_or(Fault::Truncated)?;
        tail = after;
        // The tenth byte has room for one bit.
        if shift == 63 && *byte > 1 {
            return Err(Fault::LongVarint);
        }
        value |= u64::from(byte & 0x7F) << shift;
        if *byte < 0x80 {
            *rest = tail;
            return Ok(value);
        }
    }
    Err(Fault::LongVarint)
}
