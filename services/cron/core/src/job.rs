//! A job: a name, a schedule, a policy and a payload.

use std::sync::Arc;
use std::time::Duration;

use crate::Moment;
use crate::hash;
use crate::policy::Policy;
use crate::schedule::{Schedule, Zone};

/// A job as configured. Schedules, policies and payloads are shared between jobs that have the same.
#[derive(Clone, Debug)]
pub struct Job {
    /// Unique within the service.
    pub name: Box<str>,
    /// When it is due.
    pub schedule: Arc<Schedule>,
    /// How it runs.
    pub policy: Arc<Policy>,
    /// The zone that its schedule is read in.
    pub zone: Zone,
    /// Handed to each run.
    pub payload: Arc<[u8]>,
}

impl Job {
    /// The first tick after `after` that the schedule, `start`, `end` and the exclusions allow.
    pub fn next_after(&self, after: Moment) -> Option<Moment> {
        let mut after = match self.policy.start {
            Some(start) if start > after => start.just_before(),
            _ => after,
        };
        loop {
            let tick = Moment::from(self.schedule.next_after(after.into())?);
            if self.policy.end.is_some_and(|end| tick > end) {
                return None;
            }
            match self.policy.exclusions.span_of(tick) {
                None => return Some(tick),
                Some((_, until)) => after = until.just_before(),
            }
        }
    }

    /// The last tick before `before` that the schedule, `start`, `end` and the exclusions allow.
    pub fn previous_before(&self, before: Moment) -> Option<Moment> {
        let mut before = match self.policy.end {
            Some(end) if end < before => end.plus(Duration::from_nanos(1)),
            _ => before,
        };
        loop {
            let tick = Moment::from(self.schedule.previous_before(before.into())?);
            if self.policy.start.is_some_and(|start| tick < start) {
                return None;
            }
            match self.policy.exclusions.span_of(tick) {
                None => return Some(tick),
                Some((from, _)) => before = from,
            }
        }
    }

    /// How much later than scheduled this job's runs are due: its own share of the policy's jitter.
    pub fn offset(&self) -> Duration {
        let span = u64::try_from(self.policy.jitter.as_nanos()).unwrap_or(u64::MAX);
        if span == 0 {
            return Duration::ZERO;
        }
        Duration::from_nanos(hash::stable(&[b"jitter", self.name.as_bytes()]) % span)
    }

    /// Changes when the schedule does, or whether it is in force: ticks from before are then not made up.
    pub fn fingerprint(&self) -> u64 {
        hash::stable(&[
            self.schedule.text().as_bytes(),
            self.zone.name().as_bytes(),
            self.schedule.rule().as_bytes(),
            &[u8::from(self.policy.suspend)],
        ])
    }
}
