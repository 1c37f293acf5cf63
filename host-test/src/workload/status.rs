//! How a workload is: the truth, and why.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// What a workload is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Not running yet, or waiting to be restarted.
    Starting,
    /// The service runs; without a service: the components can be called.
    Running,
    /// The service has ended by itself and well, or the workload was stopped.
    Completed,
    /// The service failed and its restarts are used up.
    Error,
}

/// The state of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The workload's name.
    pub workload: String,
    /// What it is doing.
    pub state: Phase,
    /// Why, if there is more to say: what failed, and what happens next.
    pub reason: Option<String>,
    /// How often the service has been restarted so far.
    pub restarts: u64,
    /// Calls from one component into another.
    pub calls: Calls,
}

/// Calls into components, counted since the workload started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// Begun.
    pub started: u64,
    /// Ended with an answer.
    pub finished: u64,
    /// Ended with a trap, or at their deadline.
    pub failed: u64,
    /// Given up by the caller before they ended.
    pub cancelled: u64,
}

impl Status {
    /// The status of a workload before anything of it runs.
    #[must_use]
    pub fn starting(workload: &str) -> Self {
        Self {
            workload: workload.to_owned(),
            state: Phase::Starting,
            reason: None,
            restarts: 0,
            calls: Calls::default(),
        }
    }

    /// The status of a workload that could not be started.
    #[must_use]
    pub fn not_started(workload: &str, error: &anyhow::Error) -> Self {
        Self {
            state: Phase::Error,
            reason: Some(format!("{error:#}")),
            ..Self::starting(workload)
        }
    }

    /// Whether nothing will happen any more.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self.state, Phase::Completed | Phase::Error)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Error => "error",
        })
    }
}

impl fmt::Display for Status {
    /// One line: `cron: starting, restart 1 of 3 in 120 ms: callback ... trapped: unreachable`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.workload, self.state)?;
        match &self.reason {
            Some(reason) => write!(f, ", {reason}"),
            None => Ok(()),
        }
    }
}

/// The counts behind [`Calls`], shared by all of a workload's links.
#[derive(Debug, Default)]
pub(super) struct CallCounts {
    pub(super) started: AtomicU64,
    pub(super) finished: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) cancelled: AtomicU64,
}

impl CallCounts {
    /// Counts a call by how it ends.
    pub(super) async fn count<T, E>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.started.fetch_add(1, Ordering::Relaxed);
        let mut ending = Ending(&self.cancelled);
        let answer = call.await;
        ending.0 = if answer.is_ok() { &self.finished } else { &self.failed };
        answer
    }

    pub(super) fn read(&self) -> Calls {
        Calls {
            started: self.started.load(Ordering::Relaxed),
            finished: self.finished.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            cancelled: self.cancelled.load(Ordering::Relaxed),
        }
    }
}

/// The count that a call goes to when it is over, or dropped.
struct Ending<'a>(&'a AtomicU64);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
