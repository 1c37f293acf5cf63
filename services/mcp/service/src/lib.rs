//! The MCP service: lets language models use the tools, resources and prompts of components.
//!
//! The protocol is the core crate's business (`mainstay-mcp-core`); here are the sockets, the clock and the callbacks.
//!
//! - [`config`]: settings, all checked at start
//! - [`component`]: the components, as the rest of the service sees them; `convert` between their words and the protocol's
//! - `bindings`: `mainstay:mcp`, as generated from its WIT
//! - [`service`]: the start of everything, in order
//! - `hub`: the protocol as the tasks share it
//! - `calls`: calls of components; `offer`: what they have
//! - `line`: MCP over a connection; `stdio` and `tcp` bring such
//! - [`http`]: MCP over HTTP, on the component's own handler or on a port
//! - `rotation`: the keys of an issuer, fetched again and again
//! - `context`: where components speak during a call
//! - `report`: log lines, metrics and events of what happens

mod bindings;
mod calls;
pub mod component;
pub mod config;
mod context;
#[cfg_attr(
    not(target_family = "wasm"),
    allow(dead_code, reason = "components are called in a component only")
)]
mod convert;
pub mod http;
mod hub;
mod line;
mod offer;
mod report;
mod rotation;
#[cfg(test)]
mod scripted;
pub mod service;
#[cfg(target_family = "wasm")]
mod stdio;
mod tcp;

pub use bindings::mainstay::mcp::{completions, events, prompts, resources, tools, types};
