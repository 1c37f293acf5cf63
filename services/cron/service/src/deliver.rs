//! Events to the component that wants them: in order, in batches, one call at a time.

use std::rc::Rc;
use std::time::Duration;

use mainstay_cron_core::action::{Action, Finished, Start};
use mainstay_cron_core::run::Reason;
use mainstay_cron_core::trace::Traces;
use mainstay_cron_core::{End, Engine, Job, JobId, Moment, run_id};
use mainstay_runtime::callback::Callbacks;
use mainstay_runtime::metrics::Registry;
use mainstay_runtime::queue::{Limits, Queue, WhenFull};

use crate::component::{Component, event_instant};
use crate::events::{self, Event, Kinds};

/// The most events in one call.
const BATCH: usize = 256;

/// How long one call may take before its events are given up.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Events on their way.
pub(crate) struct Deliver {
    wanted: Kinds,
    traces: Traces,
    queue: Queue<Event>,
}

impl Deliver {
    /// Sends events of the kinds that are `wanted` from now on; with none, nothing is set up.
    pub(crate) fn start<C: Component>(
        component: Rc<C>,
        wanted: Kinds,
        traces: Traces,
        metrics: &Registry,
    ) -> Option<Self> {
        if wanted.is_empty() {
            return None;
        }
        let limits = Limits {
            name: "cron-events",
            items: 10_000,
            bytes: 16 << 20,
            when_full: WhenFull::DropOldest,
        };
        let queue = Queue::new(limits, metrics);
        tokio::task::spawn_local(send(component, queue.clone()));
        Some(Self { wanted, traces, queue })
    }

    /// Puts in line what the component wants to know of an action.
    pub(crate) fn tell(&self, action: &Action, engine: &Engine) {
        match action {
            Action::Start(start) if self.wanted.contains(Kinds::STARTED) => {
                self.push(engine, start.key.job, 0, |job| {
                    Event::Started(started(job, start, self.traces))
                });
            }
            Action::Missed {
                job,
                scheduled,
                count,
                reason,
            } if self.wanted.contains(Kinds::MISSED) => {
                self.push(engine, *job, 0, |job| {
                    Event::Missed(missed(job, *scheduled, *count, *reason))
                });
            }
            Action::Finished(over) => {
                // A run that never started because it was late or vetoed is told of as missed.
                let ran = !matches!(over.end, End::Vetoed | End::Expired);
                let error = over.error.as_deref().map_or(0, str::len);
                if ran && self.wanted.contains(Kinds::FINISHED) {
                    self.push(engine, over.key.job, error, |job| {
                        Event::Finished(finished(job, over, self.traces))
                    });
                }
                if over.end.is_failure() && self.wanted.contains(Kinds::DEAD_LETTER) {
                    let payload = engine.job(over.key.job).map_or(0, |job| job.payload.len());
                    self.push(engine, over.key.job, error + payload, |job| {
                        Event::DeadLetter(dead_letter(job, over))
                    });
                }
            }
            _ => {}
        }
    }

    /// `more` is what it holds beside names and numbers, in bytes.
    fn push(&self, engine: &Engine, id: JobId, more: usize, event: impl FnOnce(&Job) -> Event) {
        let Some(job) = engine.job(id) else { return };
        let bytes = 200 + 2 * job.name.len() + more;
        // A full queue drops its oldest and counts them; nothing larger than the whole queue exists.
        let _ = self.queue.try_push(event(job), bytes);
    }
}

async fn send<C: Component>(component: Rc<C>, queue: Queue<Event>) {
    let callbacks = Callbacks::new(1);
    while let Some(first) = queue.pop().await {
        let mut batch = vec![first];
        batch.extend(std::iter::from_fn(|| queue.try_pop()).take(BATCH - 1));
        let count = batch.len();
        if let Err(error) = callbacks.call(TIMEOUT, component.deliver(batch)).await {
            tracing::warn!(count, "events are lost: {error}");
        }
    }
}

fn started(job: &Job, start: &Start, traces: Traces) -> events::Started {
    let run_id = run_id(&job.name, start.key.scheduled);
    events::Started {
        job: job.name.to_string(),
        scheduled: event_instant(start.key.scheduled),
        actual: event_instant(start.actual),
        attempt: start.attempt,
        traceparent: traces.traceparent(&run_id, start.attempt),
        run_id,
    }
}

fn missed(job: &Job, scheduled: Moment, count: u32, reason: Reason) -> events::Missed {
    let reason = match reason {
        Reason::Misfire => events::Reason::Misfire,
        Reason::Overlap => events::Reason::Overlap,
        Reason::QueueFull => events::Reason::QueueFull,
        Reason::Deadline => events::Reason::Deadline,
        Reason::Veto => events::Reason::Veto,
    };
    events::Missed {
        job: job.name.to_string(),
        scheduled: event_instant(scheduled),
        count,
        reason,
    }
}

fn finished(job: &Job, over: &Finished, traces: Traces) -> events::Finished {
    let error = || over.error.as_deref().unwrap_or_default().to_owned();
    let run_id = run_id(&job.name, over.key.scheduled);
    events::Finished {
        job: job.name.to_string(),
        scheduled: event_instant(over.key.scheduled),
        attempt: over.attempt,
        traceparent: traces.traceparent(&run_id, over.attempt),
        run_id,
        outcome: match over.end {
            End::Succeeded => events::Outcome::Succeeded,
            End::TimedOut => events::Outcome::TimedOut,
            End::Replaced => events::Outcome::Replaced,
            End::Failed | End::Interrupted | End::Vetoed | End::Expired => events::Outcome::Failed(error()),
        },
        duration: u64::try_from(over.duration.as_nanos()).unwrap_or(u64::MAX),
        next: over.next.map(event_instant),
    }
}

fn dead_letter(job: &Job, over: &Finished) -> events::DeadLetter {
    events::DeadLetter {
        job: job.name.to_string(),
        run_id: run_id(&job.name, over.key.scheduled),
        scheduled: event_instant(over.key.scheduled),
        attempts: over.attempt,
        error: over.error.as_deref().unwrap_or_default().to_owned(),
        payload: job.payload.to_vec(),
    }
}
