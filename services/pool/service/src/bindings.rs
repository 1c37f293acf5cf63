//! `mainstay:socket-pool`, as generated from its WIT. On a native target the types are there and the imports are not.

#![allow(missing_docs, unreachable_pub, unsafe_code, clippy::unreachable)]

wit_bindgen::generate!({ path: "../../../wit/socket-pool", world: "service" });
