//! One connection to NATS for a service: made, held, lost and made again, with everything of the service on it.
//!
//! The protocol is the core crate's business (`mainstay-nats-core`); here are the sockets and the clock. Each service
//! that speaks NATS uses this, and tells of what happens in its own words, by an [`Observer`].
//!
//! - [`Connection`]: settings of the connection (`NATS_URL` and its like); [`ServerAddress`] is one URL
//! - [`open`]: a connection for a service that has no clients of its own
//! - [`Bridge`]: the multiplexer as the tasks share it: publish, subscribe, request, flush
//! - [`Link`]: who holds the connection; `connect` makes one, `servers` chooses
//! - [`kv`]: keys of a bucket: read, and written by revision

mod address;
mod bridge;
mod connect;
pub mod kv;
mod link;
mod observer;
mod servers;
mod settings;

use std::rc::Rc;

use mainstay_nats_core::grants::Grants;
use mainstay_nats_core::mux::{self, Mux, Permits, SlowConsumer};

pub use address::ServerAddress;
pub use bridge::{Bridge, ConnectionLost, RequestError, Route};
pub use connect::READ;
pub use link::Link;
pub use observer::{NotConnected, Observer, Peer};
pub use settings::{Connection, size};

/// Connects a service that has no clients of its own, from now on and for ever, by a local task.
pub fn open(connection: &Rc<Connection>, observer: &Rc<dyn Observer>) -> Rc<Bridge> {
    let settings = mux::Settings {
        grants: Grants::new(Vec::new(), Vec::new()),
        inbox_prefix: connection.inbox_prefix.clone(),
        instance: token(),
        server_name: connection.name.clone(),
        port: 0,
        max_subscriptions: 0,
        client_buffer: 0,
        slow_consumer: SlowConsumer::default(),
        permits: Permits::default(),
        api: connection.api.clone(),
    };
    let bridge = Bridge::new(Mux::new(settings), connection.pending, Rc::clone(observer));
    let link = Link::new(Rc::clone(connection), Rc::clone(&bridge), Rc::clone(observer), true);
    tokio::task::spawn_local(link.run());
    bridge
}

/// A token that nobody can guess, as NATS clients make them: 22 letters and digits.
pub fn token() -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let digit = |_| {
        ALPHABET
            .get(rand::random_range(0..ALPHABET.len()))
            .copied()
            .map_or('0', char::from)
    };
    (0..22).map(digit).collect()
}
