//! The changes of state that a journal keeps, one by one.

use std::time::Duration;

use crate::Moment;
use crate::run::{End, JobId, Origin, Reason, Suspension};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// All ticks up to now are decided on: the changes before this one say how.
    Time {
        /// By the wall clock.
        now: Moment,
    },
    /// A tick becomes a run.
    Claim(Claim),
    /// An attempt starts. Written before the callback, so that one that takes the service down is counted.
    Start {
        /// The job.
        job: JobId,
        /// The run.
        scheduled: Moment,
        /// When, by the wall clock.
        at: Moment,
    },
    /// An attempt failed, and there will be another.
    Retry(Retry),
    /// A run is over.
    Finish(Finish),
    /// Ticks went by without a run.
    Miss {
        /// The job.
        job: JobId,
        /// The newest of them.
        scheduled: Moment,
        /// How many.
        count: u32,
        /// Why.
        reason: Reason,
    },
    /// A job is suspended or goes on.
    Suspend {
        /// The job.
        job: JobId,
        /// Why it is suspended now, none if it is not.
        why: Option<Suspension>,
    },
}

/// A tick becomes a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The job.
    pub job: JobId,
    /// When the tick was due by its schedule.
    pub scheduled: Moment,
    /// When it is claimed, by the wall clock.
    pub at: Moment,
    /// Where the run comes from.
    pub origin: Origin,
}

/// An attempt failed, and there will be another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The job.
    pub job: JobId,
    /// The run.
    pub scheduled: Moment,
    /// When the next attempt is due, by the steady clock. Not kept.
    pub until: Duration,
    /// The same by the wall clock.
    pub due: Moment,
    /// The attempt did not fail: the service ended during it.
    pub interrupted: bool,
    /// The error, at most [`crate::journal::ERROR_BYTES`].
    pub error: Box<str>,
}

/// A run is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// The job.
    pub job: JobId,
    /// The run.
    pub scheduled: Moment,
    /// How it ended.
    pub end: End,
    /// How long the last attempt took.
    pub duration: Duration,
    /// The error of a run that failed.
    pub error: Option<Box<str>>,
}
