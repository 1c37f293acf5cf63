//! Tools that speak to the client while they work.

use serde_json::json;

use crate::bindings::exports::mainstay::mcp::tools::ToolResult;
use crate::bindings::mainstay::mcp::context::{self, ChangedList, Error, LogLevel};
use crate::bindings::mainstay::mcp::types::Caller;
use crate::{asking, said};

pub(crate) async fn call(name: &str, caller: &Caller) -> Option<ToolResult> {
    let call = &caller.call;
    if name == "who" {
        let identity = caller.identity.as_ref();
        return Some(said(identity.map_or_else(
            || "nobody".to_owned(),
            |identity| {
                format!(
                    "{} of {}: {}",
                    identity.subject,
                    identity.issuer,
                    identity.scopes.join(" ")
                )
            },
        )));
    }
    let question = match name {
        "ask_form" => Some(asking::form(
            "Who are you?",
            &json!({ "name": { "type": "string" } }),
            &["name"],
        )),
        "ask_sample" => Some(asking::sample("Who are you?", 10)),
        _ => None,
    };
    if let Some(question) = question {
        let asked = context::ask(call.clone(), question).await;
        return Some(asked.map_or_else(|error| failed(name, &error), said));
    }
    let done = match name {
        "test_tool_with_logging" | "test_logging_tool" => logging(call).await,
        "test_tool_with_progress" => progress(call).await,
        "test_reconnection" => reconnection(call).await,
        "test_trigger_tool_change" => context::changed(ChangedList::Tools).await,
        "test_trigger_prompt_change" => context::changed(ChangedList::Prompts).await,
        "change_resources" => context::changed(ChangedList::Resources).await,
        "update_watched" => context::updated("test://watched-resource".to_owned()).await,
        _ => return None,
    };
    Some(match done {
        Ok(()) => said(format!("{name} is done")),
        Err(error) => failed(name, &error),
    })
}

fn failed(name: &str, error: &Error) -> ToolResult {
    ToolResult {
        is_error: true,
        ..said(format!("{name}: {error:?}"))
    }
}

async fn logging(call: &str) -> Result<(), Error> {
    for (at, text) in [
        "Tool execution started",
        "Tool processing data",
        "Tool execution completed",
    ]
    .iter()
    .enumerate()
    {
        if at > 0 {
            pause(50).await;
        }
        context::log(call.to_owned(), LogLevel::Info, None, format!("{text:?}")).await?;
    }
    Ok(())
}

async fn progress(call: &str) -> Result<(), Error> {
    for done in [0.0, 50.0, 100.0] {
        if done > 0.0 {
            pause(50).await;
        }
        context::progress(call.to_owned(), done, Some(100.0), None).await?;
    }
    Ok(())
}

async fn reconnection(call: &str) -> Result<(), Error> {
    context::pause(call.to_owned()).await?;
    pause(100).await;
    Ok(())
}

/// The suite asks for pauses between the messages.
pub(crate) async fn pause(milliseconds: u64) {
    #[cfg(target_family = "wasm")]
    wasip3::clocks::monotonic_clock::wait_for(milliseconds * 1_000_000).await;
    #[cfg(not(target_family = "wasm"))]
    let _ = milliseconds;
}
