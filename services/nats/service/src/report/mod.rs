//! Log lines, metrics and events of what happens to the connection and to the messages.
//!
//! - `connection`: what happens to the connection that the workload shares, `aside`: to those beside it
//! - `clients`: what happens to clients of the endpoint
//! - `deliver`: events to the component that wants them
//! - `losses`: dropped messages, counted one by one and logged together
//! - `meters`: metrics

mod aside;
mod clients;
mod connection;
mod deliver;
mod losses;
mod meters;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use mainstay_nats_core::jetstream::ack::Delivery;
use mainstay_nats_core::protocol::Message;
use mainstay_nats_core::subject::lossy;
use mainstay_runtime::Context;

use crate::component::Component;
use crate::events::{self, Event, Kinds};
pub(crate) use aside::AsideReport;
pub(crate) use connection::ConnectionReport;
use deliver::Deliver;
use losses::{Losses, Slow};
pub(crate) use meters::{Ended, Meters, SubscriptionMeters, WatchMeters};

/// Tells what happens, in the log, in metrics, to the component and to who asks whether the service is ready.
pub(crate) struct Report {
    context: Context,
    pub(crate) meters: Meters,
    deliver: RefCell<Option<Deliver>>,
    losses: Rc<Losses>,
    /// Clients of the endpoint, on all connections together.
    clients: Cell<usize>,
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
            clients: Cell::new(0),
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

    /// A message of a subscription was dropped: the handler is too slow.
    pub(crate) fn dropped(self: &Rc<Self>, name: &str, subject: &[u8], messages: usize, bytes: usize) {
        let subscription = Slow::Subscription(name.to_owned());
        self.losses.count(subscription, subject, messages, bytes, self);
    }

    /// Messages were dropped, `count` since this was called last of the same one.
    fn lost(&self, slow: Slow, loss: losses::Loss) {
        let losses::Loss {
            count,
            subject,
            messages,
            bytes,
        } = loss;
        let name = match slow {
            Slow::Subscription(subscription) => {
                tracing::warn!(subscription, count, subject, "too slow, messages are dropped");
                subscription
            }
            Slow::Client(client) => {
                tracing::warn!(client, count, subject, "too slow, messages are dropped");
                client
            }
        };
        self.event(Kinds::SLOW_CONSUMER, || {
            Event::SlowConsumer(events::SlowConsumer {
                name: name.clone(),
                messages: messages as u64,
                bytes: bytes as u64,
            })
        });
        self.event(Kinds::DROPPED, || {
            Event::Dropped(events::Dropped { name, subject, count })
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
