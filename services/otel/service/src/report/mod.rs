//! Log lines, metrics and events of what happens.
//!
//! - `deliver`: events to the component that wants them

mod deliver;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mainstay_otel_core::Signal;
use mainstay_runtime::Context;
use mainstay_runtime::metrics::{Counter, Gauge, Histogram, Registry, SECONDS};
use mainstay_runtime::seldom::Seldom;
use tokio::time::{Duration, Instant};

use crate::component::Component;
use crate::events::{self, Event, Kinds};
use deliver::Deliver;

/// What all parts of the service tell.
pub(crate) struct Report {
    registry: Registry,
    deliver: RefCell<Option<Deliver>>,
    signals: [SignalMeters; 3],
    pub(crate) connections: [Gauge; 2],
}

struct SignalMeters {
    signal: Signal,
    accepted: Counter,
    requests: Counter,
    malformed: Counter,
    overloaded: Counter,
    dropped: Seldom,
}

impl Report {
    pub(crate) fn new(context: &Context) -> Rc<Self> {
        let registry = context.metrics.clone();
        let signals = Signal::ALL.map(|signal| {
            let labels = [("signal", signal.name())];
            let counter = |name, help| registry.counter(name, help, &labels);
            let refused = |reason| {
                let help = "Requests that were refused: their senders were told.";
                registry.counter(
                    "otel_refused_requests_total",
                    help,
                    &[("signal", signal.name()), ("reason", reason)],
                )
            };
            SignalMeters {
                signal,
                accepted: counter(
                    "otel_accepted_items_total",
                    "Spans, data points, log records that were accepted.",
                ),
                requests: counter("otel_accepted_requests_total", "Requests that were accepted."),
                malformed: refused("malformed"),
                overloaded: refused("memory"),
                dropped: Seldom::default(),
            }
        });
        let gauge = |protocol| {
            registry.gauge(
                "otel_connections",
                "Connections of components.",
                &[("protocol", protocol)],
            )
        };
        let connections = ["http", "grpc"].map(gauge);
        Rc::new(Self {
            registry,
            deliver: RefCell::new(None),
            signals,
            connections,
        })
    }

    /// Sends the events that are wanted to the component, from now on.
    pub(crate) fn deliver_to<C: Component>(&self, component: Rc<C>, wanted: Kinds) {
        *self.deliver.borrow_mut() = Deliver::start(component, wanted, &self.registry);
    }

    fn tell(&self, kind: Kinds, event: impl FnOnce() -> Event) {
        if let Some(deliver) = &*self.deliver.borrow() {
            deliver.tell(kind, event);
        }
    }

    fn of(&self, signal: Signal) -> Option<&SignalMeters> {
        self.signals.iter().find(|meters| meters.signal == signal)
    }

    /// A request is in its queues.
    pub(crate) fn accepted(&self, signal: Signal, items: usize) {
        if let Some(meters) = self.of(signal) {
            meters.accepted.add(items as u64);
            meters.requests.add(1);
        }
    }

    /// A request that cannot be understood.
    pub(crate) fn malformed(&self, signal: Signal) {
        if let Some(meters) = self.of(signal) {
            meters.malformed.add(1);
        }
    }

    /// A request that there was no memory for; nobody knows what it held.
    pub(crate) fn overloaded(&self, signal: Signal) {
        if let Some(meters) = self.of(signal) {
            meters.overloaded.add(1);
        }
    }

    /// A request that its sender keeps.
    pub(crate) fn refused(&self, signal: Signal, items: usize, reason: &str) {
        let labels = [("signal", signal.name()), ("reason", reason)];
        let help = "Spans, data points, log records that were refused: their senders were told.";
        self.registry
            .counter("otel_refused_items_total", help, &labels)
            .add(items as u64);
        let help = "Requests that were refused: their senders were told.";
        self.registry
            .counter("otel_refused_requests_total", help, &labels)
            .add(1);
    }

