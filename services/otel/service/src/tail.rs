//! Tail sampling: traces wait in memory until they are decided.

use std::cell::RefCell;
use std::rc::Rc;

use mainstay_otel_core::Signal;
use mainstay_otel_core::sampling::tail::{Decision, Settings, TailSampler};
use mainstay_otel_core::wire::Malformed;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::lane::Lane;
use crate::report::{Loss, Report};

/// Traces that wait.
pub(crate) struct Tail {
    sampler: RefCell<TailSampler>,
    epoch: Instant,
    /// Something waits that is due sooner than what waited before.
    added: Notify,
    lanes: Vec<Rc<Lane>>,
    report: Rc<Report>,
}

impl Tail {
    /// Traces wait here from now on, and go into these queues when they are to be kept.
    pub(crate) fn start(settings: Settings, lanes: Vec<Rc<Lane>>, report: Rc<Report>) -> Rc<Self> {
        let sampler = RefCell::new(TailSampler::new(settings));
        let tail = Rc::new(Self {
            sampler,
            epoch: Instant::now(),
            added: Notify::new(),
            lanes,
            report,
        });
        tokio::task::spawn_local(Rc::clone(&tail).run());
        tail
    }

    /// Takes the spans of a request.
    pub(crate) fn add(&self, body: &[u8]) -> Result<(), Malformed> {
        let now = self.epoch.elapsed();
        let decisions = self
            .sampler
            .borrow_mut()
            .add(Signal::Traces.request(), body, now, &mut rand::random)?;
        self.carry_out(decisions);
        self.added.notify_one();
        Ok(())
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
            self.carry_out(decisions);
        }
    }

    fn carry_out(&self, decisions: Vec<Decision>) {
        for decision in decisions {
            if !decision.keep {
                self.report.left_out(Signal::Traces, decision.spans, "tail-sampling");
                continue;
            }
            let body = bytes::Bytes::from(decision.request);
            for lane in &self.lanes {
                // Its sender was answered long ago, so nobody is left to keep it.
                if let Err(error) = lane.push(body.clone(), decision.spans) {
                    lane.report.dropped(decision.spans, Loss::QueueFull, &error.to_string());
                }
            }
        }
        let (traces, bytes) = self.sampler.borrow().waiting();
        self.report.tail_waiting(traces, bytes);
    }
}
