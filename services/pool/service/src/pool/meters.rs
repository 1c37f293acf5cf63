//! Figures of a pool for `/metrics`.

use std::time::Duration;

use mainstay_pool_core::pool::{CloseReason, Stats};
use mainstay_runtime::metrics::{Counter, Gauge, Histogram, Registry, SECONDS};

/// The metrics of one pool.
pub(crate) struct Meters {
    registry: Registry,
    name: String,
    active: Gauge,
    idle: Gauge,
    waiting: Gauge,
    connecting: Gauge,
    clients: Gauge,
    acquires: Histogram,
    connects: Histogram,
    resets: Counter,
    leaks: Counter,
    ejections: Counter,
    closes: [Counter; CloseReason::ALL.len()],
}

impl Meters {
    pub(super) fn new(registry: &Registry, name: &str) -> Self {
        let pool = ("pool", name);
        let gauge = |name, help| registry.gauge(name, help, &[pool]);
        let counter = |name, help| registry.counter(name, help, &[pool]);
        let closes = CloseReason::ALL.map(|reason| {
            let labels = [pool, ("reason", reason.label())];
            registry.counter("pool_closed_total", "Connections closed, by reason.", &labels)
        });
        Self {
            active: gauge("pool_active", "Connections that somebody has."),
            idle: gauge("pool_idle", "Connections that nobody has."),
            waiting: gauge("pool_waiting", "Who waits for a connection."),
            connecting: gauge("pool_connecting", "Connections that are being made."),
            clients: gauge("pool_clients", "Clients on the pool's port."),
            acquires: registry.histogram(
                "pool_acquire_seconds",
                "How long it took to get a connection.",
                &[pool],
                SECONDS,
            ),
            connects: registry.histogram(
                "pool_connect_seconds",
                "How long it took to make a connection.",
                &[pool],
                SECONDS,
            ),
            resets: counter("pool_resets_total", "Sessions that were reset."),
            leaks: counter("pool_leaks_total", "Connections that somebody held for too long."),
            ejections: counter("pool_ejections_total", "Addresses that were left alone."),
            closes,
            registry: registry.clone(),
            name: name.to_owned(),
        }
    }

    pub(super) fn set(&self, stats: &Stats) {
        self.active.set(stats.active as f64);
        self.idle.set(stats.idle as f64);
        self.waiting.set(stats.waiting as f64);
        self.connecting.set(stats.connecting as f64);
    }

    pub(super) fn acquired(&self, waited: Duration) {
        self.acquires.observe_duration(waited);
    }

    pub(super) fn connected(&self, took: Duration) {
        self.connects.observe_duration(took);
    }

    pub(super) fn leaked(&self) {
        self.leaks.add(1);
    }

    pub(super) fn ejected(&self) {
        self.ejections.add(1);
    }

    pub(super) fn closed(&self, reason: CloseReason) {
        let index = CloseReason::ALL.iter().position(|other| *other == reason);
        if let Some(counter) = index.and_then(|index| self.closes.get(index)) {
            counter.add(1);
        }
    }

    pub(super) fn refused(&self, kind: &'static str) {
        self.error(kind);
    }

    pub(super) fn connect_failed(&self, kind: &'static str) {
        self.error(kind);
    }

    /// A client has brought a component's token.
    pub(crate) fn login(&self, component: &str) {
        login(&self.registry, &self.name, component);
    }

    /// An error, by its kind.
    pub(crate) fn error(&self, kind: &str) {
        let labels = [("pool", self.name.as_str()), ("kind", kind)];
        self.registry
            .counter("pool_errors_total", "Errors, by kind.", &labels)
            .add(1);
    }

    /// A session was reset.
    pub(crate) fn reset(&self) {
        self.resets.add(1);
    }

    /// A client comes or goes.
    pub(crate) fn clients(&self, change: f64) {
        self.clients.add(change);
    }
}

/// A client of a pool has brought a component's token; an empty name for the token of all.
pub(crate) fn login(registry: &Registry, pool: &str, component: &str) {
    tracing::debug!(pool, component, "a client brought its token");
    let labels = [("pool", pool), ("component", component)];
    let help = "Clients that brought a token, by the component whose it is.";
    registry.counter("pool_logins_total", help, &labels).add(1);
}
