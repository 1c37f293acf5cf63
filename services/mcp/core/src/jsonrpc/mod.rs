//! JSON-RPC 2.0, as MCP narrows it.
//!
//! - [`id`]: what a request and its response share
//! - [`message`]: what a client may send, and what is wrong with it otherwise
//! - [`lines`]: messages in a stream of bytes, one a line
//! - [`mod@write`]: what a server sends

pub mod id;
pub mod lines;
pub mod message;
pub mod write;

pub use id::Id;
pub use lines::{Line, Lines};
pub use message::{Incoming, Malformed, Message, parse};
