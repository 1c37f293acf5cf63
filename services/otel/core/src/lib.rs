//! OTLP without the network: what a sidecar has to know about a request, an answer and the time in between.
//!
//! Requests stay bytes. Protobuf requests of one signal merge by concatenation, since all that a request holds is one
//! repeated field; so a batch needs a walk over the wire format, which checks it and counts, and nothing else. Fields that
//! this crate does not know pass through untouched.
//!
//! | module | idea |
//! |---|---|
//! | [`signal`] | traces, metrics, logs: their names, paths and messages |
//! | [`wire`] | the protobuf wire format: read, check, count, split, rewrite |
//! | [`json`] | OTLP/JSON to protobuf and back, by the same tables |
//! | [`status`], [`response`] | what a receiver answers: `google.rpc.Status`, partial success |
//! | [`grpc`] | the framing of gRPC, its codes, its headers |
//! | [`backlog`] | a queue that is bounded in bytes and in requests, those in flight included |
//! | [`batch`] | how much of it goes into the next request, and when |
//! | [`retry`] | when a failed export is tried again, and when it is given up |
//! | [`segment`] | the file format of the queue on a volume |
//! | [`resource`], [`attributes`] | what is added to, dropped from and hidden in telemetry |
//! | [`prometheus`] | the sidecar's own metrics, as OTLP |
//! | [`sampling`] | head and tail sampling |

pub mod attributes;
pub mod backlog;
pub mod batch;
pub mod grpc;
pub mod json;
pub mod prometheus;
pub mod resource;
pub mod response;
pub mod retry;
pub mod sampling;
pub mod segment;
pub mod signal;
pub mod status;
pub mod wire;

pub use signal::Signal;
