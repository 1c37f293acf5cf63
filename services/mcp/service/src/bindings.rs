//! `mainstay:mcp`, as generated from its WIT. On a native target the types are there and the imports are not.

#![allow(missing_docs, unreachable_pub, unsafe_code, clippy::unreachable)]

wit_bindgen::generate!({ path: "../../../wit/mcp", world: "service" });
