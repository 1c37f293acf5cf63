//! Head and tail sampling.
//!
//! - [`head`]: each span by its trace id alone, alike everywhere
//! - [`tail`]: whole traces, once their spans are there
//! - `span`: the few fields of a span that decide

pub mod head;
mod span;
pub mod tail;

pub use span::SpanView;
