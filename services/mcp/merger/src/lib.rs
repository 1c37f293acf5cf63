//! Makes one of two components with MCP tools: lists all, and calls whichever has a tool.
//!
//! A workload links one exporter of an interface, so components that do not know of each other have to become one.
//! `host-test merge` puts this before each two of them.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../../wit/mcp", world: "tool-merger" });
    use super::Merger;
    export!(Merger);
}

use bindings::exports::mainstay::mcp::tools::{Guest, Hints, Outcome, Tool, ToolResult};
use bindings::mainstay::mcp::tools as below;
use bindings::mainstay::mcp::types::{Caller, Failure, Input};
use bindings::{names, others};

struct Merger;

impl Guest for Merger {
    async fn list_tools() -> Result<Vec<Tool>, Failure> {
        let (first, second) = (below::list_tools().await?, others::list_tools().await?);
        if let Some(twice) = first
            .iter()
            .find(|tool| second.iter().any(|other| other.name == tool.name))
        {
            let (one, other) = names();
            return Err(Failure::Invalid(format!(
                "tool {:?} is in {one} and in {other}: rename one, or stand a component before it that does",
                twice.name
            )));
        }
        Ok(first.into_iter().chain(second).map(passed_on).collect())
    }

    async fn call_tool(name: String, arguments: String, input: Input, caller: Caller) -> Result<Outcome, Failure> {
        match below::call_tool(name.clone(), arguments.clone(), input.clone(), caller.clone()).await {
            Ok(below::Outcome::NotMine) => {}
            Ok(outcome) => return Ok(answered(outcome)),
            // Some say that of a tool that is not theirs. This instance may be the call's own and know no list: only now it
            // is worth asking for one.
            Err(failure) if is_below(&name).await => return Err(failure),
            Err(_) => {}
        }
        others::call_tool(name, arguments, input, caller).await.map(answered)
    }
}

/// Whether the first component lists a tool. One that cannot say so is taken to.
async fn is_below(name: &str) -> bool {
    match below::list_tools().await {
        Ok(tools) => tools.iter().any(|tool| tool.name == name),
        Err(_) => true,
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
