//! Log lines, metrics and events of what happens to the connection and to the messages.
//!
//! - `deliver`: events to the component that wants them
//! - `losses`: dropped messages, counted one by one and logged together
//! - `meters`: metrics

mod deliver;
mod losses;
mod meters;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use mainstay_nats_core::jetstream::ack::Delivery;
use mainstay_nats_core::protocol::from_server::ServerInfo;
use mainstay_nats_core::protocol::{Message, ProtocolError};
use mainstay_nats_core::subject::lossy;
use mainstay_runtime::Context;

use crate::component::Component;
use crate::config::ServerAddress;
use crate::events::{self, Event, Kinds};
use deliver::Deliver;
use losses::Losses;
pub(crate) use meters::{Ended, Meters, SubscriptionMeters, WatchMeters};

/// Tells what happens, in the log, in metrics, to the component and to who asks whether the service is ready.
pub(crate) struct Report {
    context: Context,
    pub(crate) meters: Meters,
    deliver: RefCell<Option<Deliver>>,
    losses: Rc<Losses>,
    /// Why the service is not ready, by what is not.
    unready: RefCell<BTreeMap<String, String>>,
    /// Whether it was said that the credentials are not wanted.
    refusal: RefCell<Option<String>>,
    lame: Cell<bool>,
}

/// What is not ready when there is no connection.
const CONNECTION: &str = "connection";

impl Report {
    pub(crate) fn new(context: &Context) -> Rc<Self> {
        let report = Rc::new(Self {
            context: context.clone(),
            meters: Meters::new(&context.metrics),
            deliver: RefCell::new(None),
            losses: Rc::default(),
            unready: RefCell::default(),
            refusal: RefCell::new(None),
            lame: Cell::new(false),
        });
        report.not_ready(CONNECTION, "not connected to a NATS server yet");
        report
    }

    /// Sends events of the kinds that are wanted from now on.
    pub(crate) fn deliver_to<C: Component>(&self, component: Rc<C>, wanted: Kinds) {
        *self.deliver.borrow_mut() = Deliver::start(component, wanted, &self.context.metrics);
    }

    fn event(&self, kind: Kinds, event: impl FnOnce() -> Event) {
        if let Some(deliver) = &*self.deliver.borrow() {
            deliver.tell(kind, event);
        }
    }

    /// A part of the service cannot do its work.
    pub(crate) fn not_ready(&self, part: &str, reason: &str) {
        self.unready.borrow_mut().insert(part.to_owned(), reason.to_owned());
        self.show_readiness();
    }

    /// A part of the service can do its work.
    pub(crate) fn ready(&self, part: &str) {
        self.unready.borrow_mut().remove(part);
        self.show_readiness();
    }

    fn show_readiness(&self) {
        match self.unready.borrow().values().next() {
            Some(reason) => self.context.health.not_ready(reason),
            None => self.context.health.ready(),
        }
    }

    /// There is a connection.
    pub(crate) fn connected(&self, server: &ServerAddress, address: &SocketAddr, info: &ServerInfo, encrypted: bool) {
        let (name, version) = (&info.server_name, &info.version);
        tracing::info!(%server, %address, name, version, tls = encrypted, "connected");
        self.refusal.borrow_mut().take();
        self.lame.set(false);
        self.meters.connected.set(1.0);
        self.meters.connections.add(1);
        self.ready(CONNECTION);
        self.event(Kinds::CONNECTED, || Event::Connected(event_server(address, info)));
    }

    /// The connection is lost.
    pub(crate) fn disconnected(&self, reason: &str) {
        tracing::warn!(reason, "disconnected");
        self.meters.connected.set(0.0);
        self.not_ready(CONNECTION, "the connection to the NATS server is lost");
        let reason = reason.to_owned();
        self.event(Kinds::DISCONNECTED, || {
            Event::Disconnected(events::Disconnected { reason })
        });
    }

