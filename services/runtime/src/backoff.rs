//! Waiting longer after each failure.

use std::time::Duration;

use rand::Rng;

/// Capped exponential back-off with full jitter: each delay is a random one between zero and a bound that doubles,
/// so that many clients which failed together do not come back together.
///
/// ```
/// use mainstay_runtime::backoff::Backoff;
/// use std::time::Duration;
///
/// let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
/// assert!(backoff.next() <= Duration::from_millis(100));
/// assert!(backoff.next() <= Duration::from_millis(200));
/// backoff.reset();
/// assert!(backoff.next() <= Duration::from_millis(100));
/// ```
#[derive(Clone, Debug)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    bound: Duration,
}

impl Backoff {
    /// The first delay is at most `min`, no delay is more than `max`.
    pub fn new(min: Duration, max: Duration) -> Self {
        let min = min.min(max);
        Self { min, max, bound: min }
    }

    /// The next delay, and a bound twice as high for the one after.
    #[expect(
        clippy::should_implement_trait,
        reason = "the field's word; it is not an iterator, it never ends"
    )]
    pub fn next(&mut self) -> Duration {
        let bound = self.bound;
        self.bound = bound.saturating_mul(2).min(self.max);
        rand::rng().random_range(Duration::ZERO..=bound)
    }

    /// The next delay is at most the first bound again: call it after a success.
    pub fn reset(&mut self) {
        self.bound = self.min;
    }

    /// The longest delay there can be.
    pub fn max(&self) -> Duration {
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn delays_stay_under_a_bound_that_doubles_to_the_cap(min in 0u64..10_000, max in 0u64..1_000_000, times in 0..40) {
            let (min, max) = (Duration::from_micros(min), Duration::from_micros(max));
            let mut backoff = Backoff::new(min, max);
            let mut bound = min.min(max);
            for _ in 0..times {
                prop_assert!(backoff.next() <= bound);
                bound = (bound * 2).min(max);
            }
        }
    }

    #[test]
    fn delays_are_spread_over_the_whole_range() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, second);
        let delays: Vec<Duration> = (0..1000).map(|_| backoff.next()).collect();
        assert!(delays.iter().any(|delay| *delay < second / 10));
        assert!(delays.iter().any(|delay| *delay > second * 9 / 10));
    }

    #[test]
    fn a_huge_cap_does_not_overflow() {
        let mut backoff = Backoff::new(Duration::MAX / 2, Duration::MAX);
        for _ in 0..3 {
            backoff.next();
        }
        assert_eq!(backoff.max(), Duration::MAX);
    }
}
