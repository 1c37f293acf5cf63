//! Subscriptions of core NATS: at most once, bounded, and nothing is lost that is not counted.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mainstay_nats_core::delivery::dispatch::{Dispatch, WhenFull};
use mainstay_nats_core::delivery::plan::Outcome;
use mainstay_nats_core::protocol::Message;
use mainstay_nats_core::subject::Pattern;
use mainstay_nats_link::{Bridge, Route};
use tokio::sync::Notify;

use super::handler::SubscriptionHandler;
use crate::aside::{Aside, Asides};
use crate::component::Component;
use crate::config::Subscription;
use crate::report::{Ended, Report};

struct Core<C> {
    subscription: Subscription,
    /// The connection of a subscription that stops reading.
    aside: Option<Aside>,
    report: Rc<Report>,
    handler: Rc<SubscriptionHandler<C>>,
    dispatch: RefCell<Dispatch<Message>>,
    /// Whether its connection is not read because this is full.
    paused: Cell<bool>,
    /// Told when a message may start.
    wake: Notify,
}

pub(super) fn start<C: Component>(
    subscription: Subscription,
    subjects: &[Pattern],
    queue: Option<&str>,
    bridge: &Rc<Bridge>,
    asides: &Asides,
    report: &Rc<Report>,
    handler: Rc<SubscriptionHandler<C>>,
) {
    let stops_reading = subscription.limits.when_full == WhenFull::StopReading;
    let aside = stops_reading.then(|| asides.for_subscription(&subscription.name));
    let bridge = aside.as_ref().map_or(bridge, |aside| &aside.bridge).clone();
    let core = Rc::new(Core {
        dispatch: RefCell::new(Dispatch::new(subscription.limits)),
        subscription,
        aside,
        report: Rc::clone(report),
        handler,
        paused: Cell::new(false),
        wake: Notify::new(),
    });
    let route = |subject: &Pattern| {
        let core = Rc::clone(&core);
        bridge.subscribe(subject.clone(), queue, move |message| core.receive(&message))
    };
    let routes: Vec<Route> = subjects.iter().map(route).collect();
    tokio::task::spawn_local(core.run(routes));
}

impl<C: Component> Core<C> {
    fn receive(&self, message: &Message) {
        self.handler.meters.received();
        let message = message.detach();
        let (weight, key) = (message.weight(), self.subscription.order.key(&message));
        let mut dispatch = self.dispatch.borrow_mut();
        for dropped in dispatch.push(key, weight, message) {
            self.handler.meters.dropped();
            let (messages, bytes) = (dispatch.messages(), dispatch.bytes());
            self.report
                .dropped(&self.subscription.name, &dropped.subject, messages, bytes);
        }
        if let Some(aside) = &self.aside
            && dispatch.is_full()
            && !self.paused.replace(true)
        {
            aside.bridge.pause();
        }
        self.wake.notify_one();
    }

    /// Starts what may start, for ever. The routes end with it.
    async fn run(self: Rc<Self>, _routes: Vec<Route>) {
        loop {
            loop {
                let started = self.dispatch.borrow_mut().start();
                let Some((running, message)) = started else { break };
                let core = Rc::clone(&self);
                tokio::task::spawn_local(async move {
                    core.handle(&message).await;
                    core.dispatch.borrow_mut().finish(running);
                    core.settle();
                });
            }
            self.load();
            self.wake.notified().await;
        }
    }

    async fn handle(&self, message: &Message) {
        match self.handler.call(message, None).await {
            Outcome::Handled => return,
            Outcome::Failed(reason) => self.failed(message, &reason),
            Outcome::Rejected => self.failed(message, "rejected by the handler"),
            Outcome::Retry(_) => self.failed(message, "core NATS cannot deliver it again"),
            Outcome::TimedOut(after) => self.failed(message, &format!("no result within {after:?}")),
        }
        self.handler.meters.ended(Ended::Failed);
    }

    fn failed(&self, message: &Message, reason: &str) {
        let subject = mainstay_nats_core::subject::lossy(&message.subject);
        tracing::warn!(subscription = self.subscription.name, subject, "not handled: {reason}");
    }

    /// There is room again, and perhaps something to start.
    fn settle(&self) {
        if let Some(aside) = &self.aside
            && self.paused.get()
            && !self.dispatch.borrow().is_full()
        {
            self.paused.set(false);
            aside.bridge.resume();
        }
        self.wake.notify_one();
    }

    fn load(&self) {
        let dispatch = self.dispatch.borrow();
        self.handler.meters.load(dispatch.messages(), dispatch.running());
    }
}
