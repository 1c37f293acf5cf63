//! Lets components hand over telemetry by calling `wasi:otel`.
//!
//! It speaks OTLP over HTTP to the sidecar on the workload's loopback, which knows the collector and the credentials.
//! `wasi:otel` is synchronous, so an instance lives in its caller's store: as long as the caller, which often is one call.
//! Nothing tells it that the caller ends. So everything goes out at once and nothing is kept back, but the answers are
//! waited for only when no span is open any more: a request with ten spans costs ten writes and one wait.
//!
//! | module | idea |
//! |---|---|
//! | [`convert`] | what `wasi:otel` says, in OTLP's words |
//! | [`open`] | the spans that have started and not ended |
//! | [`http`] | requests, and their answers as they arrive |
//! | `exporter` | the connection to the sidecar, and what becomes of telemetry without one |
//! | `component` | the exported functions |

pub mod convert;
pub mod http;
pub mod open;

#[cfg(target_family = "wasm")]
mod component;
#[cfg(target_family = "wasm")]
mod exporter;

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::unreachable)] // Generated.
    wit_bindgen::generate!({
        path: ["../../../wit/wasi-otel", "wit"],
        world: "mainstay:otel-client/client",
        generate_all,
    });
    #[cfg(target_family = "wasm")]
    use crate::component::Client;
    #[cfg(target_family = "wasm")]
    export!(Client);
}

pub use bindings::exports::wasi::otel::{logs, metrics, tracing, types};
pub use bindings::wasi::clocks::wall_clock::Datetime;
