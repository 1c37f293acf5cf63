//! Why there is no connection.

use std::fmt;
use std::time::Duration;

/// Why someone gets no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AcquireError {
    /// The time was up.
    #[error("no connection within {}{}", Shown(.waited), detail(*.open, .last))]
    TimedOut {
        /// How long it waited.
        waited: Duration,
        /// Connections that others had.
        open: usize,
        /// What the last connect failed with, if connects fail.
        last: Option<String>,
    },
    /// Too many wait already.
    #[error("{waiting} wait for a connection already")]
    QueueFull {
        /// How many.
        waiting: usize,
    },
    /// Every address has failed so often that all are left alone for a while.
    #[error("the upstream is left alone for another {} after it failed too often: {last}", Shown(.retry_in))]
    CircuitOpen {
        /// When one is tried again.
        retry_in: Duration,
        /// What the last connect failed with.
        last: String,
    },
    /// The upstream does not want the service's credentials.
    #[error("{0}")]
    Rejected(String),
    /// An operator drains the pool.
    #[error("the pool is being drained")]
    Draining,
}

impl AcquireError {
    /// As metrics name it.
    pub fn label(&self) -> &'static str {
        match self {
            Self::TimedOut { .. } => "timeout",
            Self::QueueFull { .. } => "queue-full",
            Self::CircuitOpen { .. } => "circuit-open",
            Self::Rejected(_) => "rejected",
            Self::Draining => "draining",
        }
    }
}

/// Why a connect failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectFailure {
    /// The upstream could not be reached, or broke off.
    Unreachable(String),
    /// The upstream was reached and does not want this client, whoever asks and how often.
    Rejected(String),
}

impl ConnectFailure {
    /// Whether trying again is of no use until someone changes something.
    pub fn is_rejection(&self) -> bool {
        matches!(self, Self::Rejected(_))
    }
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(text) | Self::Rejected(text) => f.write_str(text),
        }
    }
}

/// A duration to the millisecond: what people compare with a setting.
struct Shown<'a>(&'a Duration);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        write!(f, "{:?}", Duration::from_millis(millis))
    }
}

/// What explains a timeout.
fn detail(open: usize, last: &Option<String>) -> String {
    match last {
        Some(last) => format!(", connects fail: {last}"),
        None => format!(", others have all {open}"),
    }
}
