//! The multiplexer: many clients of the loopback endpoint, and the service itself, on one connection to the server.
//!
//! It is a state machine without I/O. Operations go in ([`Mux::client`], [`Mux::server`]); what is to be written comes out
//! ([`Mux::take_output`], [`Mux::take_upstream`]).
//!
//! - `connection`: one client: what it has subscribed to, what waits to be written to it
//! - `subscription`: the subscriptions of all, by the number that the server knows them by
//! - `publish`: whether and whereto a client's message goes
//! - `deliver`: to whom a message of the server goes
//! - `inbox`: inboxes are rewritten, so that no two clients share one
//! - `permits`: reply subjects that may be published to
//! - `upstream`: the connection to the server
//!
//! **PONG is a promise.** A client's PING goes through to the server, behind all that the client said before, so its PONG
//! says that the server has seen it. If the connection to the server breaks in between, nobody knows, and the client is
//! disconnected as it would have been from the server itself. A client with nothing under way is answered at once.

mod connection;
mod deliver;
mod inbox;
mod permits;
mod publish;
mod subscription;
mod upstream;

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};

use crate::grants::{Grants, is_answerable};
use crate::jetstream::api::Api;
use crate::protocol::from_client::ClientOperation;
use crate::protocol::from_server::ServerInfo;
use crate::protocol::refusal::{Refusal, Refused};
use crate::protocol::{Message, ProtocolError, to_client, to_server};
use connection::Connection;
use inbox::{Inbox, InboxSpace};
pub use permits::Permits;
use subscription::{Owner, Subscription};
pub use upstream::Flushed;
use upstream::{Upstream, Waiter};

/// A client of the loopback endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(u64);

/// A subscription of the service itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalId(u64);

/// What the multiplexer has to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What clients may publish and subscribe to.
    pub grants: Grants,
    /// What the service's account has in front of its inboxes, `_INBOX` unless it is restricted to another one.
    pub inbox_prefix: String,
    /// A random token of this life of the service.
    pub instance: String,
    /// The name that the endpoint gives itself.
    pub server_name: String,
    /// Where the endpoint listens.
    pub port: u16,
    /// At most so many subscriptions of one client.
    pub max_subscriptions: usize,
    /// At most so many bytes of messages wait to be written to one client, and as many of everything else.
    pub client_buffer: usize,
    /// What happens when more would wait.
    pub slow_consumer: SlowConsumer,
    /// The reply subjects that clients may publish to.
    pub permits: Permits,
    /// Where JetStream is asked.
    pub api: Api,
}

impl Settings {
    /// Whether a message with this reply subject can be answered at all.
    fn may_answer(&self, reply: &[u8]) -> bool {
        is_answerable(reply, &self.api) && to_server::fits(reply, None)
    }

    /// Lets clients publish to the reply subject of a message that one of them is handed.
    fn permit_reply(&self, reply: &[u8]) {
        if self.may_answer(reply) {
            self.permits.allow(reply);
        }
    }
}

/// What happens to a client that does not read what it subscribed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlowConsumer {
    /// It is disconnected, as by nats-server: the client notices and connects again.
    #[default]
    Disconnect,
    /// Messages for it are dropped until it has read what waits, and it is told so.
    Drop,
}

/// What came of something the server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// Nothing that anyone else has to do.
    Nothing,
    /// A message for the service itself.
    Local(LocalId, Message),
    /// The service's own flush is over.
    Flushed(u64),
    /// A client is slower than its messages: this one did not fit and is dropped.
    Slow {
        /// The client.
        connection: ConnectionId,
        /// The message's subject.
        subject: Bytes,
        /// Messages that wait for it.
        messages: usize,
        /// Bytes that wait for it.
        bytes: usize,
    },
}

/// The multiplexer.
#[derive(Debug)]
pub struct Mux {
    settings: Settings,
    server: ServerInfo,
    connections: HashMap<ConnectionId, Connection>,
    subscriptions: HashMap<u64, Subscription>,
    upstream: Upstream,
    inboxes: InboxSpace,
    own_inbox: Inbox,
    last_connection: u64,
    last_subscription: u64,
    /// Clients with something to be written since the last look.
    ready: Vec<ConnectionId>,
}

/// What is assumed of the server until it is known, so that clients can connect before the service has.
fn unknown_server() -> ServerInfo {
    ServerInfo {
        version: "2.10.0".to_owned(),
        headers: true,
        jetstream: true,
        max_payload: 1024 * 1024,
        ..ServerInfo::default()
    }
}

