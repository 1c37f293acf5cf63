//! A request that is too large becomes several, along its resources, scopes and items.
//!
//! What surrounds an item (its resource, its scope, its metric) is repeated in each part that has one of its items, and
//! copied as it is. Nothing below an item is looked at.

use super::schema::{FieldType, Kind, Message};
use super::{Fault, Fields, Malformed, Value, put_bytes, varint_len};

/// What a request may hold at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Items: spans, data points, log records.
    pub items: usize,
    /// Bytes of protobuf.
    pub bytes: usize,
}

/// A request, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Protobuf.
    pub bytes: Vec<u8>,
    /// Items in it.
    pub items: usize,
}

/// Splits a request into parts that keep to the limits. An item that is too large by itself gets a part of its own, which
/// does not.
///
/// # Errors
/// The request is malformed above its items.
pub fn split(request: &'static Message, bytes: &[u8], limits: Limits) -> Result<Vec<Part>, Malformed> {
    let pieces = pieces(request, bytes, limits)?;
    Ok(pieces.into_iter().filter(|part| !part.bytes.is_empty()).collect())
}

/// The message as pieces: each a message of its kind with some of its children.
fn pieces(message: &'static Message, bytes: &[u8], limits: Limits) -> Result<Vec<Part>, Malformed> {
    let mut envelope = Vec::new();
    let mut children = Vec::new();
    for field in Fields::new(bytes) {
        let field = field.map_err(|fault| Malformed::new(message, fault))?;
        match child_of(message, field.number) {
            None => envelope.extend_from_slice(field.raw),
            Some((known, inner)) => match field.value {
                Value::Bytes(child) => children.push((known, inner, child)),
                _ => return Err(Malformed::new(message, Fault::OtherWireType("repeated message"))),
            },
        }
    }
    let mut pieces = Pieces {
        limits,
        envelope: &envelope,
        done: Vec::new(),
        open: None,
    };
    for (field, inner, child) in children {
        let items = if field.item { 1 } else { count(inner, child)? };
        let room = limits.bytes.saturating_sub(envelope.len());
        let fits = items <= limits.items && framed(child.len()) <= room;
        if field.item || fits {
            pieces.add(field, child, items);
            continue;
        }
        // The frame around it: a key and a length.
        let inside = Limits {
            bytes: room.saturating_sub(MAX_FRAME),
            ..limits
        };
        for part in self::pieces(inner, child, inside)? {
            pieces.add(field, &part.bytes, part.items);
        }
    }
    Ok(pieces.finish())
}

/// Pieces as they fill up.
struct Pieces<'a> {
    limits: Limits,
    envelope: &'a [u8],
    done: Vec<Part>,
    open: Option<Part>,
}

impl Pieces<'_> {
    fn add(&mut self, field: &FieldType, child: &[u8], items: usize) {
        let full = self.open.as_ref().is_some_and(|open| {
            // Not every decoder merges a message that comes twice where it should come once.
            !field.repeated
                || open.items + items > self.limits.items
                || open.bytes.len() + framed(child.len()) > self.limits.bytes
        });
        if full {
            self.done.extend(self.open.take());
        }
        let open = self.open.get_or_insert_with(|| Part {
            bytes: self.envelope.to_vec(),
            items: 0,
        });
        put_bytes(&mut open.bytes, field.number, child);
        open.items += items;
    }

    fn finish(mut self) -> Vec<Part> {
        if self.open.is_none() && self.done.is_empty() {
            // No child at all; the envelope is all there is.
            return vec![Part {
                bytes: self.envelope.to_vec(),
                items: 0,
            }];
        }
        self.done.extend(self.open);
        self.done
    }
}

const MAX_FRAME: usize = 6;

/// A message with its key, whose number is below 16, and its length.
fn framed(length: usize) -> usize {
    1 + varint_len(length as u64) + length
}

/// The message of a field that leads to items or is one. What merely stands beside them is part of the envelope.
fn child_of(message: &'static Message, number: u32) -> Option<(&'static FieldType, &'static Message)> {
    let field = message.field(number)?;
    match field.kind {
        Kind::Message(inner) if field.item || inner.holds_items => Some((field, inner)),
        _ => None,
    }
}

/// Items in a message above the items.
fn count(message: &'static Message, bytes: &[u8]) -> Result<usize, Malformed> {
    let mut items = 0;
    for field in Fields::new(bytes) {
        let field = field.map_err(|fault| Malformed::new(message, fault))?;
        if let (Some((known, inner)), Value::Bytes(child)) = (child_of(message, field.number), field.value) {
            items += if known.item { 1 } else { count(inner, child)? };
        }
    }
    Ok(items)
}
