//! What happens to the connection and to the lease, in the log, in metrics and on the health pages.

use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;

use mainstay_nats_link::{NotConnected, Observer, Peer};
use mainstay_runtime::Context;
use mainstay_runtime::health::Health;
use mainstay_runtime::metrics::{Counter, Gauge};

/// See the module's documentation. Each state is told once, when it comes.
pub(crate) struct Report {
    health: Health,
    leading: Gauge,
    terms: Counter,
    connected: Gauge,
    /// The replica that is known to lead, if it is another.
    leader: RefCell<Option<String>>,
    /// Why the lease is not seen.
    unseen: RefCell<Option<String>>,
    /// Why this replica had the lease and could not lead all the same.
    unusable: RefCell<Option<String>>,
    /// That the server does not take the credentials.
    refusal: RefCell<Option<String>>,
}

impl Report {
    pub(crate) fn new(context: &Context) -> Rc<Self> {
        context.health.not_ready("not connected to a NATS server yet");
        let metrics = &context.metrics;
        Rc::new(Self {
            health: context.health.clone(),
            leading: metrics.gauge("cron_leading", "Whether this replica runs the jobs: 1 if so.", &[]),
            terms: metrics.counter("cron_terms_total", "Times this replica began to lead.", &[]),
            connected: metrics.gauge(
                "cron_nats_connected",
                "Whether there is a connection to a NATS server.",
                &[],
            ),
            leader: RefCell::default(),
            unseen: RefCell::default(),
            unusable: RefCell::default(),
            refusal: RefCell::default(),
        })
    }

    /// This replica leads.
    pub(crate) fn leads(&self, name: &str) {
        tracing::info!(name, "this replica runs the jobs from now on");
        self.leading.set(1.0);
        self.terms.add(1);
        self.leader.take();
        self.unseen.take();
        self.unusable.take();
        self.health.ready();
    }

    /// This replica leads no more, and may lead again.
    pub(crate) fn lost(&self, reason: &dyn Display) {
        tracing::warn!("this replica runs no jobs any more: {reason}");
        self.leading.set(0.0);
    }

    /// This replica leads no more, nor can it until something is done about it. It tries again, and is not ready meanwhile.
    pub(crate) fn cannot_lead(&self, reason: &dyn Display) {
        self.leading.set(0.0);
        let reason = format!("this replica cannot run the jobs: {reason}");
        if self.unusable.replace(Some(reason.clone())).as_ref() != Some(&reason) {
            tracing::error!("{reason}");
        }
        self.health.not_ready(reason);
    }

    /// Another replica leads.
    pub(crate) fn stands_by(&self, leader: &str) {
        self.unseen.take();
        if self.leader.replace(Some(leader.to_owned())).as_deref() != Some(leader) {
            tracing::info!(leader, "another replica runs the jobs, this one stands by");
        }
        match &*self.unusable.borrow() {
            None => self.health.ready(),
            // It would not be of use if the other went.
            Some(reason) => self.health.not_ready(reason.clone()),
        }
    }

    /// Who leads, if it is another replica that is known to.
    pub(crate) fn leader(&self) -> Option<String> {
        self.leader.borrow().clone()
    }

    /// The lease cannot be seen or taken.
    pub(crate) fn unseen(&self, error: &dyn Display) {
        let error = error.to_string();
        self.leader.take();
        // Without a connection the connection tells of itself.
        if self.connected.value() > 0.0 && self.unseen.replace(Some(error.clone())).as_ref() != Some(&error) {
            tracing::warn!("no replica can be elected: {error}");
            self.health.not_ready(format!("no replica can be elected: {error}"));
        }
    }
}

impl Observer for Report {
    fn connected(&self, peer: Peer<'_>) {
        let (server, address, version) = (peer.server, peer.address, &peer.info.version);
        tracing::info!(%server, %address, version, tls = peer.encrypted, "connected");
        self.refusal.take();
        self.connected.set(1.0);
        if self.leading.value() > 0.0 {
            self.health.ready();
        }
    }

    fn disconnected(&self, reason: &str) {
        tracing::warn!(reason, "disconnected");
        self.connected.set(0.0);
        self.health.not_ready("the connection to the NATS server is lost");
    }

    fn not_connected(&self, attempt: NotConnected<'_>) {
        let NotConnected {
            server,
            error,
            refused,
            pause,
        } = attempt;
        if refused {
            if self.refusal.replace(Some(error.to_owned())).as_deref() != Some(error) {
                tracing::error!(%server, "the server does not take the credentials: {error}");
            }
            self.health.not_ready("the NATS server does not take the credentials");
        } else {
            tracing::warn!(%server, retry_in = ?pause, "not connected: {error}");
        }
    }

    fn lame_duck(&self, peer: Peer<'_>) {
        tracing::info!(server = %peer.server, "the server is about to go, moving to another one");
    }

    fn server_refuses(&self, text: &str) {
        tracing::warn!("the server refuses: {text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_that_could_not_lead_is_not_ready_until_it_does() {
        let context = Context::new("cron");
        let report = Report::new(&context);
        report.stands_by("another");
        assert_eq!(context.health.reason(), None);
        report.cannot_lead(&"the state cannot be read");
        let reason = Some("this replica cannot run the jobs: the state cannot be read".to_owned());
        assert_eq!(context.health.reason(), reason);
        report.stands_by("another");
        assert_eq!(context.health.reason(), reason);
        report.leads("me");
        assert_eq!(context.health.reason(), None);
        report.lost(&"another has taken the lease");
        report.stands_by("another");
        assert_eq!(context.health.reason(), None);
    }
}
