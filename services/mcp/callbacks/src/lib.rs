//! Optional MCP callbacks that do nothing: no resources, no prompts, no completions, no wish for events.
//!
//! Composed into `mcp.wasm`, so that a workload's component needs to export `mainstay:mcp/tools` only. Each is asked once,
//! when the service starts; clients are not told of what nobody has.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../../wit/mcp", world: "callbacks" });
    use super::Callbacks;
    export!(Callbacks);
}

use bindings::exports::mainstay::mcp::{completions, events, prompts, resources};
use bindings::mainstay::mcp::types::{Caller, Failure, Input};

struct Callbacks;

impl resources::Guest for Callbacks {
    async fn list_resources() -> Result<Option<resources::Listing>, Failure> {
        Ok(None)
    }

    async fn read_resource(_uri: String, _input: Input, _caller: Caller) -> Result<resources::ReadOutcome, Failure> {
        Ok(resources::ReadOutcome::NotMine)
    }
}

impl prompts::Guest for Callbacks {
    async fn list_prompts() -> Result<Option<Vec<prompts::Prompt>>, Failure> {
        Ok(None)
    }

    async fn get_prompt(
        _name: String,
        _arguments: Vec<(String, String)>,
        _input: Input,
        _caller: Caller,
    ) -> Result<prompts::PromptOutcome, Failure> {
        Ok(prompts::PromptOutcome::NotMine)
    }
}

impl completions::Guest for Callbacks {
    async fn enabled() -> bool {
        false
    }

    async fn complete(
        _reference: completions::Reference,
        _argument: String,
        _value: String,
        _known: Vec<(String, String)>,
        _caller: Caller,
    ) -> Result<Option<completions::Completion>, Failure> {
        Ok(None)
    }
}

impl events::Guest for Callbacks {
    async fn enabled() -> bool {
        false
    }

    async fn deliver(_events: Vec<events::Event>) {}
}
