//! What a job may do beside its schedule: overlap, misfire, bounds, retries.

use std::time::Duration;

use crate::Moment;

/// What happens when a tick is due while a run of the same job is going on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// Both run.
    #[default]
    Allow,
    /// The tick is left out.
    Forbid,
    /// The run that is going on is cancelled, and the tick takes its place.
    Replace,
    /// The tick waits for its turn; at most [`Policy::queue`] wait.
    Queue,
}

/// What happens to ticks that nobody could claim when they were due: the service was down, the machine asleep, the
/// clock set forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Misfire {
    /// They are left out.
    Skip,
    /// The newest of them is made up, the others are left out.
    #[default]
    Once,
    /// All are made up, oldest first and one after the other: at most [`Misfire::CAP`], the newest ones.
    All,
}

impl Misfire {
    /// The most ticks that are made up at once, as in Kubernetes' CronJob controller.
    pub const CAP: usize = 100;
}

/// When and how often a failed run is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts after the first. Attempts that the service's own end interrupted are not counted here.
    pub retries: u32,
    /// The delay before the second attempt; each later one doubles it.
    pub min: Duration,
    /// The longest delay.
    pub max: Duration,
    /// A run that failed is not tried again later than this after it was claimed.
    pub max_age: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            retries: 3,
            min: Duration::from_secs(1),
            max: Duration::from_secs(60),
            max_age: Duration::from_secs(60 * 60),
        }
    }
}

impl Retry {
    /// How long to wait before the attempt that follows `failures` failed ones: half the exponential delay, and a
    /// part of the other half that `spread` (a hash of the run) picks, so that jobs that failed together come back
    /// apart.
    pub fn delay(&self, failures: u32, spread: u64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let full = self.min.saturating_mul(1_u32 << doublings).min(self.max);
        let half = full / 2;
        let part = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX).max(1);
        half + Duration::from_nanos(spread % part)
    }
}

/// How a job runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What happens when a tick is due while a run is going on.
    pub overlap: Overlap,
    /// How many runs may wait for their turn under [`Overlap::Queue`].
    pub queue: usize,
    /// What happens to ticks that nobody could claim.
    pub misfire: Misfire,
    /// How late a run may start, none for any.
    pub deadline: Option<Duration>,
    /// Runs start later than scheduled by a part of this that is the job's own and never changes.
    pub jitter: Duration,
    /// No tick before this.
    pub start: Option<Moment>,
    /// No tick after this.
    pub end: Option<Moment>,
    /// How many ticks are run in all.
    pub max_runs: Option<u64>,
    /// The job's ticks do not run.
    pub suspend: bool,
    /// A dead letter suspends the job.
    pub pause_on_failure: bool,
    /// Times without ticks.
    pub exclusions: Exclusions,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// When and how often a failed run is tried again.
    pub retry: Retry,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            overlap: Overlap::default(),
            queue: 10,
            misfire: Misfire::default(),
            deadline: None,
            jitter: Duration::ZERO,
            start: None,
            end: None,
            max_runs: None,
            suspend: false,
            pause_on_failure: false,
            exclusions: Exclusions::default(),
            timeout: Duration::from_secs(30),
            retry: Retry::default(),
        }
    }
}

/// Times without ticks: spans that include their first moment and not their last, in order and apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exclusions(Vec<(Moment, Moment)>);

impl Exclusions {
    /// Puts the spans in order and joins those that touch.
    pub fn new(mut spans: Vec<(Moment, Moment)>) -> Self {
        spans.sort_unstable();
        let mut joined: Vec<(Moment, Moment)> = Vec::with_capacity(spans.len());
        for (from, until) in spans {
            match joined.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(until),
                _ => joined.push((from, until)),
            }
        }
        Self(joined)
    }

    /// The span that holds `moment`.
    pub fn span_of(&self, moment: Moment) -> Option<(Moment, Moment)> {
        let after = self.0.partition_point(|(from, _)| *from <= moment);
        let span = self.0.get(after.checked_sub(1)?)?;
        (moment < span.1).then_some(*span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_doubles_up_to_its_maximum_and_is_never_less_than_half() {
        let retry = Retry {
            min: Duration::from_secs(1),
            max: Duration::from_secs(10),
            ..Retry::default()
        };
        for (failures, full) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (40, 10)] {
            for spread in [0, 1, u64::MAX / 2, u64::MAX] {
                let delay = retry.delay(failures, spread);
                let full = Duration::from_secs(full);
                assert!(
                    delay >= full / 2 && delay < full,
                    "{failures} failures, spread {spread}: {delay:?}"
                );
            }
        }
    }

    #[test]
    fn spans_that_touch_are_one() {
        let at = Moment::from_nanoseconds;
        let exclusions = Exclusions::new(vec![(at(20), at(30)), (at(0), at(10)), (at(5), at(20))]);
        assert_eq!(exclusions.span_of(at(0)), Some((at(0), at(30))));
        assert_eq!(exclusions.span_of(at(29)), Some((at(0), at(30))));
        assert_eq!(exclusions.span_of(at(30)), None);
        assert_eq!(exclusions.span_of(at(-1)), None);
    }
}
