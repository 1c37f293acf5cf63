//! OTLP/JSON to protobuf and back (OTLP 1.x §JSON Protobuf Encoding), by the tables of [`schema`](crate::wire::schema).
//!
//! It departs from protobuf's own mapping: ids are hexadecimal, enumerations are numbers, and names are lowerCamelCase
//! only. Fields that are not known are left out on the way in, as the specification demands of a receiver, and on the way
//! out, since they have no name.

mod decode;
mod encode;
mod scalar;

pub use decode::{JsonError, decode};
pub use encode::encode;
