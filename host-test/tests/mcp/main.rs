//! The MCP server in a workload.

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

mod alone;
mod auth;
mod chain;
mod clients;
mod conformance;
mod context;
mod http;
mod lines;
#[path = "../../../services/mcp/core/tests/malformed/cases.rs"]
mod malformed;
mod rmcp;
mod support;
mod wasmcp;
