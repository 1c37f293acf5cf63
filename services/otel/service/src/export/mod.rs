//! From the queue to the collector.
//!
//! - `payload`: a batch as a destination wants it: encoded, compressed, framed
//! - `connection`: one connection, kept
//! - `answer`: what a collector's answer means
//! - [`connect`]: where connections come from

mod answer;
pub mod connect;
mod connection;
mod payload;

use std::rc::Rc;

use bytes::Bytes;
use mainstay_otel_core::retry::{Attempts, Failure, Next, Policy};
use mainstay_otel_core::wire::{self, Limits};
use mainstay_otel_core::{Signal, response::PartialSuccess};
use tokio::time::{Duration, Instant};

use crate::config::Target;
use crate::lane::{Batch, Lane};
use crate::report::Loss;
use connect::Connect;
use connection::Connection;
use payload::Payload;

/// How long a destination that failed is passed over, where another stands in for it.
const COOL_DOWN: Duration = Duration::from_secs(30);

/// Empties a queue, one batch after the other, for ever.
pub(crate) struct Exporter {
    lane: Rc<Lane>,
    /// In the order in which they are tried. More than one only where they stand in for each other.
    destinations: Vec<Destination>,
    policy: Policy,
    limits: Limits,
    /// The clock of retries.
    epoch: Instant,
}

struct Destination {
    target: Rc<Target>,
    connection: Connection,
    failed: Option<Instant>,
}

/// A request on its way: a batch, or a part of one that was too large.
struct Outgoing {
    bodies: Vec<Bytes>,
    items: usize,
}

impl Exporter {
    pub(crate) fn new(lane: Rc<Lane>, targets: Vec<(Rc<Target>, Connect)>, policy: Policy, limits: Limits) -> Self {
        let destinations = targets
            .into_iter()
            .map(|(target, connect)| Destination {
                connection: Connection::new(Rc::clone(&target), connect),
                target,
                failed: None,
            })
            .collect();
        Self {
            lane,
            destinations,
            policy,
            limits,
            epoch: Instant::now(),
        }
    }

    pub(crate) async fn run(mut self) {
        loop {
            let batch = self.lane.next().await;
            for outgoing in self.parts(&batch) {
                self.deliver(&outgoing).await;
            }
            self.lane.settle(&batch);
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
        match wire::split(self.lane.signal.request(), body, self.limits) {
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
        let mut attempts = Attempts::new(self.policy, self.epoch.elapsed());
        let mut payloads = vec![None; self.destinations.len()];
        loop {
            let failure = match self.attempt(outgoing, &mut payloads).await {
                Ok(partial) => return self.arrived(outgoing.items, partial),
                Err(failure) => failure,
            };
            let report = &self.lane.report;
            match attempts.failed(&failure, self.epoch.elapsed(), rand::random()) {
                Next::In(delay) => {
                    report.failed(&failure.reason, Some(delay));
                    tokio::time::sleep(delay).await;
                }
                Next::Rejected => {
                    report.failed(&failure.reason, None);
                    return report.dropped(outgoing.items, Loss::Rejected, &failure.reason);
                }
                Next::Expired => {
                    report.failed(&failure.reason, None);
                    let reason = format!("retries are used up: {}", failure.reason);
                    return report.dropped(outgoing.items, Loss::Expired, &reason);
                }
            }
        }
    }

    /// One attempt: at the first destination that is not known to be failing, and then at the others, so that a failure is
    /// that of all.
    async fn attempt(
        &mut self,
        outgoing: &Outgoing,
        payloads: &mut [Option<Payload>],
    ) -> Result<Option<PartialSuccess>, Failure> {
        let (signal, alone) = (self.lane.signal, self.destinations.len() == 1);
        let mut order: Vec<usize> = (0..self.destinations.len()).collect();
        order.sort_by_key(|index| self.destinations.get(*index).is_some_and(Destination::is_cooling));
        let mut last = Failure {
            reason: "no destination".to_owned(),
            retryable: false,
            retry_after: None,
        };
        for index in order {
            let (Some(destination), Some(payload)) = (self.destinations.get_mut(index), payloads.get_mut(index)) else {
                continue;
            };
            let began = Instant::now();
            let result = destination.send(signal, outgoing, payload).await;
            self.lane.report.attempted(began.elapsed());
            match result {
                Ok(partial) => {
                    destination.failed = None;
                    return Ok(partial);
                }
                // What one collector rejects for good, another would take for the wrong reasons.
                Err(failure) if !failure.retryable => return Err(failure),
                Err(failure) => {
                    if !alone {
                        tracing::debug!(%signal, url = destination.target.url.text(), "export: {}", failure.reason);
                    }
                    destination.failed = Some(Instant::now());
                    last = failure;
                }
            }
        }
        Err(last)
    }

    fn arrived(&self, items: usize, partial: Option<PartialSuccess>) {
        let report = &self.lane.report;
        let Some(PartialSuccess { rejected, message }) = partial else {
            return report.sent(items);
        };
        let rejected = usize::try_from(rejected).unwrap_or(items).min(items);
        report.sent(items - rejected);
        // What is rejected in part is never sent again (OTLP 1.x §Partial Success).
        if rejected > 0 {
            report.dropped(
                rejected,
                Loss::Rejected,
                &format!("the collector rejects a part: {message}"),
            );
        } else {
            tracing::warn!(destination = report.name(), signal = %self.lane.signal, "the collector warns: {message}");
        }
    }
}

impl Destination {
    fn is_cooling(&self) -> bool {
        self.failed.is_some_and(|failed| failed.elapsed() < COOL_DOWN)
    }

    async fn send(
        &mut self,
        signal: Signal,
        outgoing: &Outgoing,
        payload: &mut Option<Payload>,
    ) -> Result<Option<PartialSuccess>, Failure> {
        let timeout = self.target.timeout;
        let payload = match payload {
            Some(payload) => payload,
            // Made once for all attempts.
            None => payload.insert(payload::prepare(signal, &self.target, &outgoing.bodies)?),
        };
        match tokio::time::timeout(timeout, self.connection.send(signal, payload.clone())).await {
            Ok(result) => result,
            Err(_) => {
                // Whatever comes on it later belongs to nobody.
                self.connection.close();
                Err(answer::transient(format!(
                    "{}: no answer within {timeout:?}",
                    self.target.url.text()
                )))
            }
        }
    }
}
