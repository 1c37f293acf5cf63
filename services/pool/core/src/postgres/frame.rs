//! Where a message ends: a type, a length that counts itself but not the type, a body (§53.7).

use super::Fault;

/// The longest message that has to be seen whole: a query, or a statement that is prepared. Rows, parameters and the data
/// of COPY have no limit but the protocol's.
pub const MAX_MESSAGE: usize = 64 << 20;

/// The head of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub tag: u8,
    /// All of its bytes, type and length included.
    pub length: usize,
}

/// Bytes before the body.
pub(super) const HEAD: usize = 5;

/// The head of the message that begins here, if there is enough of it.
///
/// # Errors
/// A length that no message can have.
pub fn next_frame(bytes: &[u8]) -> Result<Option<Frame>, Fault> {
    let Some((tag, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let Some(length) = rest.first_chunk::<4>().map(|length| i32::from_be_bytes(*length)) else {
        return Ok(None);
    };
    // A gigabyte is PostgreSQL's own limit.
    match usize::try_from(length) {
        Ok(length) if (4..=0x3fff_ffff).contains(&length) => Ok(Some(Frame {
            tag: *tag,
            length: length + 1,
        })),
        _ => Err(Fault::Length {
            tag: (*tag).into(),
            length: length.into(),
        }),
    }
}

/// A text up to its zero, which is taken off `bytes`.
pub(super) fn text<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = memchr::memchr(0, bytes)?;
    let (text, rest) = bytes.split_at_checked(end)?;
    *bytes = rest.get(1..)?;
    Some(text)
}

/// Writes a message: its type, its length, what `body` writes.
pub(super) fn write(out: &mut bytes::BytesMut, tag: u8, body: impl FnOnce(&mut bytes::BytesMut)) {
    out.extend_from_slice(&[tag]);
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX).to_be_bytes();
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length);
    }
}

/// Writes a text and its zero.
pub(super) fn write_text(out: &mut bytes::BytesMut, text: &[u8]) {
    out.extend_from_slice(text);
    out.extend_from_slice(&[0]);
}
