//! The NATS protocol, its multiplexer, and what becomes of a delivery: no WASI and no I/O in it.
//!
//! | module | idea |
//! |---|---|
//! | [`subject`] | subjects, and the patterns that match them |
//! | [`grants`] | which subjects components may publish and subscribe to |
//! | [`headers`] | message headers: ordered, repeated, with the server's status |
//! | [`protocol`] | the NATS client protocol, both ends of it, as codecs |
//! | [`mux`] | many clients on one connection |
//! | [`auth`] | credentials, and the proof of them that a server gets |
//! | [`jetstream`] | pull consumers, acknowledgements, publishes into streams |
//! | [`delivery`] | what becomes of a message on its way through a handler |
//! | [`trace`] | W3C trace context |

pub mod auth;
pub mod delivery;
pub mod grants;
pub mod headers;
pub mod jetstream;
pub mod mux;
pub mod protocol;
pub mod subject;
pub mod trace;
