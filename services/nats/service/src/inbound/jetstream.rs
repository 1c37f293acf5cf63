//! Subscriptions by durable pull consumers: at least once.
//!
//! A message is acknowledged after the handler has returned, so whatever dies at whatever instant, the server delivers
//! the message again. While it waits or is handled the server is told so (`+WPI`) before its ack-wait is over.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mainstay_nats_core::delivery::dispatch::{Dispatch, Running};
use mainstay_nats_core::headers::Headers;
use mainstay_nats_core::jetstream::ack::{Answer, Delivery};
use mainstay_nats_core::jetstream::api::Api;
use mainstay_nats_core::jetstream::pull::{Bounds, Pull, SILENCE, Status};
use mainstay_nats_core::protocol::Message;
use mainstay_nats_core::subject::Pattern;
use mainstay_nats_link::Bridge;
use mainstay_runtime::backoff::Backoff;
use tokio::sync::Notify;

use super::bind::{Bound, bind};
use super::handler::SubscriptionHandler;
use crate::component::Component;
use crate::config::{Consumer, Subscription};
use crate::report::Report;

/// A subscription by a pull consumer.
pub(super) struct JetStream<C> {
    pub(super) subscription: Subscription,
    pub(super) consumer: Consumer,
    api: Api,
    pub(super) bridge: Rc<Bridge>,
    pub(super) report: Rc<Report>,
    pub(super) handler: Rc<SubscriptionHandler<C>>,
    pub(super) bound: Cell<Bound>,
    pull: RefCell<Pull>,
    dispatch: RefCell<Dispatch<Arrived>>,
    /// Deliveries that are not answered yet: where, and when the server was told last that they are in work.
    open: RefCell<HashMap<Bytes, Instant>>,
    /// Where messages are delivered to at present.
    inbox: RefCell<Bytes>,
    heard: Cell<Option<Instant>>,
    /// Why the consumer cannot be asked any more.
    trouble: RefCell<Option<String>>,
    wake: Notify,
    troubled: Notify,
    /// Told when it is known how long the server waits for an acknowledgement.
    rebound: Notify,
}

/// A message that has come.
pub(super) struct Arrived {
    pub(super) message: Message,
    pub(super) delivery: Delivery,
    /// Where it is answered.
    pub(super) reply: Bytes,
    weight: u64,
}

pub(super) fn start<C: Component>(
    subscription: Subscription,
    consumer: Consumer,
    api: Api,
    bridge: &Rc<Bridge>,
    report: &Rc<Report>,
    handler: Rc<SubscriptionHandler<C>>,
) {
    let limits = subscription.limits;
    let bounds = Bounds {
        messages: limits.messages as u64,
        bytes: limits.bytes as u64,
    };
    let bound = Bound {
        ack_wait: consumer.ack_wait,
        max_deliver: None,
    };
    let jetstream = Rc::new(JetStream {
        subscription,
        consumer,
        api,
        bridge: Rc::clone(bridge),
        report: Rc::clone(report),
        handler,
        bound: Cell::new(bound),
        pull: RefCell::new(Pull::new(bounds)),
        dispatch: RefCell::new(Dispatch::new(limits)),
        open: RefCell::default(),
        inbox: RefCell::default(),
        heard: Cell::new(None),
        trouble: RefCell::new(None),
        wake: Notify::new(),
        troubled: Notify::new(),
        rebound: Notify::new(),
    });
    tokio::task::spawn_local(Rc::clone(&jetstream).hold());
    tokio::task::spawn_local(Rc::clone(&jetstream).dispatch());
    tokio::task::spawn_local(jetstream.keep_alive());
}

impl<C: Component> JetStream<C> {
    /// Binds the consumer and asks it for messages, anew whenever the connection or the consumer was lost.
    async fn hold(self: Rc<Self>) {
        let part = format!("subscription {}", self.subscription.name);
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
        loop {
            let connection = self.bridge.connection().await;
            let reason = match bind(&self.bridge, &self.api, &self.consumer).await {
                Ok(bound) => {
                    self.bound.set(bound);
                    self.rebound.notify_one();
                    self.check_bound(bound);
                    self.report.ready(&part);
                    let began = Instant::now();
                    let reason = self.ask(connection).await;
                    if began.elapsed() > backoff.max() {
                        backoff.reset();
                    }
                    reason
                }
                Err(error) => {
                    self.report
                        .not_ready(&part, &format!("subscription {:?}: {error}", self.subscription.name));
                    Some(error.to_string())
                }
            };
            // Without a reason it was the connection, which has told of itself.
            if let Some(reason) = reason {
                let pause = backoff.next();
                tracing::warn!(subscription = self.subscription.name, retry_in = ?pause, "{reason}");
                tokio::time::sleep(pause).await;
            }
        }
    }

    fn check_bound(&self, bound: Bound) {
        let wanted = self.consumer.retries.max_deliver;
        if let Some(server) = bound.max_deliver
            && wanted.is_none_or(|wanted| server <= wanted)
        {
            let subscription = &self.subscription.name;
            tracing::warn!(
                subscription,
                "the consumer's own max-deliver {server} is not more than the subscription's: after it the server keeps \
                 silent, and a crash during the last delivery leaves no dead letter; let the consumer's be unlimited"
            );
        }
    }

