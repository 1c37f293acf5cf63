//! The OpenTelemetry sidecar: takes OTLP on loopback, and gets it to the collector.
//!
//! What a request is, and what may be done to it, is the core crate's business (`mainstay-otel-core`); here are the
//! sockets, the clock, the disk and the callbacks.
//!
//! - [`config`]: settings, all checked at start
//! - [`component`]: the callbacks, as the rest of the service sees them
//! - `bindings`: `mainstay:otel`, as generated from its WIT
//! - [`service`]: the start of everything, in order
//! - `receive`: OTLP/HTTP and OTLP/gRPC on loopback
//! - `coding`: gzip and zstd
//! - `intake`: what a request goes through until it is queued
//! - `process`: calls of the component's processor
//! - `lane`: one signal's queue for one destination
//! - `queues`: the queues of all destinations for one signal
//! - `spool`: a queue on a volume
//! - `tail`: traces that wait until they are decided
//! - `export`: from the queue to the collector
//! - `report`: log lines, metrics and events of what happens

mod bindings;
mod coding;
pub mod component;
pub mod config;
pub mod export;
mod intake;
mod lane;
mod process;
mod queues;
mod receive;
mod report;
pub mod service;
mod spool;
mod tail;
#[cfg(test)]
mod tests;

pub use bindings::mainstay::otel::{events, processor};
