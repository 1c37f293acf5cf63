//! The seven fields of a pattern: their ranges and names (OCPS 1.0 §4.2, 1.2 §4.3).

use std::fmt;
use std::ops::RangeInclusive;

use jiff::Timestamp;

/// A field of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// 0-59; absent from a pattern of five fields, where it is 0.
    Second,
    /// 0-59.
    Minute,
    /// 0-23.
    Hour,
    /// 1-31, and `L`, `LW` and `15W`.
    DayOfMonth,
    /// 1-12 or JAN-DEC.
    Month,
    /// 0-7 or SUN-SAT, where 0 and 7 are Sunday, and `5L`, `5#L` and `5#2`.
    DayOfWeek,
    /// 1970-2199; absent from patterns of five and six fields, where it is `*`.
    Year,
}

/// The first year that a schedule can fire in (OCPS 1.4 §4.3.2: exactly the portable range).
pub const FIRST_YEAR: i16 = 1970;

/// The last year that a schedule can fire in.
pub const LAST_YEAR: i16 = 2199;

/// The instant at which the last year is over in UTC.
pub(super) const END: Timestamp = Timestamp::constant(7_258_118_400, 0);

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];

const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Field {
    /// The fields of a pattern with `count` of them, in their order.
    pub(super) fn of_pattern(count: usize) -> Option<&'static [Field]> {
        use Field::{DayOfMonth, DayOfWeek, Hour, Minute, Month, Second, Year};
        const ALL: [Field; 7] = [Second, Minute, Hour, DayOfMonth, Month, DayOfWeek, Year];
        match count {
            5 => ALL.get(1..6),
            6 => ALL.get(..6),
            7 => Some(&ALL),
            _ => None,
        }
    }

    /// The values it takes.
    pub fn range(self) -> RangeInclusive<u16> {
        match self {
            Field::Second | Field::Minute => 0..=59,
            Field::Hour => 0..=23,
            Field::DayOfMonth => 1..=31,
            Field::Month => 1..=12,
            Field::DayOfWeek => 0..=7,
            Field::Year => FIRST_YEAR.unsigned_abs()..=LAST_YEAR.unsigned_abs(),
        }
    }

    /// Its names, the first of which stands for `first_named`.
    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            Field::Month => &MONTHS,
            Field::DayOfWeek => &WEEKDAYS,
            _ => &[],
        }
    }

    /// The number of a name, in any case (OCPS 1.0 §4.2).
    pub(super) fn named(self, name: &str) -> Option<u16> {
        let first = *self.range().start();
        (first..)
            .zip(self.names())
            .find_map(|(value, known)| known.eq_ignore_ascii_case(name).then_some(value))
    }

    pub(super) fn is_day(self) -> bool {
        matches!(self, Field::DayOfMonth | Field::DayOfWeek)
    }

    pub(super) fn range_text(self) -> String {
        format!("{}-{}", self.range().start(), self.range().end())
    }

    pub(super) fn values_text(self) -> String {
        match self {
            Field::Month => "1-12 or JAN-DEC".to_owned(),
            Field::DayOfWeek => "0-7 or SUN-SAT".to_owned(),
            _ => format!("a number in {}", self.range_text()),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Second => "second",
            Field::Minute => "minute",
            Field::Hour => "hour",
            Field::DayOfMonth => "day of month",
            Field::Month => "month",
            Field::DayOfWeek => "day of week",
            Field::Year => "year",
        })
    }
}
