//! The test host: runs a service in a workload next to reactive components.
//!
//! - [`workload`]: the engine, the linking of imports to exports, and the life of a workload

pub mod workload;
