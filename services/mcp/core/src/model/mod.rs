//! What components bring, with the names that the specification gives it.
//!
//! - [`content`]: texts, images, sound, resources
//! - [`offer`]: tools, resources, templates of resources, prompts
//! - [`outcome`]: what became of a call
//! - [`log_level`]: how grave a log message is

pub mod content;
pub mod log_level;
pub mod offer;
pub mod outcome;

pub use content::{Annotations, Content, ContentKind, Icon, ResourceBody, ResourceContents, Role};
pub use log_level::LogLevel;
pub use offer::{Argument, Prompt, Resource, ResourceTemplate, Tool, ToolAnnotations};
pub use outcome::{Ask, Completion, Done, NeedsInput, Outcome, PromptMessage, PromptResult, ToolResult};

use serde_json::value::RawValue;

/// JSON that is handed on as it came.
pub type Json = Box<RawValue>;

/// Reads JSON that is handed on.
///
/// # Errors
/// It is none.
pub fn json(text: String) -> Result<Json, serde_json::Error> {
    RawValue::from_string(text)
}

/// Reads JSON that has to be an object.
///
/// # Errors
/// It is none, in words.
pub fn json_object(text: String) -> Result<Json, String> {
    let json = json(text).map_err(|error| format!("not JSON: {error}"))?;
    if json.get().trim_start().starts_with('{') {
        Ok(json)
    } else {
        Err("not a JSON object".to_owned())
    }
}
