//! When a failed export is tried again, and when it is given up.

use std::time::Duration;

use crate::status::Code;

/// How exports are retried; the defaults are those of the Collector's exporters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// The first delay.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
    /// What each delay is multiplied by for the next.
    pub multiplier: f64,
    /// By how much of itself a delay may be shorter or longer.
    pub jitter: f64,
    /// How long after the first attempt the last may begin. Zero: there is no last.
    pub give_up_after: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            min: Duration::from_secs(5),
            max: Duration::from_secs(30),
            multiplier: 1.5,
            jitter: 0.5,
            give_up_after: Duration::from_secs(300),
        }
    }
}

/// Why an export failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// For the log.
    pub reason: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// When the collector wants to see it again: `Retry-After`, `RetryInfo`.
    pub retry_after: Option<Duration>,
}

/// One export's attempts.
#[derive(Clone, Debug)]
pub struct Attempts {
    policy: Policy,
    began: Duration,
    delay: Duration,
}

/// What comes after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another attempt, after so long.
    In(Duration),
    /// The last failure was final.
    Rejected,
    /// Time is up.
    Expired,
}

impl Attempts {
    /// The attempts of an export that begins now; `now` is a clock that only goes forward.
    pub fn new(policy: Policy, now: Duration) -> Self {
        Self {
            policy,
            began: now,
            delay: policy.min,
        }
    }

    /// What comes after this failure. `random` is a number from 0 to 1.
    pub fn failed(&mut self, failure: &Failure, now: Duration, random: f64) -> Next {
        if !failure.retryable {
            return Next::Rejected;
        }
        let spread = 1.0 + self.policy.jitter * (2.0 * random.clamp(0.0, 1.0) - 1.0);
        let drawn = self.delay.mul_f64(spread.max(0.0));
        self.delay = self.delay.mul_f64(self.policy.multiplier.max(1.0)).min(self.policy.max);
        // The collector knows when; coming sooner would be refused again.
        let delay = failure.retry_after.map_or(drawn, |wanted| wanted.max(drawn));
        let limit = self.policy.give_up_after;
        if !limit.is_zero() && now.saturating_sub(self.began).saturating_add(delay) > limit {
            return Next::Expired;
        }
        Next::In(delay)
    }
}

/// Whether OTLP/HTTP says to try again after this status (OTLP 1.x §Retryable Response Codes).
pub fn is_retryable_http(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

/// Whether OTLP/gRPC says to try again after this code (OTLP 1.x §Failures). Exhaustion is final unless the collector
/// says when it is over.
pub fn is_retryable_grpc(code: Code, says_when: bool) -> bool {
    match code {
        Code::CANCELLED
        | Code::DEADLINE_EXCEEDED
        | Code::ABORTED
        | Code::OUT_OF_RANGE
        | Code::UNAVAILABLE
        | Code::DATA_LOSS => true,
        Code::RESOURCE_EXHAUSTED => says_when,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn unavailable() -> Failure {
        Failure {
            reason: "503".to_owned(),
            retryable: true,
            retry_after: None,
        }
    }

    #[test]
    fn delays_grow_from_five_to_thirty_seconds_until_five_minutes_are_over() {
        let (mut attempts, mut now) = (Attempts::new(Policy::default(), SECOND), SECOND);
        let mut delays = Vec::new();
        while let Next::In(delay) = attempts.failed(&unavailable(), now, 0.5) {
            delays.push(delay.as_secs_f64());
            now += delay;
        }
        assert_eq!(delays[..6], [5.0, 7.5, 11.25, 16.875, 25.3125, 30.0]);
        assert!(now - SECOND > 270 * SECOND && now - SECOND <= 300 * SECOND, "{now:?}");
        assert_eq!(attempts.failed(&unavailable(), now, 0.5), Next::Expired);
    }

    proptest! {
        #[test]
        fn jitter_is_half_of_a_delay_either_way(random in 0.0..=1.0) {
            let mut attempts = Attempts::new(Policy::default(), Duration::ZERO);
            let Next::In(delay) = attempts.failed(&unavailable(), Duration::ZERO, random) else { panic!("final") };
            prop_assert!((2.5..=7.5).contains(&delay.as_secs_f64()));
        }
    }

    #[test]
    fn the_collector_says_when_and_is_not_asked_sooner() {
        let mut attempts = Attempts::new(Policy::default(), Duration::ZERO);
        let throttled = |seconds| Failure {
            retry_after: Some(seconds * SECOND),
            ..unavailable()
        };
        assert_eq!(
            attempts.failed(&throttled(60), Duration::ZERO, 0.5),
            Next::In(60 * SECOND)
        );
        assert_eq!(
            attempts.failed(&throttled(1), 60 * SECOND, 0.5),
            Next::In(SECOND * 15 / 2)
        );
        assert_eq!(attempts.failed(&throttled(301), 70 * SECOND, 0.5), Next::Expired);
    }

    #[test]
    fn without_a_limit_there_is_no_last_attempt() {
        let policy = Policy {
            give_up_after: Duration::ZERO,
            ..Policy::default()
        };
        let mut attempts = Attempts::new(policy, Duration::ZERO);
        assert!(matches!(
            attempts.failed(&unavailable(), 1_000_000 * SECOND, 0.5),
            Next::In(_)
        ));
    }

    #[test]
    fn only_the_retryable_codes_of_the_specification_are_retried() {
        let http: Vec<u16> = (100..600).filter(|status| is_retryable_http(*status)).collect();
        assert_eq!(http, [429, 502, 503, 504]);
        let grpc: Vec<u32> = (0..=20).filter(|code| is_retryable_grpc(Code(*code), false)).collect();
        assert_eq!(grpc, [1, 4, 10, 11, 14, 15]);
        assert!(is_retryable_grpc(Code::RESOURCE_EXHAUSTED, true));
        let mut attempts = Attempts::new(Policy::default(), Duration::ZERO);
        let rejected = Failure {
            retryable: false,
            ..unavailable()
        };
        assert_eq!(attempts.failed(&rejected, Duration::ZERO, 0.5), Next::Rejected);
    }
}
