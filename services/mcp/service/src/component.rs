//! The components, as the rest of the service sees them.

use std::future::Future;

use mainstay_mcp_core::engine::CallRequest;
#[cfg(target_family = "wasm")]
use mainstay_mcp_core::engine::{Operation, Reference};
use mainstay_mcp_core::model::Outcome;

use crate::types::Failure;
#[cfg(target_family = "wasm")]
use crate::types::{Caller, Input};
#[cfg(target_family = "wasm")]
use crate::{completions, convert};
use crate::{events, prompts, resources, tools};

/// What the service calls. The components that are linked to it, or a test's own.
pub trait Components: 'static {
    /// `mainstay:mcp/tools.list-tools`.
    fn list_tools(&self) -> impl Future<Output = Result<Vec<tools::Tool>, Failure>> + 'static;

    /// `mainstay:mcp/resources.list-resources`.
    fn list_resources(&self) -> impl Future<Output = Result<Option<resources::Listing>, Failure>> + 'static;

    /// `mainstay:mcp/prompts.list-prompts`.
    fn list_prompts(&self) -> impl Future<Output = Result<Option<Vec<prompts::Prompt>>, Failure>> + 'static;

    /// `mainstay:mcp/completions.enabled`.
    fn completes(&self) -> impl Future<Output = bool> + 'static;

    /// `mainstay:mcp/events.enabled`.
    fn wants_events(&self) -> impl Future<Output = bool> + 'static;

    /// `mainstay:mcp/events.deliver`.
    fn deliver(&self, events: Vec<events::Event>) -> impl Future<Output = ()> + 'static;

    /// Whichever function the request is for.
    fn call(&self, request: CallRequest) -> impl Future<Output = Outcome> + 'static;
}

/// The components that this one's imports are linked to.
#[cfg(target_family = "wasm")]
#[derive(Clone, Copy, Debug)]
pub struct Imported;

#[cfg(target_family = "wasm")]
impl Components for Imported {
    fn list_tools(&self) -> impl Future<Output = Result<Vec<tools::Tool>, Failure>> + 'static {
        tools::list_tools()
    }

    fn list_resources(&self) -> impl Future<Output = Result<Option<resources::Listing>, Failure>> + 'static {
        resources::list_resources()
    }

    fn list_prompts(&self) -> impl Future<Output = Result<Option<Vec<prompts::Prompt>>, Failure>> + 'static {
        prompts::list_prompts()
    }

    fn completes(&self) -> impl Future<Output = bool> + 'static {
        completions::enabled()
    }

    fn wants_events(&self) -> impl Future<Output = bool> + 'static {
        events::enabled()
    }

    fn deliver(&self, events: Vec<events::Event>) -> impl Future<Output = ()> + 'static {
        events::deliver(events)
    }

    fn call(&self, request: CallRequest) -> impl Future<Output = Outcome> + 'static {
        imported(request)
    }
}

#[cfg(target_family = "wasm")]
async fn imported(request: CallRequest) -> Outcome {
    let caller: Caller = convert::caller(&request);
    let input = Input {
        answers: request.input,
        state: request.state,
    };
    match request.operation {
        Operation::Tool { name, arguments } => {
            convert::tool_outcome(tools::call_tool(name, arguments, input, caller).await)
        }
        Operation::Resource { uri } => convert::read_outcome(resources::read_resource(uri, input, caller).await),
        Operation::Prompt { name, arguments } => {
            convert::prompt_outcome(prompts::get_prompt(name, arguments, input, caller).await)
        }
        Operation::Completion {
            of,
            argument,
            value,
            known,
        } => {
            let of = match of {
                Reference::Prompt(name) => completions::Reference::Prompt(name),
                Reference::Resource(uri) => completions::Reference::ResourceTemplate(uri),
            };
            convert::completion(completions::complete(of, argument, value, known, caller).await)
        }
    }
}
