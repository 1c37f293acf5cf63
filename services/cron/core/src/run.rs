//! Runs: one tick of one job, from its claim to its end.

use std::time::Duration;

use crate::Moment;

/// A job's place in the engine's list. Valid for one engine; across restarts jobs are known by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u32);

/// Names a run within one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey {
    /// The job.
    pub job: JobId,
    /// When the run was due by its schedule.
    pub scheduled: Moment,
}

/// The run's identity to the outside: the same in every replica and after every restart.
pub fn run_id(job: &str, scheduled: Moment) -> String {
    format!("{job}@{scheduled}")
}

/// Where a run comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Its tick was due.
    Tick,
    /// Its tick was missed and is made up. Such runs of a job go one after the other.
    CatchUp,
    /// Somebody asked for it now.
    Manual,
    /// Somebody asked for the ticks of a range. Such runs go one after the other too.
    Backfill,
}

impl Origin {
    /// Whether runs of this origin are started one after the other, whatever the overlap policy says.
    pub(crate) fn in_turn(self) -> bool {
        matches!(self, Self::CatchUp | Self::Backfill)
    }

    /// Whether the run counts against `max_runs` and moves the schedule on.
    pub(crate) fn is_scheduled(self) -> bool {
        matches!(self, Self::Tick | Self::CatchUp)
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Claimed; waits for its job's turn.
    Queued,
    /// Its job's turn has come; waits for one of the callbacks in flight to end.
    Ready,
    /// Its callback is in flight.
    Running {
        /// When the callback was started, by the wall clock.
        since: Moment,
    },
    /// Its callback was asked to stop, so that a newer run can take its place.
    Cancelling,
    /// The last attempt failed; the next is due at this point of the steady clock.
    Backoff {
        /// When the next attempt is due. A service that starts finds it by `due`.
        until: Duration,
        /// The same by the wall clock.
        due: Moment,
    },
}

/// A run that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// When it was due by its schedule. With the job, its identity.
    pub scheduled: Moment,
    /// When it was claimed, by the wall clock.
    pub claimed: Moment,
    /// Attempts that returned an error or timed out.
    pub failed: u32,
    /// Attempts that ended with the service: by a trap, a kill, a power cut.
    pub interrupted: u32,
    /// Ticks of the job that went by without a run before this one.
    pub missed: u32,
    /// Where it comes from.
    pub origin: Origin,
    /// How far it is.
    pub phase: Phase,
}

impl Run {
    /// The number of the current or next attempt: 1 at first.
    pub fn attempt(&self) -> u32 {
        self.failed.saturating_add(self.interrupted).saturating_add(1)
    }

    /// The number of the last attempt that was started, 0 if none was.
    pub fn last_attempt(&self) -> u32 {
        match self.phase {
            Phase::Running { .. } | Phase::Cancelling => self.attempt(),
            Phase::Queued | Phase::Ready | Phase::Backoff { .. } => self.attempt() - 1,
        }
    }

    /// Whether its callback may be in flight, or will be again without a turn.
    pub(crate) fn is_under_way(&self) -> bool {
        self.phase != Phase::Queued
    }
}

/// What the service reports of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The job returned `ok`.
    Succeeded,
    /// The job asks for another attempt.
    Retry(String),
    /// The job says that another attempt is no use.
    Reject(String),
    /// The attempt ran into the job's timeout and was cancelled.
    TimedOut,
    /// The attempt was cancelled as [`crate::Action::Cancel`] asked.
    Cancelled,
    /// The gate said no.
    Vetoed(String),
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// The job returned `ok`.
    Succeeded,
    /// The last attempt failed, and there is no other.
    Failed,
    /// The last attempt timed out, and there is no other.
    TimedOut,
    /// The service ended during each of the last attempts.
    Interrupted,
    /// A newer run took its place.
    Replaced,
    /// The gate said no.
    Vetoed,
    /// It could not start within its deadline.
    Expired,
}

impl End {
    /// All of them, for metrics.
    pub const ALL: [Self; 7] = [
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Interrupted,
        Self::Replaced,
        Self::Vetoed,
        Self::Expired,
    ];

    /// As logs, metrics and the journal write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
            Self::Interrupted => "interrupted",
            Self::Replaced => "replaced",
            Self::Vetoed => "vetoed",
            Self::Expired => "expired",
        }
    }

    /// Whether somebody should look at it: the run is a dead letter.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut | Self::Interrupted)
    }
}

/// Why a job has no ticks until it is resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspension {
    /// An operator asked for it.
    Operator,
    /// A run failed for good, and the job is to pause then.
    Failure,
    /// A run took the service down, again and again. Runs that are not over wait, too.
    Interrupted,
}

/// Why ticks went by without a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Nobody was there when they were due, and the misfire policy does not make them up.
    Misfire,
    /// The run before was still going on.
    Overlap,
    /// Too many runs of the job were waiting.
    QueueFull,
    /// They could not start within the job's deadline.
    Deadline,
    /// The gate said no.
    Veto,
}

impl Reason {
    /// All of them, for metrics.
    pub const ALL: [Self; 5] = [
        Self::Misfire,
        Self::Overlap,
        Self::QueueFull,
        Self::Deadline,
        Self::Veto,
    ];

    /// As logs, metrics and the journal write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Misfire => "misfire",
            Self::Overlap => "overlap",
            Self::QueueFull => "queue-full",
            Self::Deadline => "deadline",
            Self::Veto => "veto",
        }
    }
}
