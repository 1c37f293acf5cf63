//! A small OTLP collector for tests and examples: it records what arrives, or prints it.
//!
//! It takes all three signals in all three encodings, and answers as it is told, so that a sender can be shown a collector
//! that is full or wants only part. It reads each encoding by other means than the services here do: protobuf through
//! prost, JSON through the descriptors of OTLP and prost-reflect.
//!
//! - [`Collector`]: running, on free ports
//! - [`export`]: one request as it arrived
//! - [`answer`]: what to say to it
//! - [`json`]: OTLP's JSON, by reflection
//! - [`mod@print`]: lines for people
//! - `server`, `grpc`: HTTP/1.1 and HTTP/2

pub mod answer;
mod collector;
pub mod export;
mod grpc;
pub mod json;
pub mod print;
mod server;

pub use answer::Answer;
pub use collector::Collector;
pub use export::{Encoding, Export, Signal};
