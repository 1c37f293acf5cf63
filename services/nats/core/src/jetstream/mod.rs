//! JetStream, as far as the service speaks it: pull consumers, acknowledgements, publishes into streams.
//!
//! - [`ack`]: where a delivery comes from, and what is answered to it
//! - [`api`]: requests to the server and their answers
//! - [`instant`]: points in time, as JetStream writes them
//! - [`kv`]: key-value buckets
//! - [`pull`]: how many messages to ask for, and when
//! - [`watch`]: what has come of a bucket that is watched

pub mod ack;
pub mod api;
pub mod instant;
pub mod kv;
pub mod pull;
pub mod watch;
