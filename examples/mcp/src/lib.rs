//! A calculator for language models: six tools of one or two numbers.
//!
//! It lives for one call. Arguments have been checked against the schemas here when they come.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../wit/mcp", world: "toolbox" });
    use super::Calculator;
    export!(Calculator);
}

use bindings::exports::mainstay::mcp::tools::{Guest, Hints, Outcome, Tool, ToolResult};
use bindings::mainstay::mcp::types::{Block, Caller, Content, Failure, Input};
use serde_json::{Value, json};

struct Calculator;

/// Name, what it does, and the names of its arguments.
const TOOLS: [(&str, &str, &[&str]); 6] = [
    ("add", "Adds two numbers.", &["a", "b"]),
    ("subtract", "Subtracts b from a.", &["a", "b"]),
    ("multiply", "Multiplies two numbers.", &["a", "b"]),
    ("divide", "Divides a by b.", &["a", "b"]),
    ("square", "Squares a number.", &["a"]),
    ("square-root", "Takes the square root of a number.", &["a"]),
];

impl Guest for Calculator {
    async fn list_tools() -> Result<Vec<Tool>, Failure> {
        Ok(TOOLS.iter().map(tool).collect())
    }

    async fn call_tool(name: String, arguments: String, _input: Input, _caller: Caller) -> Result<Outcome, Failure> {
        let arguments: Value =
            serde_json::from_str(&arguments).map_err(|error| Failure::Invalid(format!("arguments: {error}")))?;
        let number = |name: &str| arguments.get(name).and_then(Value::as_f64).unwrap_or_default();
        let (a, b) = (number("a"), number("b"));
        let value = match name.as_str() {
            "add" => a + b,
            "subtract" => a - b,
            "multiply" => a * b,
            "divide" if b == 0.0 => return Ok(failed("nothing can be divided by zero")),
            "divide" => a / b,
            "square" => a * a,
            "square-root" if a < 0.0 => return Ok(failed("a negative number has no square root")),
            "square-root" => a.sqrt(),
            _ => return Ok(Outcome::NotMine),
        };
        if !value.is_finite() {
            return Ok(failed("the result is too large"));
        }
        Ok(Outcome::Done(ToolResult {
            content: vec![text(value.to_string())],
            structured: Some(json!({ "result": value }).to_string()),
            is_error: false,
            meta: None,
        }))
    }
}

fn tool((name, description, arguments): &(&str, &str, &[&str])) -> Tool {
    let properties: Value = arguments
        .iter()
        .map(|name| (*name, json!({ "type": "number" })))
        .collect();
    let input =
        json!({ "type": "object", "properties": properties, "required": arguments, "additionalProperties": false });
    let output = json!({ "type": "object", "properties": { "result": { "type": "number" } }, "required": ["result"] });
    Tool {
        name: (*name).to_owned(),
        title: None,
        description: Some((*description).to_owned()),
        input_schema: input.to_string(),
        output_schema: Some(output.to_string()),
        hints: Some(Hints {
            read_only: Some(true),
            destructive: None,
            idempotent: Some(true),
            open_world: Some(false),
        }),
        icons: Vec::new(),
        meta: None,
        needs_tasks: false,
    }
}

fn text(text: impl Into<String>) -> Content {
    Content {
        block: Block::Text(text.into()),
        annotations: None,
        meta: None,
    }
}

/// What the model is told, to try something else.
fn failed(why: &str) -> Outcome {
    Outcome::Done(ToolResult {
        content: vec![text(why)],
        structured: None,
        is_error: true,
        meta: None,
    })
}
