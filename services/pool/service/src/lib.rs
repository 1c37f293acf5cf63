//! The socket pool: warm, authenticated connections to PostgreSQL, Redis and others, for short-lived components.
//!
//! Who may have which connection when, and what the protocols mean for that, is the core crate's business
//! (`mainstay-pool-core`); here are the sockets and the clock.
//!
//! - [`config`]: settings, all checked at start
//! - [`component`]: the callbacks, as the rest of the service sees them
//! - `bindings`: `mainstay:socket-pool`, as generated from its WIT
//! - [`service`]: the start of everything, in order
//! - `pool`: a pool's state with its connections: acquire, release, connect, check
//! - `upstream`: one connection to a server: addresses, TLS
//! - `pump`: bytes in both directions between two sockets
//! - `postgres`, `redis`, `tcp`: the three modes
//! - `leases`: the port of `pool-client.wasm`
//! - `admin`: pause, resume, drain, reconnect, figures

mod admin;
mod bindings;
pub mod component;
pub mod config;
mod leases;
mod pool;
mod postgres;
mod pump;
mod redis;
pub mod service;
mod tcp;
mod upstream;

pub use bindings::mainstay::socket_pool::hooks;
