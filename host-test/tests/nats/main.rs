//! The NATS service in a workload.

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
#[path = "../common/dummy.rs"]
mod dummy;
#[path = "../../../services/nats/core/tests/malformed/mod.rs"]
mod malformed;

mod callbacks;
mod client;
mod connection;
mod core;
mod credentials;
mod endpoint;
mod jetstream;
mod kill;
mod messaging;
mod signatures;
mod support;
mod tls;
mod watch;
