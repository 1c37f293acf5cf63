//! What a service is told of its connection, to log, to count, and to say whether it is ready.

use std::net::SocketAddr;
use std::time::Duration;

use mainstay_nats_core::protocol::ProtocolError;
use mainstay_nats_core::protocol::from_server::ServerInfo;

use crate::ServerAddress;

/// A server that the service is connected to.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// Where it is, as the configuration or another server says it.
    pub server: &'a ServerAddress,
    /// The address that answered.
    pub address: &'a SocketAddr,
    /// What it says of itself.
    pub info: &'a ServerInfo,
    /// Whether TLS is spoken.
    pub encrypted: bool,
}

/// An attempt to connect that has failed.
#[derive(Clone, Copy, Debug)]
pub struct NotConnected<'a> {
    /// Where to.
    pub server: &'a ServerAddress,
    /// Why. Holds no secret.
    pub error: &'a str,
    /// Whether the server does not want the credentials.
    pub refused: bool,
    /// How long until the next attempt.
    pub pause: Duration,
}

/// Told of what happens to the connection.
pub trait Observer {
    /// There is a connection.
    fn connected(&self, peer: Peer<'_>);
    /// The connection is lost.
    fn disconnected(&self, reason: &str);
    /// An attempt to connect has failed.
    fn not_connected(&self, attempt: NotConnected<'_>);
    /// The server is about to go; told each time that it says so.
    fn lame_duck(&self, peer: Peer<'_>);
    /// The server refuses something that was said to it.
    fn server_refuses(&self, text: &str);
    /// So many clients are connected to the loopback endpoint.
    fn clients(&self, _count: usize) {}
    /// A client of the loopback endpoint was told an error; the name that it gave itself, empty if none.
    fn client_refused(&self, _client: &str, _error: &ProtocolError) {}
    /// A message for a client of the loopback endpoint was dropped: the client is too slow, and so many messages and bytes
    /// wait for it.
    fn client_dropped(&self, _client: &str, _subject: &[u8], _messages: usize, _bytes: usize) {}
}