    /// Items that are left out before they are queued, because someone wants them left out.
    pub(crate) fn left_out(&self, signal: Signal, items: usize, why: &str) {
        let help = "Spans, data points, log records that were left out on purpose.";
        self.registry
            .counter(
                "otel_left_out_items_total",
                help,
                &[("signal", signal.name()), ("reason", why)],
            )
            .add(items as u64);
    }

    /// Traces that wait for their decision.
    pub(crate) fn tail_waiting(&self, traces: usize, bytes: usize) {
        self.registry
            .gauge("otel_tail_traces", "Traces that wait for their decision.", &[])
            .set(traces as f64);
        self.registry
            .gauge("otel_tail_bytes", "Bytes of traces that wait for their decision.", &[])
            .set(bytes as f64);
    }

    /// The processor failed, and the request went on as it was.
    pub(crate) fn bypassed(&self, signal: Signal, reason: &str) {
        let help = "Requests that went past a processor that failed.";
        self.registry
            .counter("otel_processor_bypassed_total", help, &[("signal", signal.name())])
            .add(1);
        if let Some(meters) = self.of(signal)
            && let Some(times) = meters.dropped.count(1)
        {
            tracing::warn!(%signal, times, "the processor is by-passed: {reason}");
        }
    }

    /// What one queue tells.
    pub(crate) fn lane(self: &Rc<Self>, signal: Signal, destination: &str) -> LaneReport {
        let labels = [("signal", signal.name()), ("destination", destination)];
        let gauge = |name, help| self.registry.gauge(name, help, &labels);
        LaneReport {
            shared: Rc::clone(self),
            signal,
            destination: destination.to_owned(),
            queue_requests: gauge("otel_queue_requests", "Requests that wait or are on their way."),
            queue_bytes: gauge("otel_queue_bytes", "Bytes that wait or are on their way."),
            losses: Seldom::default(),
            overflowing: Cell::new(None),
        }
    }

    /// What the exporters to one destination tell.
    pub(crate) fn upstream(self: &Rc<Self>, signal: Signal, destination: &str) -> UpstreamReport {
        let labels = [("signal", signal.name()), ("destination", destination)];
        let counter = |name, help| self.registry.counter(name, help, &labels);
        UpstreamReport {
            shared: Rc::clone(self),
            signal,
            destination: destination.to_owned(),
            sent: counter(
                "otel_sent_items_total",
                "Spans, data points, log records that a destination took.",
            ),
            failed: counter("otel_failed_exports_total", "Attempts to export that failed."),
            exports: counter("otel_exports_total", "Requests that a destination took."),
            seconds: self.registry.histogram(
                "otel_export_seconds",
                "How long attempts to export took.",
                &labels,
                SECONDS,
            ),
            failing: Cell::new(None),
        }
    }
}

/// What one queue tells.
pub(crate) struct LaneReport {
    shared: Rc<Report>,
    signal: Signal,
    /// The destination, or all that stand in for each other.
    destination: String,
    queue_requests: Gauge,
    queue_bytes: Gauge,
    losses: Seldom,
    /// While it is full: what was dropped since it is.
    overflowing: Cell<Option<u64>>,
}

/// What the exporters to one destination tell.
pub(crate) struct UpstreamReport {
    shared: Rc<Report>,
    signal: Signal,
    destination: String,
    sent: Counter,
    failed: Counter,
    exports: Counter,
    seconds: Histogram,
    /// Since when nothing gets through.
    failing: Cell<Option<Instant>>,
}

impl LaneReport {
    /// The destination's name.
    pub(crate) fn name(&self) -> &str {
        &self.destination
    }

    pub(crate) fn queued(&self, requests: usize, bytes: usize) {
        self.queue_requests.set(requests as f64);
        self.queue_bytes.set(bytes as f64);
    }

