//! What a workload is made of, independent of how it was written down.
//!
//! A manifest converts into a [`Spec`]; tests build one in code. Everything that belongs to this machine and this run
//! instead (addresses, deadlines, where output goes) is in [`Options`](super::Options).

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::egress::{HostPattern, NamePattern};

/// Memory one instance may have if its resources do not say otherwise: 256 MiB.
pub const DEFAULT_MEMORY_LIMIT: u64 = 256 << 20;

/// One workload: at most one service, and the components that its imports are linked to.
#[derive(Debug, Clone, Default)]
pub struct Spec {
    /// The workload's name, for messages.
    pub name: String,
    /// The component that runs for as long as the workload does.
    pub service: Option<Service>,
    /// The reactive components.
    pub components: Vec<Component>,
    /// The directories that [`Mount`]s refer to.
    pub volumes: Vec<Volume>,
}

/// The long-lived component: it exports `wasi:cli/run`.
#[derive(Debug, Clone, Default)]
pub struct Service {
    /// The Wasm component.
    pub image: PathBuf,
    /// Command line arguments after the program's name.
    pub arguments: Vec<String>,
    /// How often a service that failed is started again before the workload is in error. The budget is full again
    /// after a healthy spell, see [`Options::healthy_uptime`](super::Options).
    pub max_restarts: u64,
    /// What it may see and use.
    pub resources: Resources,
}

/// A component whose exports others call.
#[derive(Debug, Clone, Default)]
pub struct Component {
    /// Its name in messages, and the one that must differ from all others in the workload.
    pub name: String,
    /// The Wasm component.
    pub image: PathBuf,
    /// How many warm instances to keep. 0: a fresh instance for every call.
    pub pool_size: u32,
    /// How many calls a warm instance may serve at a time. 0 counts as 1.
    pub max_concurrency: u32,
    /// After how many calls a warm instance is thrown away. 0: never.
    pub max_invocations: u32,
    /// What it may see and use.
    pub resources: Resources,
}

/// What one component may see and use.
#[derive(Debug, Clone, Default)]
pub struct Resources {
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// What `wasi:config/store` answers.
    pub config: BTreeMap<String, String>,
    /// Where volumes appear.
    pub mounts: Vec<Mount>,
    /// Bytes of linear memory that one store (an instance and what it calls synchronously) may have;
    /// [`DEFAULT_MEMORY_LIMIT`] if not given.
    pub memory_limit: Option<u64>,
    /// Where `wasi:http` and sockets may connect. Empty: nowhere but the workload's loopback.
    pub allowed_hosts: Vec<HostPattern>,
    /// Names that may be looked up. Empty: none but the workload's own.
    pub allowed_ip_name_lookups: Vec<NamePattern>,
    /// TCP ports of the machine's own loopback that `host.wasmcloud.internal` leads to.
    pub allowed_host_loopback_ports: Vec<u16>,
}

/// A directory that a workload's components can share.
#[derive(Debug, Clone)]
pub struct Volume {
    /// The name that mounts refer to.
    pub name: String,
    /// Where its files are.
    pub source: VolumeSource,
}

/// Where a volume's files are.
#[derive(Debug, Clone)]
pub enum VolumeSource {
    /// A directory of this machine; it must exist.
    HostPath(PathBuf),
    /// A new directory that lives as long as the workload, and so survives a restart of the service.
    Ephemeral,
}

/// Where a volume appears in one component.
#[derive(Debug, Clone)]
pub struct Mount {
    /// The volume's name.
    pub volume: String,
    /// The path that the guest sees, for example `/state`.
    pub path: String,
    /// Whether the guest may only read.
    pub read_only: bool,
}
