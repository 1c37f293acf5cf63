//! The OpenTelemetry sidecar in a workload.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    missing_docs
)]

#[path = "../common/mod.rs"]
mod common;

mod client;
mod examples;
mod fields;
mod hooks;
mod kill;
mod senders;
mod support;
mod tls;
mod volume;
