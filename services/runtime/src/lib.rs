//! What every Mainstay service shares: event loop, configuration, health, supervision, logging.
//!
//! A service is a component that exports `wasi:cli/run@0.3.0` and hands that call to [`run`], which [`component!`] does:
//!
//! ```ignore
//! mainstay_runtime::component!("cron", service::start);
//! ```
//!
//! Everything in a service runs on one thread, on tokio: sockets, timers and `spawn_local` are tokio's. On a native
//! target the same code runs on tokio alone, which is how it is tested.
//!
//! | module | idea |
//! |---|---|
//! | [`service`] | [`run`], what a service is given ([`Context`]), how it ends ([`Error`]) |
//! | [`event_loop`] | how tokio and the component model take turns |
//! | [`callback`] | calls into components: bounded, each with a deadline, cancellable |
//! | [`config`] | settings from the environment and one TOML file, all checked at start |
//! | [`log`] | one line for each event, as text or as JSON, on stderr |
//! | [`backoff`], [`supervise`] | tasks that fail are started again, later each time |
//! | [`queue`] | a queue bounded in items and in bytes, with a policy for when it is full |
//! | [`seldom`] | lines about what may happen many times a second |
//! | [`metrics`] | counters, gauges and histograms in Prometheus text |
//! | [`health`] | `/healthz`, `/readyz` and `/metrics` on the workload's loopback |
//! | `admin` | pages for an operator, as JSON on the workload's loopback (feature `admin`) |
//! | `spans` | spans of a service's own, to whoever takes in OpenTelemetry (feature `spans`) |
//! | [`state`] | files that survive a crash at any instant |
//! | [`listener`], [`net`] | sockets: accept, resolve, dial, TLS |

#[cfg(feature = "admin")]
pub mod admin;
pub mod backoff;
pub mod callback;
pub mod config;
pub mod event_loop;
pub mod health;
pub mod listener;
pub mod log;
pub mod metrics;
pub mod net;
pub mod queue;
pub mod seldom;
pub mod service;
#[cfg(feature = "spans")]
pub mod spans;
pub mod state;
pub mod supervise;

pub use event_loop::Waiting;
pub use service::{Context, Error, Options, run, run_with};
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub use wasip3;
