//! What belongs to this machine and this run rather than to the workload.

use std::net::SocketAddr;

use super::call::Deadlines;
use super::restart::RestartPolicy;
use super::stdio::{Input, Output};

/// How to run a workload.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where to serve the component that exports `wasi:http`; port 0 picks a free one.
    pub http: Option<SocketAddr>,
    /// Environment variables of every component, over the workload's own.
    pub environment: Vec<(String, String)>,
    /// The service's standard input.
    pub input: Input,
    /// Where output goes.
    pub output: Output,
    /// How long calls may take.
    pub deadlines: Deadlines,
    /// How a failed service is restarted.
    pub restart: RestartPolicy,
    /// Leaves guests' sockets as WASI makes them, without TCP_NODELAY, as wash does: a small write may then wait 40 ms
    /// for the acknowledgement of the one before.
    pub delayed_sends: bool,
}
