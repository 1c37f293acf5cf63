//! The test host itself, and what every service has from the runtime.

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
#[path = "../../../services/runtime/tests/tls_server/mod.rs"]
mod tls_server;

mod calls;
mod cli_run;
mod failures;
mod fit;
mod health;
mod http;
mod images;
mod inspect;
mod links;
mod manifests;
mod network;
mod restarts;
mod runtime_loop;
mod runtime_net;
mod runtime_service;
mod surroundings;
