//! The socket pool in a workload.

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

mod example;
mod faults;
mod hooks;
mod kill;
mod leases;
mod line_server;
mod postgres;
mod redis;
mod support;
mod tcp;
mod tls;
