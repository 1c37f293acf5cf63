//! The ticks of a schedule in a stretch of time.

use std::iter::FusedIterator;

use jiff::Timestamp;

use super::Schedule;

/// Ticks in order; from [`Schedule::between`] and [`Schedule::upcoming`].
#[derive(Debug, Clone)]
pub struct Ticks<'a> {
    schedule: &'a Schedule,
    /// The last tick given out, or where to begin.
    after: Timestamp,
    until: Timestamp,
}

impl<'a> Ticks<'a> {
    pub(super) fn new(schedule: &'a Schedule, after: Timestamp, until: Timestamp) -> Self {
        Self { schedule, after, until }
    }
}

impl Iterator for Ticks<'_> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        let tick = self
            .schedule
            .next_after(self.after)
            .filter(|tick| *tick <= self.until)?;
        self.after = tick;
        Some(tick)
    }
}

impl FusedIterator for Ticks<'_> {}
