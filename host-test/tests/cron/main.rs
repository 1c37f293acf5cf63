//! The cron service in a workload.

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

mod admin;
mod burst;
mod election;
mod example;
mod faults;
mod idle;
mod kill;
mod stalled;
mod state;
mod support;
mod ticks;
