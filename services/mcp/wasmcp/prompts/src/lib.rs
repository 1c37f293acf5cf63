//! Lets a component that exports `wasmcp:mcp-v20251125/prompts@0.1.1` join unmodified.

mainstay_wasmcp::adapter!("mainstay:wasmcp-adapter/prompts-adapter");

use bindings::exports::mainstay::mcp::prompts::{Argument, Guest, Message, Prompt, PromptOutcome, PromptResult};
use bindings::wasmcp::mcp_v20251125::prompts;
use mainstay_wasmcp::calling::{self, Route};
use mainstay_wasmcp::mcp::{Caller, Failure, Input};
use mainstay_wasmcp::wasmcp::{self, GetPromptRequest, ListPromptsRequest, PromptMessage};
use mainstay_wasmcp::{content, failure, list};
use serde_json::Value;

struct Adapter;

impl Guest for Adapter {
    async fn list_prompts() -> Result<Option<Vec<Prompt>>, Failure> {
        let all = list::all(|cursor| {
            let page = prompts::list_prompts(&calling::asking(), &ListPromptsRequest { cursor })?;
            Ok((page.prompts, page.next_cursor))
        })?;
        Ok(all.map(|all| all.into_iter().map(prompt).collect()))
    }

    async fn get_prompt(
        name: String,
        arguments: Vec<(String, String)>,
        _input: Input,
        caller: Caller,
    ) -> Result<PromptOutcome, Failure> {
        let arguments = arguments.into_iter().map(|(name, value)| (name, Value::String(value)));
        let request = GetPromptRequest {
            name,
            arguments: Some(Value::Object(arguments.collect()).to_string()),
        };
        let route = Route::open();
        let filled = prompts::get_prompt(&route.call(caller), &request).map_err(failure)?;
        filled.map_or(Ok(PromptOutcome::NotMine), |result| {
            Ok(PromptOutcome::Done(PromptResult {
                description: result.description,
                messages: result.messages.into_iter().map(message).collect::<Result<_, _>>()?,
                meta: result.meta,
            }))
        })
    }
}

fn message(message: PromptMessage) -> Result<Message, Failure> {
    Ok(Message {
        role: content::role(message.role),
        content: content::content(message.content)?,
    })
}

fn prompt(prompt: wasmcp::Prompt) -> Prompt {
    let mut told = Prompt {
        name: prompt.name,
        title: None,
        description: None,
        arguments: Vec::new(),
        icons: Vec::new(),
        meta: None,
    };
    if let Some(options) = prompt.options {
        told.title = options.title;
        told.description = options.description;
        told.arguments = options.arguments.into_iter().flatten().map(argument).collect();
        told.icons = list::icons(options.icons);
        told.meta = options.meta;
    }
    told
}

fn argument(argument: wasmcp::PromptArgument) -> Argument {
    Argument {
        name: argument.name,
        title: argument.title,
        description: argument.description,
        required: argument.required.unwrap_or_default(),
    }
}
