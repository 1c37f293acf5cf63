//! When a failed service is started again.

use std::time::Duration;

/// How a service that failed is restarted.
#[derive(Debug, Clone)]
pub struct RestartPolicy {
    /// The first delay is somewhere between nothing and this; each further one has twice the range.
    pub backoff_min: Duration,
    /// No delay is longer.
    pub backoff_max: Duration,
    /// A service that ran this long was healthy: the budget of restarts is full again and the delays start over.
    pub healthy_uptime: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            backoff_min: Duration::from_millis(200),
            backoff_max: Duration::from_secs(10),
            healthy_uptime: Duration::from_secs(60),
        }
    }
}

/// The budget of one service.
#[derive(Debug)]
pub(super) struct Budget {
    policy: RestartPolicy,
    max: u64,
    /// Restarts since the service was last healthy.
    used: u64,
}

impl Budget {
    pub(super) fn new(policy: RestartPolicy, max: u64) -> Self {
        Self { policy, max, used: 0 }
    }

    /// The service ran for `uptime` and failed: how long to wait before it is started again, or `None` if the budget
    /// is used up. `random` is in 0..1 (full jitter, so that services that failed together do not return together).
    pub(super) fn spend(&mut self, uptime: Duration, random: f64) -> Option<Duration> {
        if uptime >= self.policy.healthy_uptime {
            self.used = 0;
        }
        if self.used >= self.max {
            return None;
        }
        let doublings = u32::try_from(self.used).unwrap_or(u32::MAX).min(31);
        let range = self
            .policy
            .backoff_min
            .saturating_mul(1 << doublings)
            .min(self.policy.backoff_max);
        self.used += 1;
        Some(range.mul_f64(random))
    }

    /// `2 of 5`, counted since the service was last healthy.
    pub(super) fn spent(&self) -> String {
        format!("{} of {}", self.used, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(max: u64) -> Budget {
        let policy = RestartPolicy {
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_millis(350),
            healthy_uptime: Duration::from_secs(60),
        };
        Budget::new(policy, max)
    }

    #[test]
    fn delays_double_up_to_the_cap() {
        let mut budget = budget(4);
        let delays: Vec<_> = std::iter::from_fn(|| budget.spend(Duration::ZERO, 1.0)).collect();
        assert_eq!(delays, [100, 200, 350, 350].map(Duration::from_millis));
    }

    #[test]
    fn a_delay_may_be_anything_below_its_range() {
        assert_eq!(budget(1).spend(Duration::ZERO, 0.0), Some(Duration::ZERO));
        assert_eq!(budget(1).spend(Duration::ZERO, 0.5), Some(Duration::from_millis(50)));
    }

    #[test]
    fn healthy_uptime_refills_the_budget() {
        let mut budget = budget(1);
        assert!(budget.spend(Duration::ZERO, 1.0).is_some());
        assert!(budget.spend(Duration::from_secs(59), 1.0).is_none());
        assert_eq!(
            budget.spend(Duration::from_secs(60), 1.0),
            Some(Duration::from_millis(100))
        );
        assert_eq!(budget.spent(), "1 of 1");
    }

    #[test]
    fn a_service_that_fails_forever_does_not_overflow() {
        let mut budget = budget(u64::MAX);
        budget.used = u64::from(u32::MAX) + 7;
        assert_eq!(budget.spend(Duration::ZERO, 1.0), Some(Duration::from_millis(350)));
    }
}
