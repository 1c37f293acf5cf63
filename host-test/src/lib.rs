//! The test host: runs a service in a workload next to reactive components.
//!
//! - [`cli`]: the command line, one file per subcommand
//! - [`manifest`]: the Kubernetes manifest that says what a workload is made of
//! - [`workload`]: the engine, the linking of imports to exports, and the life of a workload

pub mod cli;
pub mod manifest;
pub mod workload;
