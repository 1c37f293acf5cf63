//! Metrics.

use std::rc::Rc;
use std::time::Duration;

use mainstay_runtime::metrics::{Counter, Gauge, Histogram, Registry, SECONDS};

/// The metrics of the connection and the loopback endpoint.
pub(crate) struct Meters {
    registry: Registry,
    pub(crate) connected: Gauge,
    pub(crate) connections: Counter,
    pub(crate) failed_connections: Counter,
    pub(crate) server_refusals: Counter,
    pub(crate) clients: Gauge,
    pub(crate) client_refusals: Counter,
    pub(crate) client_dropped: Counter,
}

/// The metrics of one subscription.
pub(crate) struct SubscriptionMeters {
    received: Counter,
    dropped: Counter,
    cut_dead_letters: Counter,
    waiting: Gauge,
    running: Gauge,
    duration: Histogram,
    outcomes: [(Ended, Counter); Ended::ALL.len()],
}

/// The metrics of one bucket that is watched.
pub(crate) struct WatchMeters {
    pub(crate) handled: Counter,
    pub(crate) timed_out: Counter,
    pub(crate) begun: Counter,
    pub(crate) gaps: Counter,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Handled,
    Skipped,
    Retried,
    GivenUp,
    Failed,
    ReplyDropped,
}

impl Ended {
    const ALL: [Self; 6] = [
        Self::Handled,
        Self::Skipped,
        Self::Retried,
        Self::GivenUp,
        Self::Failed,
        Self::ReplyDropped,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Handled => "handled",
            Self::Skipped => "skipped",
            Self::Retried => "retried",
            Self::GivenUp => "given-up",
            Self::Failed => "failed",
            Self::ReplyDropped => "reply-dropped",
        }
    }
}

impl Meters {
    pub(super) fn new(registry: &Registry) -> Self {
        let counter = |name, help| registry.counter(name, help, &[]);
        let gauge = |name, help| registry.gauge(name, help, &[]);
        Self {
            registry: registry.clone(),
            connected: gauge("nats_connected", "Whether there is a connection to a server."),
            connections: counter("nats_connections_total", "Connections to servers that came about."),
            failed_connections: counter("nats_connection_failures_total", "Connections that did not come about."),
            server_refusals: counter(
                "nats_server_refusals_total",
                "What the server refused: permission violations, subscriptions over its maximum.",
            ),
            clients: gauge("nats_clients", "Clients of the loopback endpoint."),
            client_refusals: counter(
                "nats_client_errors_total",
                "Errors that clients of the endpoint were told.",
            ),
            client_dropped: counter(
                "nats_client_dropped_total",
                "Messages that slow clients of the endpoint lost.",
            ),
        }
    }

    /// The metrics of the subscription of this name.
    pub(crate) fn subscription(&self, name: &str) -> Rc<SubscriptionMeters> {
        let subscription = ("subscription", name);
        let counter = |name, help| self.registry.counter(name, help, &[subscription]);
        let gauge = |name, help| self.registry.gauge(name, help, &[subscription]);
        Rc::new(SubscriptionMeters {
            received: counter("nats_received_total", "Messages that came through a subscription."),
            dropped: counter("nats_dropped_total", "Messages that a full subscription dropped."),
            cut_dead_letters: counter(
                "nats_dead_letters_cut_total",
                "Dead letters without the body, which would have been larger than the server takes.",
            ),
            waiting: gauge("nats_waiting", "Messages that wait for the handler or are with it."),
            running: gauge("nats_in_flight", "Calls of the handler in flight."),
            duration: self.registry.histogram(
                "nats_handler_seconds",
                "How long calls of the handler took.",
                &[subscription],
                SECONDS,
            ),
            outcomes: Ended::ALL.map(|ended| {
                let labels = [subscription, ("outcome", ended.label())];
                (
                    ended,
                    self.registry
                        .counter("nats_deliveries_total", "Deliveries by how they ended.", &labels),
                )
            }),
        })
    }

    /// The metrics of the watch of this bucket.
    pub(crate) fn watch(&self, bucket: &str) -> WatchMeters {
        let bucket = ("bucket", bucket);
        let counter = |name, help| self.registry.counter(name, help, &[bucket]);
        let changes = |outcome| {
            let help = "Changes of watched buckets by how the component's call ended.";
            self.registry
                .counter("nats_kv_changes_total", help, &[bucket, ("outcome", outcome)])
        };
        WatchMeters {
            handled: changes("handled"),
            timed_out: changes("timed-out"),
            begun: counter(
                "nats_kv_watches_begun_total",
                "How often a watch began with the present values.",
            ),
            gaps: counter(
                "nats_kv_gaps_total",
                "Deliveries to a watch that did not come and were asked for again.",
            ),
        }
    }
}

impl SubscriptionMeters {
    pub(crate) fn received(&self) {
        self.received.add(1);
    }

    pub(crate) fn dropped(&self) {
        self.dropped.add(1);
    }

    pub(crate) fn cut_dead_letter(&self) {
        self.cut_dead_letters.add(1);
    }

    pub(crate) fn load(&self, waiting: usize, running: usize) {
        self.waiting.set(waiting as f64);
        self.running.set(running as f64);
    }

    pub(crate) fn took(&self, duration: Duration) {
        self.duration.observe_duration(duration);
    }

    pub(crate) fn ended(&self, how: Ended) {
        if let Some((_, counter)) = self.outcomes.iter().find(|(ended, _)| *ended == how) {
            counter.add(1);
        }
    }
}
