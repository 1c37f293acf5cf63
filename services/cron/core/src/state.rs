//! What cron knows of its jobs beyond their configuration: the part that a journal keeps.
//!
//! It changes by [`Record`]s alone, in the running engine and at replay alike, so that a restart comes back to exactly
//! what was.

use std::collections::VecDeque;

use crate::lived::{self, Lived};
use crate::record::Record;
use crate::run::{End, JobId, Phase, Run, Suspension};
use crate::{Moment, record};

/// Runs remembered for the admin page, per job.
const REMEMBERED: usize = 5;

/// A run that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// When it was due.
    pub scheduled: Moment,
    /// How long its last attempt took, in milliseconds.
    pub milliseconds: u32,
    /// The number of its last attempt.
    pub attempt: u32,
    /// How it ended.
    pub end: End,
}

/// Neighbouring ticks of a job that were claimed at one instant and lie before the stretch of time that was lived
/// through then: they were made up after a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MadeUp {
    /// When they were claimed, by the wall clock.
    pub at: Moment,
    /// The first of them.
    pub from: Moment,
    /// The last.
    pub to: Moment,
}

/// What is known of one job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobState {
    /// The newest tick that was claimed.
    pub last_scheduled: Option<Moment>,
    /// The ticks that were claimed outside of the time that was lived through: with it, all that must not fire when the
    /// clock shows their time once more. Of those of many gaps the newest.
    pub made_up: Vec<MadeUp>,
    /// The newest run that succeeded, by its scheduled time.
    pub last_success: Option<Moment>,
    /// Ticks claimed in all.
    pub runs: u64,
    /// Ticks gone by without a run since the last claim.
    pub missed: u32,
    /// Dead letters since the last success.
    pub failures: u32,
    /// Whether it has no ticks until it is resumed, and why.
    pub suspended: Option<Suspension>,
    /// Runs that are not over, oldest first.
    pub active: Vec<Run>,
    /// Runs that are over, newest last.
    pub past: VecDeque<Past>,
    /// The last error of a failed attempt.
    pub last_error: Option<Box<str>>,
}

impl JobState {
    /// The run of this scheduled time that is not over.
    pub fn run(&self, scheduled: Moment) -> Option<&Run> {
        self.active.iter().find(|run| run.scheduled == scheduled)
    }

    pub(crate) fn run_mut(&mut self, scheduled: Moment) -> Option<&mut Run> {
        self.active.iter_mut().find(|run| run.scheduled == scheduled)
    }

    /// The last of the ticks that were made up together with this one, none if it was not made up.
    pub(crate) fn made_up_to(&self, scheduled: Moment) -> Option<Moment> {
        let holds = |ticks: &&MadeUp| ticks.from <= scheduled && scheduled <= ticks.to;
        self.made_up.iter().filter(holds).map(|ticks| ticks.to).max()
    }

    fn make_up(&mut self, claim: &record::Claim) {
        let scheduled = claim.scheduled;
        match self.made_up.last_mut().filter(|last| last.at == claim.at) {
            Some(last) => {
                last.from = last.from.min(scheduled);
                last.to = last.to.max(scheduled);
            }
            None => {
                if self.made_up.len() == lived::REMEMBERED {
                    self.made_up.remove(0);
                }
                self.made_up.push(MadeUp {
                    at: claim.at,
                    from: scheduled,
                    to: scheduled,
                });
            }
        }
    }

    fn finish(&mut self, finish: &record::Finish) {
        let Some(position) = self.active.iter().position(|run| run.scheduled == finish.scheduled) else {
            return;
        };
        let run = self.active.remove(position);
        match finish.end {
            End::Succeeded => {
                self.failures = 0;
                newest(&mut self.last_success, run.scheduled, run.claimed);
            }
            end if end.is_failure() => self.failures = self.failures.saturating_add(1),
            End::Vetoed | End::Expired => self.missed = self.missed.saturating_add(1),
            _ => {}
        }
        if let Some(error) = &finish.error {
            self.last_error = Some(error.clone());
        }
        if self.past.len() == REMEMBERED {
            self.past.pop_front();
        }
        self.past.push_back(Past {
            scheduled: run.scheduled,
            milliseconds: u32::try_from(finish.duration.as_millis()).unwrap_or(u32::MAX),
            attempt: run.last_attempt(),
            end: finish.end,
        });
    }
}

/// Keeps the newer of two scheduled times. One that is later than now was written by a clock that was wrong, and gives
/// way.
fn newest(known: &mut Option<Moment>, scheduled: Moment, now: Moment) {
    if known.is_none_or(|known| known < scheduled || known > now) {
        *known = Some(scheduled);
    }
}

/// What is known of all jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// By [`JobId`].
    pub jobs: Vec<JobState>,
    /// The time that was lived through.
    pub lived: Lived,
}

impl State {
    /// Nothing known of `jobs` jobs, and life begins at `now`.
    pub fn new(jobs: usize, now: Moment) -> Self {
        Self {
            jobs: vec![JobState::default(); jobs],
            lived: Lived::begin(now),
        }
    }

    /// What is known of a job.
    pub fn job(&self, id: JobId) -> Option<&JobState> {
        self.jobs.get(id.0 as usize)
    }

    pub(crate) fn job_mut(&mut self, id: JobId) -> Option<&mut JobState> {
        self.jobs.get_mut(id.0 as usize)
    }

    /// Makes the change that a record tells of. Records of jobs or runs that are not known change nothing.
    pub fn apply(&mut self, record: &Record) {
        match record {
            Record::Time { now } => {
                self.lived.advance(*now);
            }
            Record::Claim(claim) => self.claim(claim),
            Record::Start { job, scheduled, at } => {
                if let Some(run) = self.job_mut(*job).and_then(|state| state.run_mut(*scheduled)) {
                    run.phase = Phase::Running { since: *at };
                }
            }
            Record::Retry(retry) => {
                let Some(state) = self.job_mut(retry.job) else { return };
                let Some(run) = state.run_mut(retry.scheduled) else {
                    return;
                };
                run.phase = Phase::Backoff {
                    until: retry.until,
                    due: retry.due,
                };
                if retry.interrupted {
                    run.interrupted = run.interrupted.saturating_add(1);
                } else {
                    run.failed = run.failed.saturating_add(1);
                    state.last_error = Some(retry.error.clone());
                }
            }
            Record::Finish(finish) => {
                if let Some(state) = self.job_mut(finish.job) {
                    state.finish(finish);
                }
            }
            Record::Miss { job, count, .. } => {
                if let Some(state) = self.job_mut(*job) {
                    state.missed = state.missed.saturating_add(*count);
                }
            }
            Record::Suspend { job, why } => {
                if let Some(state) = self.job_mut(*job) {
                    state.suspended = *why;
                    if why.is_none() {
                        state.failures = 0;
                    }
                }
            }
        }
    }

    fn claim(&mut self, claim: &record::Claim) {
        // At replay the time of the turn is known only after its claims.
        let lived_from = self.lived.begin_at(claim.at);
        let Some(state) = self.job_mut(claim.job) else { return };
        let missed = std::mem::take(&mut state.missed);
        if claim.origin.is_scheduled() {
            newest(&mut state.last_scheduled, claim.scheduled, claim.at);
            if claim.scheduled < lived_from {
                state.make_up(claim);
            }
            state.runs = state.runs.saturating_add(1);
        }
        state.active.push(Run {
            scheduled: claim.scheduled,
            claimed: claim.at,
            failed: 0,
            interrupted: 0,
            missed,
            origin: claim.origin,
            phase: Phase::Queued,
        });
    }
}