    /// Asks for messages until something is lost; why, unless it is the connection.
    async fn ask(self: &Rc<Self>, connection: u64) -> Option<String> {
        let inbox = self.bridge.new_inbox("p");
        self.inbox.replace(inbox.clone());
        self.pull.borrow_mut().reset();
        self.trouble.borrow_mut().take();
        self.heard.set(Some(Instant::now()));
        let pattern = Pattern::new(inbox).ok()?;
        let this = Rc::clone(self);
        let _route = self
            .bridge
            .subscribe(pattern, None, move |message| this.receive(&message));
        self.pump();
        loop {
            tokio::select! {
                () = self.bridge.lost(connection) => return None,
                () = self.troubled.notified() => {}
                () = tokio::time::sleep(SILENCE) => {}
            }
            if let Some(trouble) = self.trouble.borrow_mut().take() {
                return Some(trouble);
            }
            // While all is in work nothing is asked for, and the server has nothing to say.
            let silent = self.heard.get().is_some_and(|heard| heard.elapsed() >= SILENCE);
            if silent && self.pull.borrow().is_asking() {
                return Some(format!(
                    "consumer {:?} gives no sign of life for {SILENCE:?}",
                    self.consumer.name
                ));
            }
        }
    }

    /// Asks for as many messages as there is room for.
    fn pump(&self) {
        loop {
            let next = self.pull.borrow_mut().ask();
            let Some(next) = next else { return };
            self.bridge.publish(&Message {
                subject: Bytes::from(self.api.next(&self.consumer.stream, &self.consumer.name)),
                reply: Some(self.inbox.borrow().clone()),
                headers: None,
                payload: next.payload(),
            });
        }
    }

    fn receive(&self, message: &Message) {
        self.heard.set(Some(Instant::now()));
        let Some(delivery) = message.reply.as_deref().and_then(Delivery::parse) else {
            self.status(message);
            return;
        };
        let message = message.detach();
        let Some(reply) = message.reply.clone() else { return };
        self.handler.meters.received();
        let weight = message.weight();
        self.pull.borrow_mut().received(weight as u64);
        self.open.borrow_mut().insert(reply.clone(), Instant::now());
        let key = self.subscription.order.key(&message);
        let arrived = Arrived {
            message,
            delivery,
            reply,
            weight: weight as u64,
        };
        // It was asked for, so there is room.
        self.dispatch.borrow_mut().push(key, weight, arrived);
        self.pump();
        self.wake.notify_one();
    }

    fn status(&self, message: &Message) {
        let headers = message
            .headers
            .as_deref()
            .and_then(|block| Headers::parse(block).ok())
            .unwrap_or_default();
        let status = self.pull.borrow_mut().status(&headers);
        match status {
            Status::Alive => {}
            Status::Over => self.pump(),
            Status::Lost(reason) | Status::Gone(reason) => {
                self.trouble
                    .replace(Some(format!("consumer {:?}: {reason}", self.consumer.name)));
                self.troubled.notify_one();
            }
        }
    }

    /// Starts what may start, for ever.
    async fn dispatch(self: Rc<Self>) {
        loop {
            loop {
                let started = self.dispatch.borrow_mut().start();
                let Some((running, mut arrived)) = started else { break };
                let this = Rc::clone(&self);
                tokio::task::spawn_local(async move {
                    let Some(pause) = this.deliver(&arrived).await else {
                        return this.finish(running, &arrived);
                    };
                    // Others may run meanwhile, but for those of its key.
                    let parked = this.dispatch.borrow_mut().park(running);
                    this.wake.notify_one();
                    tokio::time::sleep(pause).await;
                    arrived.delivery.attempt += 1;
                    this.dispatch.borrow_mut().unpark(parked, arrived);
                    this.wake.notify_one();
                });
            }
            {
                let dispatch = self.dispatch.borrow();
                self.handler.meters.load(dispatch.messages(), dispatch.running());
            }
            self.wake.notified().await;
        }
    }

    fn finish(&self, running: Running, arrived: &Arrived) {
        self.dispatch.borrow_mut().finish(running);
        self.pull.borrow_mut().done(arrived.weight);
        self.pump();
        self.wake.notify_one();
    }

    /// Answers a delivery.
    pub(super) fn answer(&self, reply: &Bytes, answer: Answer) {
        if answer != Answer::InProgress {
            self.open.borrow_mut().remove(reply);
        }
        self.bridge.publish(&acknowledgement(reply, answer));
    }

    /// A delivery is answered already.
    pub(super) fn forget(&self, reply: &Bytes) {
        self.open.borrow_mut().remove(reply);
    }

    /// Tells the server, before it loses patience, that deliveries are still in work.
    async fn keep_alive(self: Rc<Self>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.bound.get().ack_wait / 3) => {}
                // What it slept by until now was a guess, and may have been far too long.
                () = self.rebound.notified() => {}
            }
            let third = self.bound.get().ack_wait / 3;
            let now = Instant::now();
            let mut due = Vec::new();
            for (reply, told) in self.open.borrow_mut().iter_mut() {
                if now.duration_since(*told) >= third {
                    *told = now;
                    due.push(reply.clone());
                }
            }
            for reply in due {
                self.answer(&reply, Answer::InProgress);
            }
        }
    }
}

/// The message that answers a delivery.
pub(super) fn acknowledgement(reply: &Bytes, answer: Answer) -> Message {
    Message {
        subject: reply.clone(),
        payload: answer.payload(),
        ..Message::default()
    }
}
