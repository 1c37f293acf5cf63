//! How a client component reaches its service: a TCP connection on the workload's loopback whose every wait has a
//! deadline.
//!
//! std's sockets cannot wait for a while only, so it is made of WASI's own. On a native target there is nothing here.

#[cfg(target_family = "wasm")]
mod connection;

#[cfg(target_family = "wasm")]
pub use connection::{Connection, Error};