    /// Items are gone.
    pub(crate) fn dropped(&self, items: usize, loss: Loss, reason: &str) {
        let labels = [
            ("signal", self.signal.name()),
            ("destination", self.destination.as_str()),
            ("reason", loss.label()),
        ];
        let help = "Spans, data points, log records that are gone.";
        self.shared
            .registry
            .counter("otel_dropped_items_total", help, &labels)
            .add(items as u64);
        if loss == Loss::QueueFull {
            self.overflows(items as u64, reason);
        } else if let Some(items) = self.losses.count(items as u64) {
            tracing::warn!(destination = self.destination, signal = %self.signal, items, "dropped: {reason}");
        }
        self.shared.tell(Kinds::DROPPED, || {
            Event::Dropped(events::Dropped {
                destination: self.destination.clone(),
                signal: event_signal(self.signal),
                items: items as u64,
                reason: reason.to_owned(),
            })
        });
    }

    /// The queue is full, which is said once until it [has room](LaneReport::has_room) again.
    fn overflows(&self, items: u64, reason: &str) {
        let before = self.overflowing.get();
        self.overflowing.set(Some(before.unwrap_or_default() + items));
        if before.is_none() {
            tracing::warn!(destination = self.destination, signal = %self.signal, items, "dropped, and more until there is room: {reason}");
        }
    }

    /// The queue is far from full.
    pub(crate) fn has_room(&self) {
        if let Some(items) = self.overflowing.take() {
            tracing::warn!(destination = self.destination, signal = %self.signal, items, "the queue has room again; so many were dropped");
        }
    }
}

impl UpstreamReport {
    /// The destination's name.
    pub(crate) fn name(&self) -> &str {
        &self.destination
    }

    /// An attempt ended.
    pub(crate) fn attempted(&self, took: Duration) {
        self.seconds.observe_duration(took);
    }

    /// The destination took so many items.
    pub(crate) fn sent(&self, items: usize) {
        self.exports.add(1);
        self.sent.add(items as u64);
        let Some(since) = self.failing.take() else { return };
        let after = since.elapsed();
        tracing::info!(destination = self.destination, signal = %self.signal, ?after, "takes telemetry again");
        self.shared.tell(Kinds::RECOVERED, || {
            Event::Recovered(events::Recovered {
                destination: self.destination.clone(),
                signal: event_signal(self.signal),
                after: u64::try_from(after.as_nanos()).unwrap_or(u64::MAX),
            })
        });
    }

    /// An attempt failed. Only the first failure of a row is worth a line.
    pub(crate) fn failed(&self, reason: &str, retry_in: Option<Duration>) {
        self.failed.add(1);
        if self.failing.get().is_some() {
            tracing::debug!(destination = self.destination, signal = %self.signal, ?retry_in, "export: {reason}");
            return;
        }
        self.failing.set(Some(Instant::now()));
        tracing::warn!(destination = self.destination, signal = %self.signal, ?retry_in, "export: {reason}");
        self.shared.tell(Kinds::EXPORT_FAILED, || {
            Event::ExportFailed(events::ExportFailed {
                destination: self.destination.clone(),
                signal: event_signal(self.signal),
                reason: reason.to_owned(),
            })
        });
    }
}

/// Why items are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// They did not fit.
    QueueFull,
    /// The volume did not take them.
    Disk,
    /// Nobody took them for too long.
    Expired,
    /// The collector does not want them.
    Rejected,
    /// They cannot be read from the volume any more.
    Damaged,
}

impl Loss {
    fn label(self) -> &'static str {
        match self {
            Self::QueueFull => "queue-full",
            Self::Disk => "disk",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
            Self::Damaged => "damaged",
        }
    }
}

fn event_signal(signal: Signal) -> events::Signal {
    match signal {
        Signal::Traces => events::Signal::Traces,
        Signal::Metrics => events::Signal::Metrics,
        Signal::Logs => events::Signal::Logs,
    }
}
