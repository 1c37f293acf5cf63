//! Points in time: of the wall clock, which may jump, and of the steady clock, which may not.

use std::fmt;
use std::time::Duration;

/// A point of wall-clock time: nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted (years 1678 to 2262).
///
/// Eight bytes, because a service may hold a million of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

impl Moment {
    /// The last one there is: stands for "never" in timer heaps.
    pub const NEVER: Self = Self(i64::MAX);

    /// The moment `nanoseconds` after (or before) 1970.
    pub const fn from_nanoseconds(nanoseconds: i64) -> Self {
        Self(nanoseconds)
    }

    /// Nanoseconds since 1970.
    pub const fn as_nanoseconds(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970 and the nanoseconds after them, as WIT's `instant` has it.
    pub const fn as_parts(self) -> (i64, u32) {
        (
            self.0.div_euclid(1_000_000_000),
            self.0.rem_euclid(1_000_000_000) as u32,
        )
    }

    /// How long after `earlier` this is; zero if it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }

    /// The moment just before: a schedule's "next after" takes it to include this one.
    #[must_use]
    pub const fn just_before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// `duration` later, at most [`Moment::NEVER`].
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanoseconds(duration)))
    }

    /// `duration` earlier.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanoseconds(duration)))
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

impl From<jiff::Timestamp> for Moment {
    fn from(timestamp: jiff::Timestamp) -> Self {
        let clamped = timestamp
            .as_nanosecond()
            .clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        Self(i64::try_from(clamped).unwrap_or(i64::MAX))
    }
}

impl From<Moment> for jiff::Timestamp {
    fn from(moment: Moment) -> Self {
        // Every i64 of nanoseconds is a timestamp: jiff's reach from year -9999 to 9999.
        Self::from_nanosecond(i128::from(moment.0)).unwrap_or(Self::UNIX_EPOCH)
    }
}

/// RFC 3339 in UTC, fractions only where there are any: `2026-11-22T03:00:00Z`.
impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        jiff::Timestamp::from(*self).fmt(formatter)
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// What both clocks show at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The wall clock: schedules are read on it. It may jump either way.
    pub wall: Moment,
    /// The steady clock: back-off is measured on it. It never goes back.
    pub steady: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_prints_as_rfc_3339_and_splits_into_parts() {
        let moment = Moment::from_nanoseconds(-1);
        assert_eq!(moment.to_string(), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(moment.as_parts(), (-1, 999_999_999));
        assert_eq!(Moment::from_nanoseconds(1_500_000_000).as_parts(), (1, 500_000_000));
    }

    #[test]
    fn sums_stop_at_the_ends_of_time() {
        assert_eq!(Moment::NEVER.plus(Duration::from_secs(1)), Moment::NEVER);
        assert_eq!(
            Moment::from_nanoseconds(5).since(Moment::from_nanoseconds(9)),
            Duration::ZERO
        );
        assert_eq!(
            Moment::NEVER.since(Moment::from_nanoseconds(i64::MIN)),
            Duration::from_nanos(i64::MAX as u64)
        );
    }
}