    /// An attempt to connect has failed. That the credentials are not wanted is said once, not each time.
    pub(crate) fn not_connected(&self, server: &ServerAddress, error: &str, refused: bool, pause: Duration) {
        self.meters.failed_connections.add(1);
        if refused {
            if self.refusal.borrow_mut().replace(error.to_owned()).as_deref() != Some(error) {
                tracing::error!(%server, "the server does not take the credentials: {error}");
            }
            self.not_ready(CONNECTION, "the NATS server does not take the credentials");
        } else {
            tracing::warn!(%server, retry_in = ?pause, "not connected: {error}");
        }
    }

    /// The server is about to go.
    pub(crate) fn lame_duck(&self, server: &ServerAddress, address: &SocketAddr, info: &ServerInfo) {
        if !self.lame.replace(true) {
            tracing::info!(%server, "the server is about to go, moving to another one");
            self.event(Kinds::LAME_DUCK, || Event::LameDuck(event_server(address, info)));
        }
    }

    /// The server refuses something that a component or the service has said.
    pub(crate) fn server_refuses(&self, text: &str) {
        self.meters.server_refusals.add(1);
        tracing::warn!("the server refuses: {text}");
    }

    /// So many clients are connected to the loopback endpoint.
    pub(crate) fn clients(&self, count: usize) {
        self.meters.clients.set(count as f64);
    }

    /// A client of the loopback endpoint was told an error.
    pub(crate) fn client_refused(&self, client: &str, error: &ProtocolError) {
        self.meters.client_refusals.add(1);
        tracing::warn!(client, "client refused: {error}");
    }

    /// A message for a client of the loopback endpoint was dropped: the client is too slow.
    pub(crate) fn client_dropped(self: &Rc<Self>, client: &str, subject: &[u8], pending: usize) {
        self.meters.client_dropped.add(1);
        self.dropped(&format!("client {client}"), subject, 0, pending);
    }

    /// A message of a subscription was dropped: the handler is too slow.
    pub(crate) fn dropped(self: &Rc<Self>, name: &str, subject: &[u8], messages: usize, bytes: usize) {
        self.losses.count(name, subject, messages, bytes, self);
    }

    /// Messages were dropped, `count` since this was called last with this name.
    fn lost(&self, name: &str, loss: losses::Loss) {
        let losses::Loss {
            count,
            subject,
            messages,
            bytes,
        } = loss;
        tracing::warn!(name, count, subject, "too slow, messages are dropped");
        self.event(Kinds::SLOW_CONSUMER, || {
            Event::SlowConsumer(events::SlowConsumer {
                name: name.to_owned(),
                messages: messages as u64,
                bytes: bytes as u64,
            })
        });
        self.event(Kinds::DROPPED, || {
            Event::Dropped(events::Dropped {
                name: name.to_owned(),
                subject,
                count,
            })
        });
    }

    /// A message was given up.
    pub(crate) fn dead_lettered(
        &self,
        subscription: &str,
        message: &Message,
        delivery: &Delivery,
        reason: &str,
        target: Option<&str>,
    ) {
        let subject = lossy(&message.subject);
        let Delivery {
            stream,
            stream_sequence: sequence,
            attempt,
            ..
        } = delivery;
        tracing::warn!(
            subscription,
            subject,
            stream,
            sequence,
            attempt,
            target,
            "given up: {reason}"
        );
        self.event(Kinds::DEAD_LETTERED, || {
            Event::DeadLettered(events::DeadLettered {
                subscription: subscription.to_owned(),
                subject,
                stream: stream.clone(),
                sequence: *sequence,
                attempts: *attempt,
                reason: reason.to_owned(),
                target: target.map(str::to_owned),
            })
        });
    }
}

fn event_server(address: &SocketAddr, info: &ServerInfo) -> events::Server {
    events::Server {
        name: info.server_name.clone(),
        version: info.version.clone(),
        address: address.to_string(),
    }
}
