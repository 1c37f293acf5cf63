//! A workload: a service, the components that it calls, and the life of both.
//!
//! - [`spec`]: what a workload is made of
//! - [`egress`]: which hosts and names a guest may reach

pub mod egress;
pub mod spec;

pub use spec::Spec;
