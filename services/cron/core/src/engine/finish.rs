//! What an outcome leads to: the end, another attempt, a dead letter.

use std::cmp::Reverse;
use std::time::Duration;

use super::Engine;
use crate::action::{Action, Finished};
use crate::hash;
use crate::journal::ERROR_BYTES;
use crate::moment::Now;
use crate::record::{Finish, Record, Retry};
use crate::run::{End, JobId, Outcome, Phase, Reason, Run, RunKey, Suspension};

impl Engine {
    /// An attempt that [`Action::Start`] asked for is over: what became of it and how long it took.
    ///
    /// The actions here only tell; the next [`Engine::poll`] starts what can start now.
    pub fn finished(&mut self, key: RunKey, outcome: Outcome, took: Duration, now: Now, actions: &mut Vec<Action>) {
        let Some(run) = self.run(key) else { return };
        let cancelling = run.phase == Phase::Cancelling;
        if !cancelling && !matches!(run.phase, Phase::Running { .. }) {
            return;
        }
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.suspect_in_flight == Some(key) {
            self.suspect_in_flight = None;
        }
        let finish = |end, error| Finish {
            job: key.job,
            scheduled: key.scheduled,
            end,
            duration: took,
            error,
        };
        match outcome {
            Outcome::Succeeded => self.end_run(finish(End::Succeeded, None), actions),
            _ if cancelling => self.end_run(finish(End::Replaced, None), actions),
            Outcome::Cancelled => self.end_run(finish(End::Replaced, None), actions),
            Outcome::Vetoed(reason) => {
                self.end_run(finish(End::Vetoed, Some(shorten(&reason))), actions);
                let (job, scheduled, reason) = (key.job, key.scheduled, Reason::Veto);
                actions.push(Action::Missed {
                    job,
                    scheduled,
                    count: 1,
                    reason,
                });
            }
            Outcome::Reject(error) => self.end_run(finish(End::Failed, Some(shorten(&error))), actions),
            Outcome::Retry(error) => self.retry_or(finish(End::Failed, Some(shorten(&error))), now, actions),
            Outcome::TimedOut => {
                let timeout = self.job(key.job).map(|job| job.policy.timeout).unwrap_or_default();
                let error = format!("no result within {timeout:?}");
                self.retry_or(finish(End::TimedOut, Some(error.into())), now, actions);
            }
        }
        self.pump(key.job);
    }

    /// Tries again later, or ends the run if attempts or age have run out.
    fn retry_or(&mut self, finish: Finish, now: Now, actions: &mut Vec<Action>) {
        let key = RunKey {
            job: finish.job,
            scheduled: finish.scheduled,
        };
        let (Some(run), Some(job)) = (self.run(key), self.job(key.job)) else {
            return;
        };
        let (retry, failures, attempt) = (job.policy.retry, run.failed.saturating_add(1), run.attempt());
        let delay = retry.delay(failures, spread(&job.name, key, attempt));
        let age = now.wall.since(run.claimed).saturating_add(delay);
        if failures > retry.retries || age > retry.max_age {
            self.end_run(finish, actions);
            return;
        }
        let error = finish.error.unwrap_or_default();
        self.back_off(key, delay, now, false, error.clone());
        actions.push(Action::Retrying {
            key,
            attempt,
            delay,
            error,
        });
    }

    /// Waits for `delay` before the next attempt.
    pub(super) fn back_off(&mut self, key: RunKey, delay: Duration, now: Now, interrupted: bool, error: Box<str>) {
        let until = now.steady.saturating_add(delay);
        let RunKey { job, scheduled } = key;
        self.commit(&Record::Retry(Retry {
            job,
            scheduled,
            until,
            due: now.wall.plus(delay),
            interrupted,
            error,
        }));
        self.backoffs.push(Reverse((until, key)));
    }

    /// Ends a run for good, and suspends its job if it took the service down, or failed and is to pause then.
    pub(super) fn end_run(&mut self, finish: Finish, actions: &mut Vec<Action>) {
        let key = RunKey {
            job: finish.job,
            scheduled: finish.scheduled,
        };
        let attempt = self.run(key).map_or(0, Run::last_attempt);
        self.commit(&Record::Finish(finish.clone()));
        let why = self.suspension(key.job, finish.end);
        if why.is_some() {
            self.set_suspended(key.job, why);
        }
        actions.push(Action::Finished(Finished {
            key,
            attempt,
            end: finish.end,
            duration: finish.duration,
            error: finish.error,
            next: self.next_tick(key.job),
        }));
        if let Some(why) = why {
            actions.push(Action::Suspended { job: key.job, why });
        }
    }

    /// Why a run that ends like this suspends its job; none if it does not, or is suspended as it is.
    fn suspension(&self, job: JobId, end: End) -> Option<Suspension> {
        let suspended = self.job_state(job)?.suspended;
        // The next run would take the service down like this one: hosts restart a service only so many times.
        let why = if end == End::Interrupted {
            Suspension::Interrupted
        } else if end.is_failure() && self.job(job)?.policy.pause_on_failure {
            Suspension::Failure
        } else {
            return None;
        };
        let is_worse = suspended.is_none() || why == Suspension::Interrupted;
        (is_worse && suspended != Some(why)).then_some(why)
    }

    pub(super) fn set_suspended(&mut self, job: JobId, why: Option<Suspension>) {
        self.commit(&Record::Suspend { job, why });
        if why.is_some() {
            self.set_next(job, None);
        }
    }

    /// Whether the job has no ticks for now, by its configuration or until it is resumed.
    pub(super) fn is_suspended(&self, job: JobId) -> bool {
        let by_configuration = self.job(job).is_none_or(|job| job.policy.suspend);
        by_configuration || self.job_state(job).is_none_or(|state| state.suspended.is_some())
    }

    /// Whether the job was found to take the service down.
    pub(super) fn is_poisonous(&self, job: JobId) -> bool {
        self.job_state(job)
            .is_some_and(|state| state.suspended == Some(Suspension::Interrupted))
    }
}

/// The same number for the same attempt, everywhere.
pub(super) fn spread(job: &str, key: RunKey, attempt: u32) -> u64 {
    let scheduled = key.scheduled.as_nanoseconds().to_le_bytes();
    hash::stable(&[b"back-off", job.as_bytes(), &scheduled, &attempt.to_le_bytes()])
}

/// Cuts a component's error to what is kept of it, between two characters.
fn shorten(error: &str) -> Box<str> {
    if error.len() <= ERROR_BYTES {
        return error.into();
    }
    let end = (0..=ERROR_BYTES)
        .rev()
        .find(|end| error.is_char_boundary(*end))
        .unwrap_or(0);
    let mut short = error.get(..end).unwrap_or_default().to_owned();
    short.push('\u{2026}');
    short.into()
}
