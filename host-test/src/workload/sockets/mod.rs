//! A loopback of its own for each workload, on real sockets.
//!
//! To a guest, `127.0.0.1` is its workload's loopback: the service listens there, the components connect to it, and
//! nobody else is on it. wash does this in memory. Here each workload has an address of its own in `127.0.0.0/8`, and
//! guest addresses are rewritten on the way to and from the operating system: two workloads can both listen on port
//! 8081, and no guest can reach another's. Where this falls short of wash:
//!
//! - other programs of the machine can connect to a workload's address;
//! - where only `127.0.0.1` is a loopback address (macOS), workloads share it, ports included;
//! - `::1` cannot be divided and is refused, and so is UDP on loopback.
//!
//! - [`loopback`]: the address of a workload
//! - [`network`]: who may bind and connect where, and which names lead where
//! - [`names`]: the reserved names of the `wasmcloud.internal` zone
//! - [`interface`]: how all this gets between a guest and WASI's sockets
//! - [`nodelay`]: TCP_NODELAY, which WASI cannot ask for

pub(super) mod interface;
mod loopback;
mod names;
mod network;
mod nodelay;

pub(super) use loopback::Loopback;
pub(super) use network::{Network, Role};
