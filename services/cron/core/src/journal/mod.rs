//! The journal: state as lines of text, each with its checksum, only ever appended to.
//!
//! ```text
//! 5f2c9a01 mainstay-cron 1                                     what this is, and its version
//! 0b1e4c77 job 0 91aa33c1f1d2e3b4 - - 0 0 0 - report           a snapshot: what was known when the file began
//! 77a0c1d2 life 1763780400000000000 1763780400000000000
//! c4d5e6f7 end
//! 1c2d3e4f claim 0 1763780460000000000 1763780460000412000 t   and what happened since
//! 2f3a4b5c start 0 1763780460000000000 1763780460000512000
//! 3e4f5a6b finish 0 1763780460000000000 succeeded 1204000
//! 4d5e6f70 time 1763780461000000000
//! ```
//!
//! A crash may tear the last line off; it is left out, and what it told of has not happened. A line that is damaged
//! anywhere else is left out too, and reported, in the snapshot as after it.
//!
//! To compact is to write a new file that begins with a snapshot and to rename it over the old one; one write appends the
//! records of many runs, so one sync makes all of them durable.

mod decode;
mod encode;

pub use decode::{LoadError, Loaded, decode};
pub use encode::{encode, encode_snapshot};

/// The version of the format, in the first line. It changes when an older service could not read it.
pub const VERSION: u32 = 1;

/// The first word of the first line.
const MAGIC: &str = "mainstay-cron";

/// The longest error text that is kept, in bytes.
pub const ERROR_BYTES: usize = 400;

#[cfg(test)]
mod tests;
