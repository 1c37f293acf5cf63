//! Stands before another component's tools: offers the hypotenuse of a right triangle, made of squares and a square root,
//! and hides those two. All else is passed on.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../wit/mcp", world: "tool-filter" });
    use super::Pythagoras;
    export!(Pythagoras);
}

use bindings::exports::mainstay::mcp::tools::{Guest, Hints, Outcome, Tool, ToolResult};
use bindings::mainstay::mcp::tools as below;
use bindings::mainstay::mcp::types::{Block, Caller, Content, Failure, Input};
use serde_json::{Value, json};

struct Pythagoras;

/// Steps on the way, of no use to anybody else.
const HIDDEN: [&str; 2] = ["square", "square-root"];

impl Guest for Pythagoras {
    async fn list_tools() -> Result<Vec<Tool>, Failure> {
        let mut tools = vec![hypotenuse()];
        let others = below::list_tools().await?;
        tools.extend(
            others
                .into_iter()
                .filter(|tool| !HIDDEN.contains(&tool.name.as_str()))
                .map(passed_on),
        );
        Ok(tools)
    }

    async fn call_tool(name: String, arguments: String, input: Input, caller: Caller) -> Result<Outcome, Failure> {
        if HIDDEN.contains(&name.as_str()) {
            return Ok(Outcome::NotMine);
        }
        if name != "hypotenuse" {
            return below::call_tool(name, arguments, input, caller).await.map(answered);
        }
        let sides: Value = serde_json::from_str(&arguments).unwrap_or_default();
        let side = |name: &str| sides.get(name).and_then(Value::as_f64).unwrap_or_default();
        let a = step("square", side("a"), &caller).await?;
        let b = step("square", side("b"), &caller).await?;
        let c = step("square-root", a + b, &caller).await?;
        Ok(Outcome::Done(ToolResult {
            content: vec![Content {
                block: Block::Text(c.to_string()),
                annotations: None,
                meta: None,
            }],
            structured: Some(json!({ "result": c }).to_string()),
            is_error: false,
            meta: None,
        }))
    }
}

/// Calls a tool below, and takes its number.
async fn step(tool: &str, a: f64, caller: &Caller) -> Result<f64, Failure> {
    let input = Input {
        answers: Vec::new(),
        state: None,
    };
    let arguments = json!({ "a": a }).to_string();
    let outcome = below::call_tool(tool.to_owned(), arguments, input, caller.clone()).await?;
    let below::Outcome::Done(result) = outcome else {
        return Err(Failure::Broken(format!("there is no tool {tool:?} below")));
    };
    let structured = result.structured.unwrap_or_default();
    let structured: Value = serde_json::from_str(&structured).unwrap_or_default();
    let number = structured.get("result").and_then(Value::as_f64);
    number.ok_or_else(|| Failure::Broken(format!("{tool:?} brings no number")))
}

fn hypotenuse() -> Tool {
    let number = json!({ "type": "number", "exclusiveMinimum": 0 });
    let input = json!({ "type": "object", "properties": { "a": number, "b": number }, "required": ["a", "b"] });
    let output = json!({ "type": "object", "properties": { "result": { "type": "number" } }, "required": ["result"] });
    Tool {
        name: "hypotenuse".to_owned(),
        title: None,
        description: Some("The longest side of a right triangle, by its other two.".to_owned()),
        input_schema: input.to_string(),
        output_schema: Some(output.to_string()),
        hints: None,
        icons: Vec::new(),
        meta: None,
        needs_tasks: false,
    }
}

/// What is imported and what is exported are types of their own, though they look alike.
fn passed_on(tool: below::Tool) -> Tool {
    Tool {
        name: tool.name,
        title: tool.title,
        description: tool.description,
        input_schema: tool.input_schema,
        output_schema: tool.output_schema,
        hints: tool.hints.map(|hints| Hints {
            read_only: hints.read_only,
            destructive: hints.destructive,
            idempotent: hints.idempotent,
            open_world: hints.open_world,
        }),
        icons: tool.icons,
        meta: tool.meta,
        needs_tasks: tool.needs_tasks,
    }
}

fn answered(outcome: below::Outcome) -> Outcome {
    match outcome {
        below::Outcome::Done(result) => Outcome::Done(ToolResult {
            content: result.content,
            structured: result.structured,
            is_error: result.is_error,
            meta: result.meta,
        }),
        below::Outcome::NeedsInput(needed) => Outcome::NeedsInput(needed),
        below::Outcome::NotMine => Outcome::NotMine,
    }
}
