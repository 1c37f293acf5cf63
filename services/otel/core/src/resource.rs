//! Attributes that every resource gets: `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`.
//!
//! Done on the wire format: of each resource only the keys of its attributes are read, and nothing of what is below it.

use crate::wire::schema::{Kind, Message};
use crate::wire::{Fields, Malformed, Value, put_bytes, put_message};

/// Attributes to add to every resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceAttributes {
    attributes: Vec<(String, String)>,
    overwrite: bool,
}

/// What SDKs call a service that has no name (Resource Semantic Conventions §Service): as good as none.
const UNKNOWN_SERVICE: &[u8] = b"unknown_service";

const RESOURCE: u32 = 1;
const ATTRIBUTES: u32 = 1;
const KEY: u32 = 1;
const VALUE: u32 = 2;
const STRING_VALUE: u32 = 1;

impl ResourceAttributes {
    /// Adds these. Where a resource has one of them already it keeps its own, unless `overwrite` is set or it is the name
    /// that SDKs give to a service without one.
    pub fn new(attributes: Vec<(String, String)>, overwrite: bool) -> Self {
        Self { attributes, overwrite }
    }

    /// Whether there is nothing to add.
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// The request with the attributes added.
    ///
    /// # Errors
    /// It is malformed at its top.
    pub fn apply(&self, request: &'static Message, bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
        let mut out = Vec::with_capacity(bytes.len() + 256);
        for field in Fields::new(bytes) {
            let field = field.map_err(|fault| Malformed::new(request, fault))?;
            let known = request.field(field.number).map(|known| known.kind);
            let (Some(Kind::Message(inner)), Value::Bytes(group)) = (known, field.value) else {
                out.extend_from_slice(field.raw);
                continue;
            };
            put_message(&mut out, field.number, |out| self.put_group(out, inner, group))?;
        }
        Ok(out)
    }

    /// Appends resource spans, metrics or logs: the resource made anew, the rest as it is.
    fn put_group(&self, out: &mut Vec<u8>, message: &'static Message, group: &[u8]) -> Result<(), Malformed> {
        let mut resource = Vec::new();
        for field in Fields::new(group) {
            let field = field.map_err(|fault| Malformed::new(message, fault))?;
            // One that comes twice is merged, as protobuf has it.
            if let (RESOURCE, Value::Bytes(bytes)) = (field.number, field.value) {
                resource.extend_from_slice(bytes);
            }
        }
        put_message(out, RESOURCE, |out| self.put_resource(out, &resource))?;
        for field in Fields::new(group).filter_map(Result::ok) {
            if field.number != RESOURCE {
                out.extend_from_slice(field.raw);
            }
        }
        Ok(())
    }

    fn put_resource(&self, out: &mut Vec<u8>, resource: &[u8]) -> Result<(), Malformed> {
        let mut kept = vec![false; self.attributes.len()];
        for field in Fields::new(resource) {
            let field = field.map_err(|fault| Malformed::new(&crate::wire::schema::RESOURCE, fault))?;
            if let (ATTRIBUTES, Value::Bytes(attribute)) = (field.number, field.value)
                && let Some(index) = self.index_of(attribute)
            {
                if self.overwrite || is_unknown_service(attribute) {
                    continue;
                }
                if let Some(kept) = kept.get_mut(index) {
                    *kept = true;
                }
            }
            out.extend_from_slice(field.raw);
        }
        let missing = self.attributes.iter().zip(kept).filter(|(_, kept)| !kept);
        for ((key, value), _) in missing {
            let Ok(()) = put_message(out, ATTRIBUTES, |out| {
                put_bytes(out, KEY, key.as_bytes());
                put_message(out, VALUE, |out| {
                    put_bytes(out, STRING_VALUE, value.as_bytes());
                    Ok::<_, std::convert::Infallible>(())
                })
            });
        }
        Ok(())
    }

    fn index_of(&self, attribute: &[u8]) -> Option<usize> {
        let key = bytes_of(attribute, KEY)?;
        self.attributes.iter().position(|(name, _)| name.as_bytes() == key)
    }
}

fn is_unknown_service(attribute: &[u8]) -> bool {
    bytes_of(attribute, KEY) == Some(b"service.name")
        && bytes_of(attribute, VALUE)
            .and_then(|value| bytes_of(value, STRING_VALUE))
            .is_none_or(|name| name.is_empty() || name.starts_with(UNKNOWN_SERVICE))
}

/// The last field of this number, if it is bytes, a string or a message.
pub(crate) fn bytes_of(message: &[u8], number: u32) -> Option<&[u8]> {
    let fields = Fields::new(message)
        .filter_map(Result::ok)
        .filter(|field| field.number == number);
    match fields.last()?.value {
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}
