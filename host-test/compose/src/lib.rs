//! What a component needs and gives, whether two fit, and joining them.
//!
//! - [`component`]: a component and its interface, decoded
//! - [`check`]: which export satisfies which import of a workload
//! - [`link_error`]: why one does not, in words
//! - [`difference`]: where two types part
//! - [`host`]: what a host itself serves
//! - [`callbacks`]: the no-op callbacks that an open service carries, and so what it can do without
//! - [`inspect`]: what a component is, needs and gives, for people and as JSON
//! - [`fit()`], [`join()`]: the artefact of a service that a set of components needs, without them or with
//! - [`chain()`]: components that stand before one another, made one
//! - [`merge()`]: components with MCP tools, made one that has the tools of all
//! - [`beside()`]: components that have nothing to do with one another, made one
//! - [`close()`]: a service's optional imports closed with its no-op callbacks
//! - `graph`: components joined into one, by wac-graph
//! - `signature`: functions and types in WIT syntax
//! - [`Error`]: everything that can go wrong

mod beside;
pub mod callbacks;
mod chain;
pub mod check;
mod close;
pub mod component;
pub mod difference;
mod error;
mod fit;
mod graph;
pub mod host;
pub mod inspect;
pub mod link_error;
mod merge;
mod signature;

pub use beside::beside;
pub use callbacks::{attach, detach};
pub use chain::chain;
pub use check::{Importer, Link, Workload};
pub use close::close;
pub use component::{Component, Interface};
pub use error::Error;
pub use fit::{Fitted, fit, join};
pub use host::Host;
pub use inspect::Inspection;
pub use link_error::{LinkError, LinkErrors, Problem};
pub use merge::merge;
