//! Log lines, metrics and events of what happens.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use mainstay_mcp_core::engine::{Event, Operation};
use mainstay_mcp_core::model::{Done, Outcome};
use mainstay_runtime::Context;
use mainstay_runtime::callback::Callbacks;
use mainstay_runtime::metrics::{Counter, Histogram, Registry};
use mainstay_runtime::queue::{Limits, Queue, WhenFull};
use mainstay_runtime::seldom::Seldom;

use crate::component::Components;
use crate::convert;

/// The most events in one call.
const BATCH: usize = 256;

/// How long a component may take for a delivery of events before they are given up.
const DELIVERY: Duration = Duration::from_secs(30);

/// The most bytes of events that wait for their delivery. One takes 10 KiB at most.
const EVENTS: usize = 10 << 20;

/// What an event takes beside its texts, roughly.
const EVENT: usize = 64;

/// Bounds of the histogram, in seconds.
const BOUNDS: [f64; 10] = [0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// Counts and tells what happens.
#[derive(Debug)]
pub(crate) struct Report {
    metrics: Registry,
    cancelled: Counter,
    refused: Counter,
    lost: Counter,
    /// What was lost or refused.
    losses: Seldom,
    /// By kind and outcome. Kept here: looking one up costs more than counting.
    calls: RefCell<HashMap<(&'static str, &'static str), Counter>>,
    /// By kind.
    seconds: RefCell<HashMap<&'static str, Histogram>>,
    /// Where events go, if a component wants them.
    events: OnceCell<Queue<Event>>,
}

impl Report {
    pub(crate) fn new(context: &Context) -> Rc<Self> {
        let counter = |name, help| context.metrics.counter(name, help, &[]);
        Rc::new(Self {
            metrics: context.metrics.clone(),
            cancelled: counter("mcp_cancelled_total", "Calls that their clients cancelled."),
            refused: counter("mcp_refused_total", "Requests that were refused, as too many went on."),
            lost: counter(
                "mcp_notifications_lost_total",
                "News of changes that were lost, as their clients did not read.",
            ),
            losses: Seldom::default(),
            calls: RefCell::default(),
            seconds: RefCell::default(),
            events: OnceCell::new(),
        })
    }

    /// What kind of call it is, as metrics show it.
    pub(crate) fn kind(operation: &Operation) -> &'static str {
        match operation {
            Operation::Tool { .. } => "tool",
            Operation::Resource { .. } => "resource",
            Operation::Prompt { .. } => "prompt",
            Operation::Completion { .. } => "completion",
        }
    }

    /// A component has answered.
    pub(crate) fn called(&self, kind: &'static str, outcome: &Outcome, took: Duration) {
        let became = match outcome {
            Outcome::Done(Done::Tool(result)) if result.is_error => "tool-error",
            Outcome::Done(_) => "done",
            Outcome::NeedsInput(_) => "needs-input",
            Outcome::NotMine => "not-mine",
            Outcome::Failed(error) => {
                tracing::warn!(kind, "call failed: {error}");
                "failed"
            }
        };
        let mut calls = self.calls.borrow_mut();
        let counter = calls.entry((kind, became)).or_insert_with(|| {
            let labels = [("kind", kind), ("outcome", became)];
            self.metrics.counter("mcp_calls_total", "Calls of components.", &labels)
        });
        counter.add(1);
        let mut seconds = self.seconds.borrow_mut();
        let histogram = seconds.entry(kind).or_insert_with(|| {
            let help = "How long components took.";
            self.metrics
                .histogram("mcp_call_seconds", help, &[("kind", kind)], &BOUNDS)
        });
        histogram.observe_duration(took);
    }

    /// A client has cancelled a call.
    pub(crate) fn cancelled(&self) {
        self.cancelled.add(1);
    }

    /// A request was refused, as too many go on.
    pub(crate) fn refused(&self) {
        self.refused.add(1);
        if self.losses.count(1).is_some() {
            tracing::warn!("requests are refused: too many go on");
        }
    }

    /// News of changes were lost, as their clients do not read.
    pub(crate) fn lost(&self, count: u64) {
        self.lost.add(count);
        if self.losses.count(count).is_some() {
            tracing::warn!("notifications of changes are lost: their clients do not read");
        }
    }

    /// Something happened to a client.
    pub(crate) fn event(&self, event: Event) {
        match &event {
            Event::Connected(client, name, version) => tracing::info!(client, name, version, "connected"),
            Event::Closed(client) => tracing::debug!(client, "closed"),
            Event::Subscribed(client, uri) => tracing::debug!(client, uri, "subscribed"),
            Event::Unsubscribed(client, uri) => tracing::debug!(client, uri, "unsubscribed"),
        }
        if let Some(events) = self.events.get() {
            let bytes = EVENT
                + match &event {
                    Event::Connected(_, name, version) => name.len() + version.len(),
                    Event::Subscribed(_, uri) | Event::Unsubscribed(_, uri) => uri.len(),
                    Event::Closed(_) => 0,
                };
            // A full queue drops its oldest and counts them.
            let _ = events.try_push(event, bytes);
        }
    }

    /// Sends events to a component from now on.
    pub(crate) fn deliver_to<C: Components>(&self, components: Rc<C>) {
        let limits = Limits {
            name: "mcp-events",
            items: 10_000,
            bytes: EVENTS,
            when_full: WhenFull::DropOldest,
        };
        let queue = Queue::new(limits, &self.metrics);
        tokio::task::spawn_local(send(components, queue.clone()));
        // Asked for once, at start.
        let _ = self.events.set(queue);
    }
}

async fn send<C: Components>(components: Rc<C>, queue: Queue<Event>) {
    let callbacks = Callbacks::new(1);
    while let Some(first) = queue.pop().await {
        let mut batch = vec![convert::event(first)];
        batch.extend(
            std::iter::from_fn(|| queue.try_pop())
                .take(BATCH - 1)
                .map(convert::event),
        );
        let count = batch.len();
        if let Err(error) = callbacks.call(DELIVERY, components.deliver(batch)).await {
            tracing::warn!(count, "events are lost: {error}");
        }
    }
}
