//! What an operator asks for: run now, suspend, resume, backfill.

use super::Engine;
use crate::moment::{Moment, Now};
use crate::run::{JobId, Origin, Reason, RunKey, Suspension};

/// The most ticks that one backfill runs.
const BACKFILL_MOST: usize = 1000;

/// A request that cannot be met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperateError {
    /// Its overlap policy does not let the job run now.
    #[error("a run of it is going on, and its overlap policy allows no other ({})", .0.as_str())]
    Busy(Reason),
    /// The configuration suspends the job, which an operator cannot undo.
    #[error("its configuration suspends it; set suspend = false there")]
    SuspendedByConfiguration,
    /// It was found to take the service down.
    #[error("a run of it took the service down; resume it first")]
    Poisonous,
    /// The range ends later than now.
    #[error("the range ends at {0}, which is still to come; those ticks fire by themselves")]
    Future(Moment),
    /// The range holds more ticks than one backfill runs.
    #[error("the range holds more than {BACKFILL_MOST} ticks; ask for a shorter one")]
    TooMany,
}

impl Engine {
    /// Starts a run now, outside of the schedule. The run's scheduled time is now.
    ///
    /// # Errors
    /// [`OperateError::Busy`], [`OperateError::Poisonous`].
    pub fn run_now(&mut self, job: JobId, now: Now) -> Result<RunKey, OperateError> {
        if self.is_poisonous(job) {
            return Err(OperateError::Poisonous);
        }
        let mut actions = Vec::new();
        let admitted = self.admit(job, now.wall, Origin::Manual, &mut actions);
        self.pending.append(&mut actions);
        admitted.map_err(OperateError::Busy)?;
        self.claim(job, now.wall, Origin::Manual, now, &mut actions);
        self.pump(job);
        self.pending.append(&mut actions);
        Ok(RunKey {
            job,
            scheduled: now.wall,
        })
    }

    /// Lets no tick of the job run until [`Engine::resume`]. Runs that were claimed go on.
    pub fn suspend(&mut self, job: JobId) {
        if self.job_state(job).is_some_and(|state| state.suspended.is_none()) {
            self.set_suspended(job, Some(Suspension::Operator));
        }
    }

    /// Lets the job's ticks run again, from now on: those that went by are not made up.
    ///
    /// # Errors
    /// [`OperateError::SuspendedByConfiguration`].
    pub fn resume(&mut self, job: JobId, now: Now) -> Result<(), OperateError> {
        if self.job(job).is_some_and(|job| job.policy.suspend) {
            return Err(OperateError::SuspendedByConfiguration);
        }
        if self.job_state(job).is_none_or(|state| state.suspended.is_none()) {
            return Ok(());
        }
        self.set_suspended(job, None);
        let offset = self.job(job).map(crate::job::Job::offset).unwrap_or_default();
        // From the lived time, which a clock that went back is behind of.
        let from = now.wall.max(self.state.lived.current().to);
        let next = self.next_live(job, from.minus(offset));
        self.set_next(job, next);
        self.pump(job);
        Ok(())
    }

    /// Runs the ticks of a range that is past, both ends included, oldest first and one after the other, whether they
    /// ran before or not: their run ids are those of the ticks. Returns how many were added: not those that are going on
    /// already, nor more than a job may have unfinished.
    ///
    /// # Errors
    /// [`OperateError::Future`], [`OperateError::TooMany`], [`OperateError::Poisonous`].
    pub fn backfill(&mut self, job: JobId, from: Moment, to: Moment, now: Now) -> Result<usize, OperateError> {
        if self.is_poisonous(job) {
            return Err(OperateError::Poisonous);
        }
        if to > now.wall {
            return Err(OperateError::Future(to));
        }
        let mut ticks = Vec::new();
        let mut after = from.just_before();
        while let Some(tick) = self
            .job(job)
            .and_then(|job| job.next_after(after))
            .filter(|tick| *tick <= to)
        {
            if ticks.len() == BACKFILL_MOST {
                return Err(OperateError::TooMany);
            }
            ticks.push(tick);
            after = tick;
        }
        let unfinished = |engine: &Self| engine.job_state(job).map_or(0, |state| state.active.len());
        let before = unfinished(self);
        let mut actions = Vec::new();
        for tick in ticks {
            self.claim(job, tick, Origin::Backfill, now, &mut actions);
        }
        let added = unfinished(self) - before;
        self.pump(job);
        self.pending.append(&mut actions);
        Ok(added)
    }

    /// The next ticks of a job, at most `count`: what its schedule and bounds say, suspended or not.
    pub fn upcoming(&self, job: JobId, count: usize, now: Now) -> Vec<Moment> {
        let most = self.job(job).and_then(|job| job.policy.max_runs);
        let left = most.map(|most| most.saturating_sub(self.job_state(job).map_or(0, |state| state.runs)));
        let left = left.map_or(count, |left| usize::try_from(left).unwrap_or(count));
        let count = count.min(left);
        let mut ticks = Vec::with_capacity(count);
        let mut after = now.wall;
        while ticks.len() < count {
            let Some(tick) = self.job(job).and_then(|job| job.next_after(after)) else {
                break;
            };
            ticks.push(tick);
            after = tick;
        }
        ticks
    }
}
