//! Tail sampling: traces wait in memory until they are decided.

use std::cell::RefCell;
use std::rc::Rc;

use mainstay_otel_core::Signal;
use mainstay_otel_core::sampling::tail::{Decision, Settings, TailSampler};
use mainstay_otel_core::wire::Malformed;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::queues::{Queued, Queues};
use crate::report::Report;

/// Traces that wait.
pub(crate) struct Tail {
    sampler: RefCell<TailSampler>,
    epoch: Instant,
    /// Something waits that is due sooner than what waited before.
    added: Notify,
    queues: Rc<Queues>,
    report: Rc<Report>,
}

impl Tail {
    /// Traces wait here from now on, and go into these queues when they are to be kept.
    pub(crate) fn start(settings: Settings, queues: Rc<Queues>, report: Rc<Report>) -> Rc<Self> {
        let sampler = RefCell::new(TailSampler::new(settings));
        let tail = Rc::new(Self {
            sampler,
            epoch: Instant::now(),
            added: Notify::new(),
            queues,
            report,
        });
        tokio::task::spawn_local(Rc::clone(&tail).run());
        tail
    }

    /// Takes the spans of a request. Returns those that are decided by that and queued.
    pub(crate) fn add(&self, body: &[u8]) -> Result<Vec<Queued>, Malformed> {
        let now = self.epoch.elapsed();
        let decisions = self
            .sampler
            .borrow_mut()
            .add(Signal::Traces.request(), body, now, &mut rand::random)?;
        let queued = self.carry_out(decisions);
        self.added.notify_one();
        Ok(queued)
    }

    async fn run(self: Rc<Self>) {
        loop {
            let due = self.sampler.borrow().due();
            match due {
                None => self.added.notified().await,
                Some(due) => tokio::time::sleep_until(self.epoch + due).await,
            }
            let decisions = self
                .sampler
                .borrow_mut()
                .decide(self.epoch.elapsed(), &mut rand::random);
            for queued in self.carry_out(decisions) {
                // What could not be made safe is counted, and nobody is left to be told.
                let _ = queued.durable().await;
            }
        }
    }

    fn carry_out(&self, decisions: Vec<Decision>) -> Vec<Queued> {
        let mut queued = Vec::new();
        for decision in decisions {
            if !decision.keep {
                self.report.left_out(Signal::Traces, decision.spans, "tail-sampling");
                continue;
            }
            let body = bytes::Bytes::from(decision.request);
            match self.queues.push(&body, decision.spans) {
                Ok(request) => queued.push(request),
                // Its sender was answered long ago, so nobody is left to keep it.
                Err(error) => self.queues.drop_all(decision.spans, &error),
            }
        }
        let (traces, bytes) = self.sampler.borrow().waiting();
        self.report.tail_waiting(traces, bytes);
        queued
    }
}
