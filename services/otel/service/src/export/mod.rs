//! From the queue to the collector.
//!
//! - `payload`: a batch as a destination wants it: encoded, compressed, framed
//! - `route`: from one queue to its destinations, as all its consumers know it
//! - `connection`: one connection, kept
//! - `answer`: what a collector's answer means
//! - [`connect`]: where connections come from

mod answer;
pub mod connect;
mod connection;
mod payload;
mod route;

use std::rc::Rc;

use bytes::Bytes;
use mainstay_otel_core::response::PartialSuccess;
use mainstay_otel_core::retry::{Attempts, Failure, FailureKind, Next, Policy};
use mainstay_otel_core::wire::{self, Limits};
use tokio::time::{Duration, Instant};

use crate::lane::Batch;
use crate::report::Loss;
use connection::Connection;
use payload::Payload;
pub(crate) use route::{Route, Upstream};

/// Empties a queue, one batch after the other, for ever.
pub(crate) struct Exporter {
    route: Rc<Route>,
    /// One to each of its destinations, in their order.
    connections: Vec<Connection>,
    policy: Policy,
    limits: Limits,
    /// The clock of retries.
    epoch: Instant,
}

/// A request on its way: a batch, or a part of one that was too large.
struct Outgoing {
    bodies: Vec<Bytes>,
    items: usize,
}

/// A round of attempts, one at each destination that may be asked.
#[derive(Default)]
struct Failures {
    /// By destination.
    each: Vec<(usize, Failure)>,
    /// Whether one was passed over because it does not want to be asked yet.
    passed_over: bool,
}

impl Exporter {
    pub(crate) fn new(route: Rc<Route>, policy: Policy, limits: Limits) -> Self {
        let connections = route.upstreams.iter().map(Upstream::connection).collect();
        Self {
            route,
            connections,
            policy,
            limits,
            epoch: Instant::now(),
        }
    }

    pub(crate) async fn run(mut self) {
        loop {
            let batch = self.route.lane.next().await;
            for outgoing in self.parts(&batch) {
                self.deliver(&outgoing).await;
            }
            self.route.lane.settle(&batch);
        }
    }

    /// A batch as requests that keep to the limits.
    fn parts(&self, batch: &Batch) -> Vec<Outgoing> {
        let whole = || {
            vec![Outgoing {
                bodies: batch.bodies.clone(),
                items: batch.items,
            }]
        };
        let body = match &*batch.bodies {
            // What could not be read again was dropped and counted already.
            [] => return Vec::new(),
            [body] => body,
            _ => return whole(),
        };
        if batch.items <= self.limits.items && body.len() <= self.limits.bytes {
            return whole();
        }
        match wire::split(self.route.lane.signal.request(), body, self.limits) {
            Ok(parts) => parts
                .into_iter()
                .map(|part| Outgoing {
                    bodies: vec![part.bytes.into()],
                    items: part.items,
                })
                .collect(),
            // It was checked when it came, so this does not happen; the collector may judge.
            Err(_) => whole(),
        }
    }

    /// Sends a request until it has arrived or is given up.
    async fn deliver(&mut self, outgoing: &Outgoing) {
        // Somebody else's batch may have been told to come later.
        self.route.ready().await;
        let mut attempts = Attempts::new(self.policy, self.epoch.elapsed());
        let mut payloads = vec![None; self.connections.len()];
        loop {
            let failures = match self.attempt(outgoing, &mut payloads).await {
                Ok(()) => return,
                Err(failures) => failures,
            };
            let failure = self.route.sum_up(&failures);
            let next = attempts.failed(&failure, self.epoch.elapsed(), rand::random());
            let delay = match next {
                Next::In(delay) => Some(delay),
                Next::Rejected | Next::ExpiresIn(_) => None,
            };
            self.report(&failures, delay);
            let report = &self.route.lane.report;
            match next {
                Next::In(delay) => {
                    tokio::time::sleep(delay).await;
                    self.route.ready().await;
                }
                Next::Rejected => return report.dropped(outgoing.items, Loss::Rejected, &failure.reason),
                Next::ExpiresIn(rest) => {
                    tokio::time::sleep(rest).await;
                    let reason = format!("retries are used up: {}", failure.reason);
                    return report.dropped(outgoing.items, Loss::Expired, &reason);
                }
            }
        }
    }

    /// One round: at the first destination that is not known to be failing, and then at the others, so that a failure is that
    /// of all.
    async fn attempt(&mut self, outgoing: &Outgoing, payloads: &mut [Option<Payload>]) -> Result<(), Failures> {
        let mut failures = Failures::default();
        for index in self.route.order() {
            let (Some(upstream), Some(connection), Some(payload)) = (
                self.route.upstreams.get(index),
                self.connections.get_mut(index),
                payloads.get_mut(index),
            ) else {
                continue;
            };
            if upstream.waits().is_some() {
                failures.passed_over = true;
                continue;
            }
            let began = Instant::now();
            let result = send(&self.route, upstream, connection, outgoing, payload).await;
            upstream.report.attempted(began.elapsed());
            match result {
                Ok(partial) => {
                    self.report(&failures, None);
                    self.route.arrived(index, outgoing.items, partial);
                    return Ok(());
                }
                Err(failure) => {
                    let is_final = failure.kind == FailureKind::BadData;
                    upstream.failed(&failure);
                    failures.each.push((index, failure));
                    if is_final {
                        break;
                    }
                }
            }
        }
        Err(failures)
    }

    fn report(&self, failures: &Failures, retry_in: Option<Duration>) {
        for (index, failure) in &failures.each {
            if let Some(upstream) = self.route.upstreams.get(*index) {
                upstream.report.failed(&failure.reason, retry_in);
            }
        }
    }
}

async fn send(
    route: &Route,
    upstream: &Upstream,
    connection: &mut Connection,
    outgoing: &Outgoing,
    payload: &mut Option<Payload>,
) -> Result<Option<PartialSuccess>, Failure> {
    let (signal, target) = (route.lane.signal, &upstream.target);
    let payload = match payload {
        Some(payload) => payload,
        // Made once for all attempts.
        None => payload.insert(payload::prepare(signal, target, &outgoing.bodies)?),
    };
    let timeout = target.timeout;
    match tokio::time::timeout(timeout, connection.send(signal, payload.clone())).await {
        Ok(result) => result,
        Err(_) => {
            // Whatever comes on it later belongs to nobody.
            connection.close();
            Err(answer::transient(format!(
                "{}: no answer within {timeout:?}",
                target.url.text()
            )))
        }
    }
}
