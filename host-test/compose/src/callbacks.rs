//! The no-op callbacks that an open service carries with it.
//!
//! A host has no optional imports, so a component says what it can do without by carrying the component that stands in
//! for it: a custom section `mainstay:callbacks`, ignored by every host, whose content is a component that exports the
//! optional interfaces with functions that do nothing. It travels with the file, through a registry too, and nothing
//! else has to be declared: optional is what the section's component exports.

use wasmparser::{Chunk, Parser, Payload};

use crate::Error;

/// Name of the custom section.
pub const SECTION: &str = "mainstay:callbacks";

/// Puts `callbacks` into `open`, in place of any that it carried.
///
/// # Errors
/// When either is not a component, or nothing that `callbacks` exports is imported by `open`.
pub fn attach(open: &[u8], callbacks: &[u8]) -> Result<Vec<u8>, Error> {
    crate::close::links(open, callbacks)?;
    let (mut bytes, _) = detach(open)?;
    let mut content = Vec::with_capacity(callbacks.len() + SECTION.len() + 1);
    push_length(&mut content, SECTION.len());
    content.extend_from_slice(SECTION.as_bytes());
    content.extend_from_slice(callbacks);
    bytes.push(CUSTOM_SECTION);
    push_length(&mut bytes, content.len());
    bytes.extend_from_slice(&content);
    Ok(bytes)
}

/// Takes the carried callbacks out: the component as it was before [`attach`], and the callbacks if there were any.
///
/// # Errors
/// When the bytes are not a component.
pub fn detach(component: &[u8]) -> Result<(Vec<u8>, Option<Vec<u8>>), Error> {
    let not_a_component = |reason: String| Error::NotAComponent {
        component: "the component".to_owned(),
        reason,
    };
    if !Parser::is_component(component) {
        return Err(not_a_component(kind_of(component).to_owned()));
    }
    let mut parser = Parser::new(0);
    let mut rest = component;
    let mut kept = Vec::with_capacity(component.len());
    let mut callbacks = None;
    loop {
        let chunk = parser
            .parse(rest, true)
            .map_err(|error| not_a_component(error.to_string()))?;
        let Chunk::Parsed { mut consumed, payload } = chunk else {
            return Err(not_a_component("it ends in the middle of a section".to_owned()));
        };
        let mut ours = false;
        match payload {
            // Nested ones are kept whole: their custom sections are their own.
            Payload::ModuleSection { unchecked_range, .. } | Payload::ComponentSection { unchecked_range, .. } => {
                let nested = usize::try_from(unchecked_range.end - unchecked_range.start);
                consumed = consumed.saturating_add(nested.unwrap_or(usize::MAX));
            }
            Payload::CustomSection(section) if section.name() == SECTION => {
                callbacks = Some(section.data().to_vec());
                ours = true;
            }
            Payload::End(_) => return Ok((kept, callbacks)),
            _ => {}
        }
        let Some((section, after)) = rest.split_at_checked(consumed) else {
            return Err(not_a_component("it ends in the middle of a section".to_owned()));
        };
        if !ours {
            kept.extend_from_slice(section);
        }
        rest = after;
    }
}

/// Section id of custom sections, in components as in modules (Component Model, Binary.md).
const CUSTOM_SECTION: u8 = 0;

/// An unsigned LEB128 number.
fn push_length(bytes: &mut Vec<u8>, length: usize) {
    let mut rest = length;
    while rest >= 0x80 {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

/// What a file that is no component most likely is.
fn kind_of(bytes: &[u8]) -> &'static str {
    if Parser::is_core_wasm(bytes) {
        "it is a core module; build it for wasm32-wasip2, or make a component of it with `wasm-tools component new`"
    } else if bytes.is_empty() {
        "the file is empty"
    } else {
        "it does not begin as a component does"
    }
}
