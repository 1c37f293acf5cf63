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
    /// What is to be done about it.
    pub kind: FailureKind,
    /// When the collector wants to see it again: `Retry-After`, `RetryInfo`.
    pub retry_after: Option<Duration>,
}

/// What is to be done about a failed export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The same request may succeed later.
    Transient,
    /// This collector does not take it, now or later. Another may: it is this one's credentials or address that are wrong.
    Refused,
    /// The request is at fault, whoever gets it.
    BadData,
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
    /// Time is up after so long, and before another attempt may be made.
    ExpiresIn(Duration),
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
        if failure.kind != FailureKind::Transient {
            return Next::Rejected;
        }
        let spread = 1.0 + self.policy.jitter * (2.0 * random.clamp(0.0, 1.0) - 1.0);
        let drawn = self.delay.mul_f64(spread.max(0.0));
        self.delay = self.delay.mul_f64(self.policy.multiplier.max(1.0)).min(self.policy.max);
        // The collector knows when; coming sooner would be refused again.
        let delay = failure.retry_after.map_or(drawn, |wanted| wanted.max(drawn));
        let limit = self.policy.give_up_after;
        let left = limit.saturating_sub(now.saturating_sub(self.began));
        if !limit.is_zero() && delay > left {
            // Not at once, or a collector that wants to be left alone for long would empty the queue by that.
            return Next::ExpiresIn(left);
        }
        Next::In(delay)
    }
}

/// What OTLP/HTTP says to do after this status (OTLP 1.x §Retryable Response Codes, §Bad Data).
pub fn kind_of_http(status: u16) -> FailureKind {
    match status {
        429 | 502 | 503 | 504 => FailureKind::Transient,
        400 | 413 | 422 => FailureKind::BadData,
        _ => FailureKind::Refused,
    }
}

/// What OTLP/gRPC says to do after this code (OTLP 1.x §Failures). Exhaustion is final unless the collector says when it is
/// over.
pub fn kind_of_grpc(code: Code, says_when: bool) -> FailureKind {
    match code {
        Code::CANCELLED
        | Code::DEADLINE_EXCEEDED
        | Code::ABORTED
        | Code::OUT_OF_RANGE
        | Code::UNAVAILABLE
        | Code::DATA_LOSS => FailureKind::Transient,
        Code::RESOURCE_EXHAUSTED if says_when => FailureKind::Transient,
        Code::INVALID_ARGUMENT => FailureKind::BadData,
        _ => FailureKind::Refused,
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
            kind: FailureKind::Transient,
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
        let left = 301 * SECOND - now;
        assert_eq!(attempts.failed(&unavailable(), now, 0.5), Next::ExpiresIn(left));
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
        // Its time is up when it is up, and not as soon as that is known.
        assert_eq!(
            attempts.failed(&throttled(301), 70 * SECOND, 0.5),
            Next::ExpiresIn(230 * SECOND)
        );
        assert_eq!(
            attempts.failed(&throttled(1), 400 * SECOND, 0.5),
            Next::ExpiresIn(Duration::ZERO)
        );
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
        let http = |kind| -> Vec<u16> { (100..600).filter(|status| kind_of_http(*status) == kind).collect() };
        assert_eq!(http(FailureKind::Transient), [429, 502, 503, 504]);
        assert_eq!(http(FailureKind::BadData), [400, 413, 422]);
        let grpc = |kind| -> Vec<u32> {
            (0..=20)
                .filter(|code| kind_of_grpc(Code(*code), false) == kind)
                .collect()
        };
        assert_eq!(grpc(FailureKind::Transient), [1, 4, 10, 11, 14, 15]);
        assert_eq!(grpc(FailureKind::BadData), [3]);
        assert_eq!(kind_of_grpc(Code::RESOURCE_EXHAUSTED, true), FailureKind::Transient);
        let mut attempts = Attempts::new(Policy::default(), Duration::ZERO);
        let rejected = Failure {
            kind: FailureKind::Refused,
            ..unavailable()
        };
        assert_eq!(attempts.failed(&rejected, Duration::ZERO, 0.5), Next::Rejected);
    }
}
