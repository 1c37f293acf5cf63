//! The file format of the queue on a volume.
//!
//! A segment is a file that only grows: eight bytes that say what it is, and records one after the other:
//!
//! ```text
//! length u32 | items u32 | crc32 of both and the body u32 | body
//! ```
//!
//! all little-endian. A crash in the middle of a write leaves a record at the end that is too short or does not match its
//! checksum. Such a tail was never acknowledged, and is cut off.

/// What a segment begins with; the last byte is the version.
pub const MAGIC: [u8; 8] = *b"MSOTELQ\x01";

/// The bytes in front of a record's body.
pub const HEAD: usize = 12;

/// No record is larger: what a length beyond this says is damage.
pub const MAX_BODY: usize = 1 << 30;

/// A record of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where its head begins.
    pub offset: u64,
    /// The length of its body.
    pub length: usize,
    /// Items in it.
    pub items: usize,
}

impl Record {
    /// Where the next one begins.
    pub fn end(&self) -> u64 {
        self.offset + (HEAD + self.length) as u64
    }
}

/// What is in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Its records.
    pub records: Vec<Record>,
    /// Where the good part ends; what follows is cut off.
    pub good: u64,
    /// What is wrong with what follows, if anything follows.
    pub torn: Option<Torn>,
}

/// Why a segment is not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Torn {
    /// It is not a segment, or one of another version.
    #[error("does not begin as a segment does")]
    Magic,
    /// The last record is not all there.
    #[error("ends in the middle of a record")]
    Short,
    /// A record does not match its checksum.
    #[error("a record does not match its checksum")]
    Checksum,
}

/// The head of a record with this body. None if the body is too large to be one.
pub fn head(body: &[u8], items: usize) -> Option<[u8; HEAD]> {
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= MAX_BODY)?;
    let items = u32::try_from(items).unwrap_or(u32::MAX);
    let checksum = checksum(length, items, body);
    let mut head = [0; HEAD];
    let parts = [length, items, checksum].map(u32::to_le_bytes);
    for (to, from) in head.iter_mut().zip(parts.as_flattened()) {
        *to = *from;
    }
    Some(head)
}

fn checksum(length: u32, items: u32, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(&items.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

/// Reads a segment as far as it is good.
pub fn scan(bytes: &[u8]) -> Scan {
    let mut scan = Scan {
        records: Vec::new(),
        good: 0,
        torn: None,
    };
    if bytes.is_empty() {
        // Created, and nothing written yet.
        return scan;
    }
    let Some(mut rest) = bytes.strip_prefix(&MAGIC) else {
        scan.torn = Some(if MAGIC.starts_with(bytes) {
            Torn::Short
        } else {
            Torn::Magic
        });
        return scan;
    };
    scan.good = MAGIC.len() as u64;
    while !rest.is_empty() {
        match record(rest) {
            Ok((length, items, after)) => {
                let record = Record {
                    offset: scan.good,
                    length,
                    items,
                };
                scan.good = record.end();
                scan.records.push(record);
                rest = after;
            }
            Err(torn) => {
                scan.torn = Some(torn);
                break;
            }
        }
    }
    scan
}

fn record(bytes: &[u8]) -> Result<(usize, usize, &[u8]), Torn> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>().ok_or(Torn::Short)?;
    let mut numbers = head.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
    let (Some(length), Some(items), Some(expected)) = (numbers.next(), numbers.next(), numbers.next()) else {
        return Err(Torn::Short);
    };
    if length as usize > MAX_BODY {
        return Err(Torn::Checksum);
    }
    let (body, after) = rest.split_at_checked(length as usize).ok_or(Torn::Short)?;
    if checksum(length, items, body) != expected {
        return Err(Torn::Checksum);
    }
    Ok((length as usize, items as usize, after))
}

/// The body of a record that was found by [`scan`] earlier, read again from its offset; none if it is damaged since.
pub fn body(bytes: &[u8]) -> Option<&[u8]> {
    let (length, _, after) = record(bytes).ok()?;
    bytes.get(HEAD..HEAD + length).filter(|_| after.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segment(bodies: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for body in bodies {
            bytes.extend_from_slice(&head(body, 3).unwrap());
            bytes.extend_from_slice(body);
        }
        bytes
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_up_to_wherever_it_was_cut(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..10),
            cut in 0.0..=1.0,
        ) {
            let bytes = segment(&bodies);
            let whole = scan(&bytes);
            prop_assert_eq!((whole.records.len(), whole.good, whole.torn), (bodies.len(), bytes.len() as u64, None));
            for (record, expected) in whole.records.iter().zip(&bodies) {
                let part = &bytes[record.offset as usize..record.end() as usize];
                prop_assert_eq!(body(part), Some(&**expected));
            }
            let at = (bytes.len() as f64 * cut) as usize;
            let torn = scan(&bytes[..at]);
            prop_assert_eq!(&torn.records[..], &whole.records[..torn.records.len()]);
            prop_assert!(torn.good as usize <= at);
            prop_assert_eq!(torn.torn.is_some(), torn.good != at as u64);
        }

        #[test]
        fn a_bit_that_flips_ends_the_good_part_before_it(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..10),
            at in 0.0..1.0, bit in 0_u8..8,
        ) {
            let mut bytes = segment(&bodies);
            let at = (bytes.len() as f64 * at) as usize;
            bytes[at] ^= 1_u8 << bit;
            let scan = scan(&bytes);
            prop_assert!(scan.torn.is_some());
            prop_assert!(scan.good as usize <= at);
        }
    }

    #[test]
    fn a_file_of_something_else_is_no_segment() {
        assert_eq!(scan(b"MSOTELQ\x02").torn, Some(Torn::Magic));
        assert_eq!(scan(b"").torn, None);
        assert_eq!(scan(b"MSO").torn, Some(Torn::Short));
    }
}