impl Mux {
    /// Nobody is connected yet, on either side.
    pub fn new(settings: Settings) -> Self {
        let inboxes = InboxSpace::new(&settings.inbox_prefix, &settings.instance);
        Self {
            server: unknown_server(),
            connections: HashMap::new(),
            subscriptions: HashMap::new(),
            upstream: Upstream::default(),
            own_inbox: inboxes.inbox(0),
            inboxes,
            last_connection: 0,
            last_subscription: 0,
            ready: Vec::new(),
            settings,
        }
    }

    /// What the server said of itself, or what is assumed of it.
    pub fn server_info(&self) -> &ServerInfo {
        &self.server
    }

    /// A client connects: it is told INFO.
    pub fn open(&mut self) -> ConnectionId {
        self.last_connection += 1;
        let id = ConnectionId(self.last_connection);
        let connection = Connection::new(self.inboxes.inbox(id.0), self.settings.client_buffer);
        self.connections.insert(id, connection);
        self.inform(id);
        id
    }

    fn inform(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let info = to_client::Info {
            server_id: &self.settings.instance,
            server_name: &self.settings.server_name,
            version: &self.server.version,
            proto: 1,
            host: "127.0.0.1",
            port: self.settings.port,
            headers: true,
            max_payload: self.server.max_payload,
            jetstream: self.server.jetstream,
            client_id: id.0,
            client_ip: "127.0.0.1",
            lame_duck: false,
            domain: self.server.domain.as_deref(),
            connected: self.upstream.is_connected(),
        };
        connection.told_connected = info.connected;
        connection.tell(|out| to_client::info(out, &info));
        self.ready.push(id);
    }

    /// A client says something. The error was told to the client already; a fatal one ends it as soon as its output is
    /// written.
    pub fn client(&mut self, id: ConnectionId, operation: ClientOperation) -> Result<(), ProtocolError> {
        let was_ending = self.is_ending(id);
        match self.operation(id, operation) {
            Err(error) => {
                self.tell(id, &error);
                Err(error)
            }
            Ok(()) if self.is_ending(id) && !was_ending => Err(ProtocolError::SlowConsumer),
            Ok(()) => Ok(()),
        }
    }

    fn operation(&mut self, id: ConnectionId, operation: ClientOperation) -> Result<(), ProtocolError> {
        let Some(connection) = self.connections.get_mut(&id) else {
            return Ok(());
        };
        match operation {
            ClientOperation::Connect(connect) => {
                connection.connect = connect;
                // Until now it could be told nothing but the first INFO.
                if connection.told_connected != self.upstream.is_connected() && connection.connect.protocol > 0 {
                    self.inform(id);
                }
            }
            ClientOperation::Publish(message) => self.publish(id, message)?,
            ClientOperation::Subscribe { subject, queue, sid } => self.subscribe(id, subject, queue, sid)?,
            ClientOperation::Unsubscribe { sid, max } => self.unsubscribe(id, &sid, max),
            ClientOperation::Ping => {
                self.ping(id);
                return Ok(());
            }
            ClientOperation::Pong => return Ok(()),
        }
        if let Some(connection) = self.connections.get_mut(&id)
            && connection.connect.verbose
        {
            connection.tell(to_client::ok);
            self.ready.push(id);
        }
        Ok(())
    }

    fn ping(&mut self, id: ConnectionId) {
        let who = Flushed::Connection(id);
        let waiting = self.upstream.is_waiting(who);
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.is_settled() && !waiting {
            connection.tell(to_client::pong);
            self.ready.push(id);
        } else {
            let published = connection.settle();
            self.upstream.flush(Waiter {
                who,
                published,
                times: 1,
            });
        }
    }

