//! JetStream, as far as the service speaks it: pull consumers, acknowledgements, publishes into streams.
//!
//! - [`ack`]: where a delivery comes from, and what is answered to it
//! - [`api`]: requests to the server and their answers
//! - [`pull`]: how many messages to ask for, and when

pub mod ack;
pub mod api;
pub mod pull;
