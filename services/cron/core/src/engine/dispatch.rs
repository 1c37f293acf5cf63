//! Starting attempts, as many at once as may be in flight.

use std::cmp::Reverse;
use std::time::Duration;

use super::Engine;
use crate::action::{Action, Start};
use crate::moment::Now;
use crate::record::Record;
use crate::run::{End, Phase, Reason, Run, RunKey};

impl Engine {
    /// Puts failed runs whose back-off is over in line again.
    pub(super) fn wake_backoffs(&mut self, now: Now) {
        while let Some(Reverse((until, _))) = self.backoffs.peek() {
            if *until > now.steady {
                return;
            }
            let Some(Reverse((until, key))) = self.backoffs.pop() else {
                return;
            };
            // The run may have been replaced meanwhile.
            let waits = |run: &Run| matches!(run.phase, Phase::Backoff { until: other, .. } if other == until);
            if self.run(key).is_some_and(waits) {
                self.make_ready(key);
            }
        }
    }

    /// Starts attempts while there is room for callbacks.
    pub(super) fn dispatch(&mut self, now: Now, actions: &mut Vec<Action>) {
        while self.in_flight < self.limits.in_flight {
            let Some(key) = self.next_in_line() else { return };
            let ready = self.run(key).filter(|run| run.phase == Phase::Ready);
            let Some(run) = ready.cloned() else { continue };
            if self.is_poisonous(key.job) {
                self.set_phase(key, Phase::Queued);
                continue;
            }
            if self.is_expired(key, &run, now) {
                self.finish_idle(key, End::Expired, None, actions);
                let (job, scheduled, reason) = (key.job, key.scheduled, Reason::Deadline);
                actions.push(Action::Missed {
                    job,
                    scheduled,
                    count: 1,
                    reason,
                });
                self.pump(key.job);
                continue;
            }
            if let Some(max_age) = self.is_too_old(key, &run, now) {
                let error = format!("no other attempt could start within {max_age:?}");
                self.finish_idle(key, End::Failed, Some(error.into()), actions);
                self.pump(key.job);
                continue;
            }
            self.start(key, &run, now, actions);
        }
    }

    fn next_in_line(&mut self) -> Option<RunKey> {
        if let Some(key) = self.ready.pop_front() {
            return Some(key);
        }
        if self.suspect_in_flight.is_some() {
            return None;
        }
        self.suspects.pop_front()
    }

    /// Whether a run has waited for longer than its job's deadline. Later attempts have the retry policy's age instead.
    fn is_expired(&self, key: RunKey, run: &Run, now: Now) -> bool {
        let Some(job) = self.job(key.job) else { return false };
        let late = now.wall.since(run.scheduled.plus(job.offset()));
        run.attempt() == 1 && run.origin.is_scheduled() && job.policy.deadline.is_some_and(|deadline| late > deadline)
    }

    /// Within which time a run that has failed may be tried again, if that is over: it may have waited for other callbacks
    /// to end, or for the service to come back.
    fn is_too_old(&self, key: RunKey, run: &Run, now: Now) -> Option<Duration> {
        let max_age = self.job(key.job)?.policy.retry.max_age;
        (run.failed > 0 && now.wall.since(run.claimed) > max_age).then_some(max_age)
    }

    fn start(&mut self, key: RunKey, run: &Run, now: Now, actions: &mut Vec<Action>) {
        let (Some(job), Some(state)) = (self.job(key.job), self.job_state(key.job)) else {
            return;
        };
        let start = Start {
            key,
            due: if run.origin.is_scheduled() {
                key.scheduled.plus(job.offset())
            } else {
                run.claimed
            },
            actual: now.wall,
            attempt: run.attempt(),
            missed: run.missed,
            last_success: state.last_success,
            timeout: job.policy.timeout,
        };
        if run.interrupted >= super::recover::SUSPICIOUS {
            self.suspect_in_flight = Some(key);
        }
        self.in_flight += 1;
        self.commit(&Record::Start {
            job: key.job,
            scheduled: key.scheduled,
            at: now.wall,
        });
        actions.push(Action::Start(start));
    }
}
