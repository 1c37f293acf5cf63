//! Lets components speak to the MCP client that called them: progress, logs, questions, changes.
//!
//! It speaks to the service on the workload's loopback: a line of JSON for each wish, and one back. An instance mostly
//! lives for one call, so each wish is a connection.
//!
//! - [`exchange`]: a line there and one back, by WASI's own sockets
//! - `wish`: what is said there
//! - `wasmcp`: the same for components of wasmCP, which do it by `wasmcp:mcp-v20251125/server-io`

mod exchange;
mod wasmcp;
mod wish;

mod bindings {
    #![allow(missing_docs, unsafe_code, clippy::unreachable)] // Generated.
    wit_bindgen::generate!({
        path: ["../../../wit/mcp", "../../../wit/wasmcp", "wit"],
        world: "mainstay:mcp-client/client",
        generate_all,
    });
    use super::Client;
    export!(Client);
}

use bindings::exports::mainstay::mcp::context::{ChangedList, Error, Guest, LogLevel};
use bindings::mainstay::mcp::types::Question;
use serde_json::{Value, json};

struct Client;

impl Guest for Client {
    async fn progress(call: String, progress: f64, total: Option<f64>, message: Option<String>) -> Result<(), Error> {
        wished(&wish::progress(&call, progress, total, message)).map(drop)
    }

    async fn log(call: String, level: LogLevel, logger: Option<String>, data: String) -> Result<(), Error> {
        let level = match level {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Notice => "notice",
            LogLevel::Warning => "warning",
            LogLevel::Error => "error",
            LogLevel::Critical => "critical",
            LogLevel::Alert => "alert",
            LogLevel::Emergency => "emergency",
        };
        wished(&wish::log(&call, level, logger, data)).map(drop)
    }

    async fn ask(call: String, question: Question) -> Result<String, Error> {
        let mut wish = match question {
            Question::Form(form) => json!({ "question": "form", "message": form.message, "schema": form.schema }),
            Question::Page(page) => json!({ "question": "page", "message": page.message, "url": page.url }),
            Question::Sample(parameters) => json!({ "question": "sample", "parameters": parameters }),
            Question::Roots => json!({ "question": "roots" }),
        };
        if let Some(members) = wish.as_object_mut() {
            members.insert("do".to_owned(), json!("ask"));
            members.insert("call".to_owned(), json!(call));
        }
        match wished(&wish)? {
            Value::String(answer) => Ok(answer),
            other => Err(Error::Unavailable(format!("the MCP service answers {other}"))),
        }
    }

    async fn pause(call: String) -> Result<(), Error> {
        wished(&json!({ "do": "pause", "call": call })).map(drop)
    }

    async fn changed(list: ChangedList) -> Result<(), Error> {
        let list = match list {
            ChangedList::Tools => "tools",
            ChangedList::Resources => "resources",
            ChangedList::Prompts => "prompts",
        };
        wished(&wish::changed(list)).map(drop)
    }

    async fn updated(uri: String) -> Result<(), Error> {
        wished(&wish::updated(uri)).map(drop)
    }
}

/// What comes of a wish.
fn wished(wish: &Value) -> Result<Value, Error> {
    let answer = exchange::exchange(&wish.to_string()).map_err(Error::Unavailable)?;
    let mut answer: Value =
        serde_json::from_slice(&answer).map_err(|error| Error::Unavailable(format!("no answer: {error}")))?;
    if let Some(refused) = answer.get("refused").and_then(Value::as_str) {
        return Err(Error::Refused(refused.to_owned()));
    }
    match answer.get_mut("ok") {
        Some(ok) => Ok(ok.take()),
        None => Err(Error::Unavailable(format!("the MCP service answers {answer}"))),
    }
}
