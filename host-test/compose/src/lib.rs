//! What a component needs and gives, whether two fit, and joining them.
//!
//! - [`graph`]: components joined into one, by wac-graph
//! - [`close()`]: a service's optional imports closed with its no-op callbacks
//! - [`Error`]: everything that can go wrong, in words

mod close;
mod error;
mod graph;

pub use close::close;
pub use error::Error;
