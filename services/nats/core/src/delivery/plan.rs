//! What is answered to a delivery when the handler is done with it.

use std::time::Duration;

/// How often and when a message is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Deliveries at most, the first included; `None`: without end.
    pub max_deliver: Option<u64>,
    /// The pause after the first failure, the second and so on; the last one stands for all that follow. Never empty.
    pub back_off: Vec<Duration>,
}

/// How the handler's call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is handled.
    Handled,
    /// To be tried again, after so long.
    Retry(Option<Duration>),
    /// Not to be tried again.
    Rejected,
    /// It failed, with a text.
    Failed(String),
    /// It did not end in time.
    TimedOut(Duration),
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Acknowledge it.
    Acknowledge,
    /// Try again after this pause.
    Again(Duration),
    /// Give it up, for this reason.
    GiveUp(String),
}

impl Retries {
    /// What to do after the delivery with this number (1 at first) ended so.
    pub fn plan(&self, attempt: u64, outcome: &Outcome) -> Plan {
        let (reason, delay) = match outcome {
            Outcome::Handled => return Plan::Acknowledge,
            Outcome::Rejected => return Plan::GiveUp("rejected by the handler".to_owned()),
            Outcome::Retry(delay) => ("the handler asked for another attempt".to_owned(), *delay),
            Outcome::Failed(text) => (text.clone(), None),
            Outcome::TimedOut(after) => (format!("no result within {after:?}"), None),
        };
        if self.is_last(attempt) {
            return Plan::GiveUp(reason);
        }
        Plan::Again(delay.unwrap_or_else(|| self.pause(attempt)))
    }

    /// Whether a delivery comes after the last one that is due: a part of the workload died before it could be given up.
    pub fn is_beyond(&self, attempt: u64) -> bool {
        self.max_deliver.is_some_and(|max| attempt > max)
    }

    fn is_last(&self, attempt: u64) -> bool {
        self.max_deliver.is_some_and(|max| attempt >= max)
    }

    fn pause(&self, attempt: u64) -> Duration {
        let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        self.back_off
            .get(index)
            .or(self.back_off.last())
            .copied()
            .unwrap_or(Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn retries(max_deliver: Option<u64>) -> Retries {
        Retries {
            max_deliver,
            back_off: vec![SECOND, 5 * SECOND],
        }
    }

    #[test]
    fn failures_are_tried_again_by_the_list_until_the_last_delivery() {
        let retries = retries(Some(4));
        let failed = Outcome::Failed("no stock".to_owned());
        assert_eq!(retries.plan(1, &failed), Plan::Again(SECOND));
        assert_eq!(retries.plan(2, &failed), Plan::Again(5 * SECOND));
        assert_eq!(retries.plan(3, &failed), Plan::Again(5 * SECOND));
        assert_eq!(retries.plan(4, &failed), Plan::GiveUp("no stock".to_owned()));
        assert!(!retries.is_beyond(4) && retries.is_beyond(5));
    }

    #[test]
    fn the_handler_decides_the_pause_but_not_the_end() {
        let retries = retries(Some(2));
        assert_eq!(
            retries.plan(1, &Outcome::Retry(Some(9 * SECOND))),
            Plan::Again(9 * SECOND)
        );
        assert_eq!(retries.plan(1, &Outcome::Retry(None)), Plan::Again(SECOND));
        assert!(matches!(
            retries.plan(2, &Outcome::Retry(Some(SECOND))),
            Plan::GiveUp(_)
        ));
    }

    #[test]
    fn a_rejection_is_final_and_success_is_success() {
        let retries = retries(None);
        assert_eq!(
            retries.plan(1, &Outcome::Rejected),
            Plan::GiveUp("rejected by the handler".to_owned())
        );
        assert_eq!(
            retries.plan(u64::MAX, &Outcome::TimedOut(SECOND)),
            Plan::Again(5 * SECOND)
        );
        assert_eq!(retries.plan(9, &Outcome::Handled), Plan::Acknowledge);
    }
}
