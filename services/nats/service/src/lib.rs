//! The NATS service: calls components for messages, and lets them speak NATS on loopback.
//!
//! The protocol, the multiplexer and what becomes of a delivery are the core crate's business (`mainstay-nats-core`), the
//! connection to the servers is the link crate's (`mainstay-nats-link`); here are the callbacks and the endpoint.
//!
//! - [`config`]: settings, all checked at start
//! - [`component`]: the callbacks, as the rest of the service sees them
//! - `bindings`: `mainstay:nats`, as generated from its WIT
//! - [`service`]: the start of everything, in order
//! - `endpoint`: the loopback endpoint
//! - `aside`: connections to the server beside the shared one
//! - `inbound`: messages to the component, from core NATS and from JetStream
//! - `watch`: changes of key-value buckets to the component
//! - `report`: log lines, metrics and events of what happens

mod aside;
mod bindings;
pub mod component;
pub mod config;
mod endpoint;
mod inbound;
mod report;
pub mod service;
mod watch;

pub use bindings::mainstay::nats::{events, filter, handler, watcher};
