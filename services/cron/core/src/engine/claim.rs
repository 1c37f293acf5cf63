//! What the overlap policy makes of a tick, and whose turn it is.

use std::time::Duration;

use super::{Engine, MOST_ACTIVE};
use crate::action::Action;
use crate::moment::{Moment, Now};
use crate::policy::Overlap;
use crate::record::{Claim, Finish, Record};
use crate::run::{End, JobId, Origin, Phase, Reason, Run, RunKey};

impl Engine {
    /// Makes a run of a tick if the job's policies allow it.
    pub(super) fn claim(&mut self, job: JobId, scheduled: Moment, origin: Origin, now: Now, out: &mut Vec<Action>) {
        // Neither is a miss: the tick has its run, or is one too many.
        let has_run = self.run(RunKey { job, scheduled }).is_some();
        if has_run || (origin.is_scheduled() && self.is_spent(job)) {
            return;
        }
        if let Err(reason) = self.admit(job, scheduled, origin, out) {
            self.miss(job, scheduled, 1, reason, out);
            return;
        }
        self.commit(&Record::Claim(Claim {
            job,
            scheduled,
            at: now.wall,
            origin,
        }));
        // The run that used up `max_runs` was the last: there is no next tick.
        if self.is_spent(job) && self.next_tick(job).is_some() {
            self.set_next(job, None);
        }
    }

    /// Whether the job has run as often as it may.
    pub(super) fn is_spent(&self, job: JobId) -> bool {
        let most = self.job(job).and_then(|job| job.policy.max_runs);
        most.is_some_and(|most| self.job_state(job).is_some_and(|state| state.runs >= most))
    }

    /// Whether a run may be added to those that are not over; makes room under [`Overlap::Replace`].
    pub(super) fn admit(
        &mut self,
        id: JobId,
        scheduled: Moment,
        origin: Origin,
        out: &mut Vec<Action>,
    ) -> Result<(), Reason> {
        let (Some(job), Some(state)) = (self.job(id), self.job_state(id)) else {
            return Err(Reason::Misfire);
        };
        if state.run(scheduled).is_some() {
            return Err(Reason::Overlap);
        }
        if state.active.len() >= MOST_ACTIVE {
            return Err(Reason::QueueFull);
        }
        if state.active.is_empty() || origin.in_turn() {
            return Ok(());
        }
        match job.policy.overlap {
            Overlap::Allow => Ok(()),
            Overlap::Forbid => Err(Reason::Overlap),
            Overlap::Queue => {
                let queued = state.active.iter().filter(|run| !run.is_under_way()).count();
                if queued < job.policy.queue {
                    Ok(())
                } else {
                    Err(Reason::QueueFull)
                }
            }
            Overlap::Replace => {
                self.replace(id, out);
                Ok(())
            }
        }
    }

    /// Ends every run of a job: those in flight are cancelled, the others are over at once.
    fn replace(&mut self, id: JobId, out: &mut Vec<Action>) {
        let runs = self.job_state(id).map(|state| state.active.clone()).unwrap_or_default();
        for run in runs {
            let key = RunKey {
                job: id,
                scheduled: run.scheduled,
            };
            match run.phase {
                Phase::Running { .. } => {
                    self.set_phase(key, Phase::Cancelling);
                    out.push(Action::Cancel(key));
                }
                Phase::Cancelling => {}
                Phase::Queued | Phase::Ready | Phase::Backoff { .. } => self.finish_idle(key, End::Replaced, None, out),
            }
        }
    }

    /// Ends a run that has no callback in flight.
    pub(super) fn finish_idle(&mut self, key: RunKey, end: End, error: Option<Box<str>>, out: &mut Vec<Action>) {
        let finish = Finish {
            job: key.job,
            scheduled: key.scheduled,
            end,
            duration: Duration::ZERO,
            error,
        };
        self.end_run(finish, out);
    }

    /// Gives the turn to those runs of a job whose time has come.
    pub(super) fn pump(&mut self, id: JobId) {
        let (Some(job), Some(state)) = (self.job(id), self.job_state(id)) else {
            return;
        };
        if state.active.iter().all(Run::is_under_way) || self.is_poisonous(id) {
            return;
        }
        // Of a job that may be what takes the service down no other run is at risk.
        let in_doubt = state
            .active
            .iter()
            .any(|run| run.interrupted >= super::recover::SUSPICIOUS);
        let keys: Vec<RunKey> = if job.policy.overlap == Overlap::Allow && !in_doubt {
            let mut turn_taken = state
                .active
                .iter()
                .any(|run| run.is_under_way() && run.origin.in_turn());
            let has_turn = |run: &&Run| !run.origin.in_turn() || !std::mem::replace(&mut turn_taken, true);
            let queued = state.active.iter().filter(|run| !run.is_under_way());
            queued
                .filter(has_turn)
                .map(|run| RunKey {
                    job: id,
                    scheduled: run.scheduled,
                })
                .collect()
        } else if state.active.iter().any(Run::is_under_way) {
            return;
        } else {
            state
                .active
                .iter()
                .take(1)
                .map(|run| RunKey {
                    job: id,
                    scheduled: run.scheduled,
                })
                .collect()
        };
        for key in keys {
            self.make_ready(key);
        }
    }

    /// Puts a run in line for a callback.
    pub(super) fn make_ready(&mut self, key: RunKey) {
        self.set_phase(key, Phase::Ready);
        let interrupted = self.run(key).map_or(0, |run| run.interrupted);
        if interrupted >= super::recover::SUSPICIOUS {
            self.suspects.push_back(key);
        } else {
            self.ready.push_back(key);
        }
    }

    /// A run that is not over.
    pub(super) fn run(&self, key: RunKey) -> Option<&Run> {
        self.job_state(key.job)?.run(key.scheduled)
    }

    /// Changes what only this process knows of a run.
    pub(super) fn set_phase(&mut self, key: RunKey, phase: Phase) {
        if let Some(run) = self
            .state
            .job_mut(key.job)
            .and_then(|state| state.run_mut(key.scheduled))
        {
            run.phase = phase;
        }
    }
}
