//! The protobuf wire format (protobuf.dev/programming-guides/encoding), as far as it takes to walk over a message.
//!
//! - [`schema`]: OTLP's messages as tables
//! - [`check()`]: is it such a message, and how many items does it hold
//! - [`split()`]: a request that is too large becomes several
//! - [`Fields`]: the fields of a message, one after the other
//! - `write`: the parts that a message is put together from

mod check;
mod read;
pub mod schema;
mod split;
mod write;

pub use check::{Malformed, check};
pub(crate) use read::varint as take_varint;
pub use read::{Fault, Field, Fields, Value};
pub use split::{Limits, Part, split};
pub(crate) use write::put_length_delimited;
pub use write::{put_bytes, put_fixed32, put_fixed64, put_key, put_message, put_varint, varint_len};
