//! What a component needs and gives, whether two fit, and joining them.
//!
//! - [`callbacks`]: the no-op callbacks that an open service carries, and so what it can do without
//! - [`close()`]: a service's optional imports closed with its no-op callbacks
//! - [`graph`]: components joined into one, by wac-graph
//! - [`Error`]: everything that can go wrong, in words

pub mod callbacks;
mod close;
mod error;
mod graph;

pub use callbacks::{attach, detach};
pub use close::close;
pub use error::Error;
