//! The tools, resources and prompts that the MCP conformance suite asks for, by the names that it gives them.
//!
//! - [`list`]: what there is
//! - [`plain`]: tools that answer at once
//! - [`talking`]: tools that speak to the client while they work
//! - [`asking`]: tools and a prompt that need input
//! - [`lasting`]: tools that take long
//! - [`reading`]: resources, prompts, completions

mod asking;
mod lasting;
mod list;
mod plain;
mod reading;
mod talking;

mod bindings {
    #![allow(missing_docs, unsafe_code, clippy::unreachable)] // Generated.
    wit_bindgen::generate!({ path: "../../../wit/mcp", world: "everything" });
    use super::Everything;
    export!(Everything);
}

use bindings::exports::mainstay::mcp::events;
use bindings::exports::mainstay::mcp::tools::{Guest, Outcome, Tool, ToolResult};
use bindings::mainstay::mcp::types::{Block, Caller, Content, Failure, Input};

struct Everything;

impl Guest for Everything {
    async fn list_tools() -> Result<Vec<Tool>, Failure> {
        Ok(list::tools())
    }

    async fn call_tool(name: String, arguments: String, input: Input, caller: Caller) -> Result<Outcome, Failure> {
        if let Some(result) = plain::call(&name, &arguments) {
            return Ok(Outcome::Done(result));
        }
        if let Some(result) = talking::call(&name, &caller).await {
            return Ok(Outcome::Done(result));
        }
        let parsed = serde_json::from_str(&arguments).unwrap_or_default();
        if let Some(outcome) = lasting::call(&name, &parsed, &input, &caller).await {
            return outcome;
        }
        asking::call(&name, &arguments, &input, &caller)
    }
}

impl events::Guest for Everything {
    async fn enabled() -> bool {
        std::env::var_os("TELL_EVENTS").is_some()
    }

    async fn deliver(events: Vec<events::Event>) {
        for event in events {
            match event {
                events::Event::Connected(client) => eprintln!("event: connected {} {}", client.name, client.version),
                events::Event::Subscribed(to) => eprintln!("event: subscribed {}", to.uri),
                events::Event::Unsubscribed(from) => eprintln!("event: unsubscribed {}", from.uri),
                events::Event::Closed(_) => eprintln!("event: closed"),
            }
        }
    }
}

fn content(block: Block) -> Content {
    Content {
        block,
        annotations: None,
        meta: None,
    }
}

fn said(text: impl Into<String>) -> ToolResult {
    result(vec![content(Block::Text(text.into()))])
}

fn result(content: Vec<Content>) -> ToolResult {
    ToolResult {
        content,
        structured: None,
        is_error: false,
        meta: None,
    }
}
