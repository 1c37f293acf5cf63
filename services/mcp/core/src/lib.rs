//! The Model Context Protocol as a server speaks it: no WASI and no I/O in it.
//!
//! | module | idea |
//! |---|---|
//! | [`revision`] | the revisions of the specification, and what sets them apart |
//! | [`jsonrpc`] | messages: read, written, cut from a stream of bytes |
//! | [`error`] | errors as JSON-RPC tells them |
//! | [`model`] | tools, resources, prompts, content: what components bring |
//! | [`catalogue`] | what components offer, checked once, listed page by page |
//! | [`schema`] | arguments and structured content against JSON Schema |
//! | [`engine`] | the protocol, in both its eras: messages in, calls and messages out |
//! | [`channel`] | messages on their way to a client, kept for those that ask again |
//! | [`seal`] | state that goes through the client unread and unchanged |
//! | [`headers`], [`origin`], [`http`], [`sse`] | Streamable HTTP |
//! | [`auth`] | bearer tokens, and where to get one |
//! | [`trace`] | W3C trace context |
//! | [`object`] | writing JSON objects member by member |

pub mod auth;
pub mod catalogue;
pub mod channel;
pub mod engine;
pub mod error;
pub mod headers;
pub mod http;
pub mod jsonrpc;
pub mod model;
pub mod object;
pub mod origin;
pub mod revision;
pub mod schema;
pub mod seal;
pub mod sse;
pub mod trace;
