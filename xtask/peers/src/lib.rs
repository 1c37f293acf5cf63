//! Real servers for tests, benchmarks and examples: started on a free port, restarted, and gone when dropped.
//!
//! - [`nats`] starts nats-server
//! - [`nats_client`] asks it a few things
//! - [`postgres`] starts PostgreSQL, [`pgbouncer`] a PgBouncer before it, [`redis`] Redis
//! - [`registry`] starts an OCI registry
//! - `process` starts a program and waits until it accepts connections
//! - [`rotel`] starts Rotel, an OpenTelemetry collector
//! - [`tools`] knows where programs are found, and how to get those that are missing

pub mod nats;
pub mod nats_client;
pub mod pgbouncer;
pub mod postgres;
mod process;
pub mod redis;
pub mod registry;
pub mod rotel;
pub mod tools;

pub use nats::NatsServer;
pub use nats_client::NatsClient;
pub use pgbouncer::PgBouncer;
pub use postgres::Postgres;
pub use redis::Redis;
pub use registry::Registry;
pub use rotel::Rotel;
