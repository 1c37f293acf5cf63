//! Which stretches of wall-clock time the service has lived through.
//!
//! Each tick in such a stretch has been decided on, so it must not fire when the clock shows its time once more. That
//! is what keeps a clock that was set back from firing anything twice, and what lets one that was wrong by a year and
//! put right go on at once instead of waiting for that year.

use std::time::Duration;

use crate::Moment;

/// A longer step forward is a gap: nobody lived through it. Shorter ones are restarts and slow turns.
const GAP: Duration = Duration::from_secs(60 * 60);

/// Stretches remembered beside the current one. A clock that is set back more often than this loses its oldest.
pub(crate) const REMEMBERED: usize = 8;

/// The time is written down this often even if nothing else is, so that a restart takes no idle time for a gap.
pub(crate) const WRITTEN: Duration = Duration::from_secs(30 * 60);

/// A stretch of time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its first moment.
    pub from: Moment,
    /// Its last moment so far.
    pub to: Moment,
}

impl Stretch {
    /// The part of it that is not later than `end`; that alone if there is none.
    pub(crate) fn up_to(self, end: Moment) -> Self {
        Self {
            from: self.from.min(end),
            to: self.to.min(end),
        }
    }
}

/// The stretches, the current one last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lived {
    current: Stretch,
    past: Vec<Stretch>,
}

/// How the clock moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Forward, or not at all.
    Forward,
    /// Back into the current stretch: nothing is due until the clock has caught up with it.
    BackWithin,
    /// Back to before the current stretch: a new one begins, and ticks are due again at once.
    BackBefore,
}

impl Lived {
    /// Life begins at `now`.
    pub fn begin(now: Moment) -> Self {
        Self {
            current: Stretch { from: now, to: now },
            past: Vec::new(),
        }
    }

    /// Puts together what a snapshot wrote.
    pub(crate) fn from_parts(current: Stretch, past: Vec<Stretch>) -> Self {
        Self { current, past }
    }

    /// The current stretch.
    pub fn current(&self) -> Stretch {
        self.current
    }

    /// The ones before it, oldest first.
    pub fn past(&self) -> &[Stretch] {
        &self.past
    }

    /// The clock shows `now`.
    pub fn advance(&mut self, now: Moment) -> Step {
        if now < self.current.from {
            self.begin_another(now);
            return Step::BackBefore;
        }
        if now < self.current.to {
            return Step::BackWithin;
        }
        if now.since(self.current.to) > GAP {
            self.begin_another(now);
        } else {
            self.current.to = now;
        }
        Step::Forward
    }

    /// Where the stretch begins that the clock is in when it shows `now`, whether it was told of `now` already or not.
    pub(crate) fn begin_at(&self, now: Moment) -> Moment {
        let apart = now < self.current.from || now.since(self.current.to) > GAP;
        if apart { now } else { self.current.from }
    }

    fn begin_another(&mut self, now: Moment) {
        self.past.push(self.current);
        if self.past.len() > REMEMBERED {
            self.past.remove(0);
        }
        self.current = Stretch { from: now, to: now };
    }

    /// The end of an earlier stretch that holds `moment`, none if no stretch does.
    pub fn past_end(&self, moment: Moment) -> Option<Moment> {
        self.past
            .iter()
            .filter(|stretch| stretch.from <= moment && moment <= stretch.to)
            .map(|stretch| stretch.to)
            .max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(hours: i64) -> Moment {
        Moment::from_nanoseconds(hours * 3_600_000_000_000)
    }

    #[test]
    fn small_steps_lengthen_the_stretch_and_a_gap_begins_another() {
        let mut lived = Lived::begin(hours(10));
        assert_eq!(lived.advance(hours(11)), Step::Forward);
        assert_eq!(
            lived.current(),
            Stretch {
                from: hours(10),
                to: hours(11)
            }
        );
        assert_eq!(lived.advance(hours(13)), Step::Forward);
        assert_eq!(
            lived.current(),
            Stretch {
                from: hours(13),
                to: hours(13)
            }
        );
        assert_eq!(lived.past_end(hours(11)), Some(hours(11)));
        assert_eq!(lived.past_end(hours(12)), None, "nobody lived through the gap");
    }

    #[test]
    fn a_clock_put_right_after_a_wrong_start_goes_on_at_once() {
        let mut lived = Lived::begin(hours(10_000));
        lived.advance(hours(10_001));
        assert_eq!(lived.advance(hours(10_000)), Step::BackWithin);
        assert_eq!(lived.advance(hours(5)), Step::BackBefore);
        assert_eq!(lived.current().from, hours(5));
        assert_eq!(lived.past_end(hours(10_000)), Some(hours(10_001)));
    }
}
