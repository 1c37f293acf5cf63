//! What the engine asks of the service.

use std::time::Duration;

use crate::Moment;
use crate::run::{End, JobId, Reason, RunKey, Suspension};

/// Something to do, or to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start an attempt, and report its outcome with [`crate::Engine::finished`].
    Start(Start),
    /// Cancel the attempt in flight, and report [`crate::Outcome::Cancelled`] when it is gone.
    Cancel(RunKey),
    /// Tell that an attempt failed and when the next one is due.
    Retrying {
        /// The run.
        key: RunKey,
        /// The number of the attempt that failed.
        attempt: u32,
        /// How long until the next one.
        delay: Duration,
        /// The error.
        error: Box<str>,
    },
    /// Tell that a run is over.
    Finished(Finished),
    /// Tell that ticks went by without a run.
    Missed {
        /// The job.
        job: JobId,
        /// The newest of them.
        scheduled: Moment,
        /// How many, at least if 1,000 or more.
        count: u32,
        /// Why.
        reason: Reason,
    },
    /// Tell that the end of a run suspended the job.
    Suspended {
        /// The job.
        job: JobId,
        /// Why: never [`Suspension::Operator`].
        why: Suspension,
    },
    /// Tell that the wall clock went back.
    ClockBack {
        /// How far.
        by: Duration,
        /// When ticks are due again: none if at once.
        resumes: Option<Moment>,
    },
}

/// An attempt to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The run.
    pub key: RunKey,
    /// When it was due: its scheduled time and the job's jitter.
    pub due: Moment,
    /// When it is started, by the wall clock.
    pub actual: Moment,
    /// 1 at first.
    pub attempt: u32,
    /// Ticks that went by without a run before this one.
    pub missed: u32,
    /// The newest run that succeeded, by its scheduled time.
    pub last_success: Option<Moment>,
    /// How long the attempt may take.
    pub timeout: Duration,
}

/// A run that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The run.
    pub key: RunKey,
    /// The number of the last attempt.
    pub attempt: u32,
    /// How it ended. An end that [`End::is_failure`] makes it a dead letter.
    pub end: End,
    /// How long the last attempt took.
    pub duration: Duration,
    /// The last error, or the gate's reason.
    pub error: Option<Box<str>>,
    /// When the job is scheduled next, none if never.
    pub next: Option<Moment>,
}
