//! Real servers for tests, benchmarks and examples: started on a free port, restarted, and gone when dropped.
//!
//! - [`nats`] starts nats-server
//! - [`registry`] starts an OCI registry
//! - [`rotel`] starts Rotel, an OpenTelemetry collector
//! - [`tools`] knows where programs are found, and how to get those that are missing

pub mod nats;
pub mod registry;
pub mod rotel;
pub mod tools;

pub use nats::NatsServer;
pub use registry::Registry;
pub use rotel::Rotel;
