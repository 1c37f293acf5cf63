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

/// Reads JSON that is handed on, with its members in their order. It becomes one line, as a message of a connection is one
/// (2026-07-28 §stdio).
///
/// # Errors
/// It is none.
pub fn json(text: String) -> Result<Json, serde_json::Error> {
    let json = RawValue::from_string(text)?;
    if json.get().contains(['\n', '\r']) {
        return RawValue::from_string(without_space(json.get()));
    }
    Ok(json)
}

/// JSON without the white space between its tokens.
fn without_space(json: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let kept = json.chars().filter(|char| {
        let was_quoted = quoted;
        match char {
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && *char == '\\' && !escaped;
        was_quoted || !char.is_ascii_whitespace()
    });
    kept.collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_of_many_lines_becomes_one_and_texts_stay_as_they_are() {
        for (text, line) in [
            ("{\n  \"b\": [1, 2],\r\n\t\"a\": null\n}\n", r#"{"b":[1,2],"a":null}"#),
            (
                "[\n\"two  spaces, a \\\" and a \\\\\", \" \"]",
                r#"["two  spaces, a \" and a \\"," "]"#,
            ),
            (r#"{"a": "one line"}"#, r#"{"a": "one line"}"#),
        ] {
            assert_eq!(json(text.to_owned()).unwrap().get(), line);
        }
        assert!(json("[1\n2]".to_owned()).is_err(), "no comma");
        assert!(json_object("\n[]".to_owned()).is_err());
    }
}