    /// Tells a client an error; a fatal one ends it.
    pub fn tell(&mut self, id: ConnectionId, error: &ProtocolError) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.tell(|out| to_client::error(out, error));
        self.ready.push(id);
        if error.is_fatal() {
            connection.end();
        }
    }

    /// The server refuses something that was said to it. Whose it was is known of subscriptions that it names; of
    /// publishes it is not, so all clients are told, and each knows what it has published. Of a subscription that it does
    /// not name nobody is told: most clients would be told of something that is not theirs.
    pub fn server_refuses(&mut self, refusal: &Refusal) {
        let told: Vec<(ConnectionId, String)> = match refusal.what() {
            Refused::Subscription { subject, rest } => self
                .subscriptions
                .values()
                .filter_map(|subscription| subscription.refused(subject))
                .map(|(id, pattern)| (id, Refused::subscription(&pattern, rest)))
                .collect(),
            Refused::Publish => {
                let text = refusal.text();
                self.connections.keys().map(|id| (*id, text.to_owned())).collect()
            }
            Refused::Unnamed => Vec::new(),
        };
        for (id, text) in told {
            self.tell(id, &ProtocolError::Server(text));
        }
    }

    /// Asks a client for a sign of life.
    pub fn probe(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.tell(to_client::ping);
            self.ready.push(id);
        }
    }

    /// A client is gone: its subscriptions end.
    pub fn close(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        for number in connection.subscriptions() {
            self.subscriptions.remove(&number);
            self.upstream.control(|out| to_server::unsubscribe(out, number, None));
        }
        self.upstream.forget(Flushed::Connection(id));
    }

    /// What is to be written to a client now.
    pub fn take_output(&mut self, id: ConnectionId) -> BytesMut {
        self.connections
            .get_mut(&id)
            .map(|connection| connection.take_output())
            .unwrap_or_default()
    }

    /// Whether a client ends when its output is written, or is gone already.
    pub fn is_ending(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_none_or(Connection::is_ending)
    }

    /// The name that a client gave itself, empty if none.
    pub fn client_name(&self, id: ConnectionId) -> &str {
        self.connections
            .get(&id)
            .map_or("", |connection| connection.connect.name.as_str())
    }

    /// Whether messages that a client publishes come back to its own subscriptions.
    pub fn wants_echo(&self, id: ConnectionId) -> bool {
        self.connections
            .get(&id)
            .is_none_or(|connection| connection.connect.echo)
    }

    /// The clients for which output has come up since the last call, each once.
    pub fn take_ready(&mut self) -> Vec<ConnectionId> {
        let mut ready = std::mem::take(&mut self.ready);
        ready.sort_unstable();
        ready.dedup();
        ready
    }

    /// Clients that are connected.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Subscriptions of clients and of the service.
    pub fn subscriptions(&self) -> usize {
        self.subscriptions.len()
    }

    /// What is to be written to the server now. Nothing while there is no connection.
    pub fn take_upstream(&mut self) -> BytesMut {
        self.upstream.take()
    }

    /// Has the server answer what is taken next, if it would else acknowledge it late: for a socket without `TCP_NODELAY`.
    pub fn prompt(&mut self) {
        self.upstream.prompt();
    }

    /// Bytes that wait to be written to the server.
    pub fn upstream_pending(&self) -> usize {
        self.upstream.pending()
    }

    /// Whether there is a connection to the server.
    pub fn is_connected(&self) -> bool {
        self.upstream.is_connected()
    }

    /// There is a connection to a server, INFO and CONNECT are exchanged. All subscriptions are made anew, what was
    /// published meanwhile follows.
    pub fn connected(&mut self, info: ServerInfo) {
        let subscriptions = &self.subscriptions;
        self.upstream.connect(|out| {
            for (number, subscription) in subscriptions {
                subscription.write(out, *number);
            }
        });
        self.server = info;
        self.inform_all();
    }

    /// The server has said something new of itself.
    pub fn informed(&mut self, info: ServerInfo) {
        let changed = info.max_payload != self.server.max_payload
            || info.version != self.server.version
            || info.jetstream != self.server.jetstream
            || info.domain != self.server.domain;
        self.server = info;
        if changed {
            self.inform_all();
        }
    }

    /// Version 1 of the protocol: INFO may come at any time.
    fn inform_all(&mut self) {
        let told = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.connect.protocol > 0 && !connection.is_ending());
        for id in told.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.inform(id);
        }
    }

    /// The connection to the server is lost. Gives the service's own flushes that nobody can answer.
    pub fn disconnected(&mut self) -> Vec<u64> {
        let mut unanswered = Vec::new();
        for waiter in self.upstream.disconnect() {
            match waiter.who {
                Flushed::Connection(id) => self.tell(id, &ProtocolError::StaleConnection),
                Flushed::Local(number) => unanswered.push(number),
                Flushed::Nobody => {}
            }
        }
        self.inform_all();
        unanswered
    }
}

#[cfg(test)]
mod tests;
