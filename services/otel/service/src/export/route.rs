//! From one queue to its destinations, as all consumers of the queue know it.

use std::cell::Cell;
use std::rc::Rc;

use mainstay_otel_core::response::PartialSuccess;
use mainstay_otel_core::retry::{Failure, FailureKind};
use tokio::time::{Duration, Instant};

use super::Failures;
use super::connect::{Connect, Dial};
use super::connection::Connection;
use crate::config::Target;
use crate::lane::Lane;
use crate::report::{Loss, UpstreamReport};

/// How long a destination that failed is passed over, where another stands in for it. Longer if it says so.
const COOL_DOWN: Duration = Duration::from_secs(30);

/// The longest that a destination can keep others waiting, so that no sum of times overflows.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A queue and where it leads.
pub(crate) struct Route {
    pub(super) lane: Rc<Lane>,
    /// In the order in which they are tried. More than one only where they stand in for each other.
    pub(super) upstreams: Vec<Upstream>,
    /// The one that took the last request.
    in_use: Cell<usize>,
}

/// One destination of a queue.
pub(crate) struct Upstream {
    pub(super) target: Rc<Target>,
    pub(super) report: UpstreamReport,
    dial: Dial,
    /// Until when it does not want to be asked: `Retry-After`, `RetryInfo`. It does not mean one request alone.
    not_before: Cell<Option<Instant>>,
    /// Until when another is preferred, since it failed.
    cooling: Cell<Option<Instant>>,
}

impl Route {
    pub(crate) fn new(lane: Rc<Lane>, upstreams: Vec<Upstream>) -> Rc<Self> {
        Rc::new(Self {
            lane,
            upstreams,
            in_use: Cell::new(0),
        })
    }

    /// Waits until one of the destinations may be asked.
    pub(super) async fn ready(&self) {
        while let Some(wait) = self.wait() {
            tokio::time::sleep(wait).await;
        }
    }

    /// How long none of them wants to be asked.
    fn wait(&self) -> Option<Duration> {
        let waits = self.upstreams.iter().map(Upstream::waits);
        waits.min().flatten()
    }

    /// In which order to try them: first those that are not known to be failing.
    pub(super) fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.upstreams.len()).collect();
        order.sort_by_key(|index| self.upstreams.get(*index).is_some_and(Upstream::is_cooling));
        order
    }

    /// A round that failed everywhere, as one failure: it may pass where it may pass for one of them.
    pub(super) fn sum_up(&self, failures: &Failures) -> Failure {
        let failures_of = |kind| failures.each.iter().filter(move |(_, failure)| failure.kind == kind);
        let (_, worst) = failures_of(FailureKind::BadData)
            .chain(failures_of(FailureKind::Transient))
            .chain(failures_of(FailureKind::Refused))
            .next()
            .cloned()
            .unwrap_or((0, super::answer::transient("no destination may be asked yet")));
        let kind = match worst.kind {
            FailureKind::Refused if failures.passed_over => FailureKind::Transient,
            kind => kind,
        };
        Failure {
            kind,
            retry_after: self.wait(),
            ..worst
        }
    }

    /// A destination took a request.
    pub(super) fn arrived(&self, index: usize, items: usize, partial: Option<PartialSuccess>) {
        let Some(upstream) = self.upstreams.get(index) else {
            return;
        };
        upstream.cooling.set(None);
        let before = self.in_use.replace(index);
        if before != index
            && let Some(before) = self.upstreams.get(before)
        {
            tracing::warn!(
                signal = %self.lane.signal,
                from = before.report.name(),
                to = upstream.report.name(),
                "telemetry goes to another destination"
            );
        }
        let Some(PartialSuccess { rejected, message }) = partial else {
            return upstream.report.sent(items);
        };
        let rejected = usize::try_from(rejected).unwrap_or(items).min(items);
        upstream.report.sent(items - rejected);
        // What is rejected in part is never sent again (OTLP 1.x §Partial Success).
        if rejected > 0 {
            let reason = format!("the collector rejects a part: {message}");
            self.lane.report.dropped(rejected, Loss::Rejected, &reason);
        } else {
            let name = upstream.report.name();
            tracing::warn!(destination = name, signal = %self.lane.signal, "the collector warns: {message}");
        }
    }
}

impl Upstream {
    pub(crate) fn new(target: Rc<Target>, connect: &Connect, report: UpstreamReport) -> Self {
        Self {
            dial: connect.to(&target),
            target,
            report,
            not_before: Cell::new(None),
            cooling: Cell::new(None),
        }
    }

    /// A connection of one consumer.
    pub(super) fn connection(&self) -> Connection {
        Connection::new(Rc::clone(&self.target), Rc::clone(&self.dial))
    }

    /// How long it does not want to be asked yet.
    pub(super) fn waits(&self) -> Option<Duration> {
        let wait = self.not_before.get()?.saturating_duration_since(Instant::now());
        (!wait.is_zero()).then_some(wait)
    }

    fn is_cooling(&self) -> bool {
        self.cooling.get().is_some_and(|until| until > Instant::now())
    }

    pub(super) fn failed(&self, failure: &Failure) {
        if failure.kind == FailureKind::BadData {
            // It takes others.
            return;
        }
        let now = Instant::now();
        let wanted = failure.retry_after.unwrap_or_default().min(LONGEST);
        self.cooling.set(Some(now + wanted.max(COOL_DOWN)));
        if !wanted.is_zero() {
            self.not_before.set(self.not_before.get().max(Some(now + wanted)));
        }
    }
}
