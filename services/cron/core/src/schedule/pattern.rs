//! The civil times that a pattern matches, found by bit sets.
//!
//! croner reads the pattern, and what it read is kept as bit sets: the values of each field, and, for each of the 28
//! shapes that a month can have (28 to 31 days, the first on any day of the week), the days that croner matches.
//! `L`, `W`, `#` and AND/OR are all in those.
//!
//! croner's own search is not used, for two reasons. It steps the wall clock and asks the zone at every stop, which makes
//! half a million next runs a second where a service needs a million, and it settles changes of the clocks its own
//! way; `cargo xtask bench schedule` has both side by side. In the tests it is the oracle.

use croner::{CronPattern, Weekday};
use jiff::civil::{Date, DateTime};

use super::bits::{first_bit_from, last_bit_to};
use super::field::{FIRST_YEAR, LAST_YEAR};

/// A month's shape in the table of days: by length, then by the weekday of the first.
const MONTH_SHAPES: usize = 4 * 7;

/// A pattern as bit sets: bit n stands for the value n.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    seconds: u64,
    minutes: u64,
    hours: u64,
    months: u64,
    /// The days of each shape of month.
    days: [u32; MONTH_SHAPES],
    /// The years from 1970 to 2199, 64 to a word.
    years: [u64; 4],
}

/// A time of day: hour, minute, second.
type TimeOfDay = (u32, u32, u32);

impl Pattern {
    /// Takes over what croner read.
    pub(super) fn new(read: &CronPattern) -> Self {
        let set = |values: Vec<u16>| values.into_iter().fold(0_u64, |bits, value| bits | 1 << (value & 63));
        let mut years = [0_u64; 4];
        for (index, year) in (FIRST_YEAR..=LAST_YEAR).enumerate() {
            let matches = read.year_match(year.into()).unwrap_or(false);
            if let Some(word) = years.get_mut(index / 64) {
                *word |= u64::from(matches) << (index % 64);
            }
        }
        Self {
            seconds: set(read.seconds.values()),
            minutes: set(read.minutes.values()),
            hours: set(read.hours.values()),
            months: set(read.months.values()),
            days: days(read),
            years,
        }
    }

    /// Whether no hour is left out, so that the schedule names no hour at all.
    pub(super) fn is_every_hour(&self) -> bool {
        self.hours == (1 << 24) - 1
    }

    /// The first match at or after `from`.
    pub(super) fn first_from(&self, from: DateTime) -> Option<DateTime> {
        let from = from.max(DateTime::constant(FIRST_YEAR, 1, 1, 0, 0, 0, 0));
        let date = from.date();
        if self.matches_date(date)
            && let Some(time) = self.time_from(time_of_day(from))
        {
            return at(date, time);
        }
        at(self.date_after(date)?, self.first_time()?)
    }

    /// The last match at or before `to`.
    pub(super) fn last_to(&self, to: DateTime) -> Option<DateTime> {
        let to = to.min(DateTime::constant(LAST_YEAR, 12, 31, 23, 59, 59, 0));
        let date = to.date();
        if self.matches_date(date)
            && let Some(time) = self.time_to(time_of_day(to))
        {
            return at(date, time);
        }
        at(self.date_before(date)?, self.last_time()?)
    }

    fn matches_date(&self, date: Date) -> bool {
        self.has_year(date.year())
            && self.months >> date.month() & 1 == 1
            && self.days_of(date.year(), date.month()) >> date.day() & 1 == 1
    }

    /// The first matching date later than `date`, a month at a time: at most 12 looks for each of 230 years.
    fn date_after(&self, date: Date) -> Option<Date> {
        let mut year = date.year();
        let mut month = i8_to_bit(date.month());
        let mut day = i8_to_bit(date.day()) + 1;
        loop {
            if self.has_year(year) {
                while let Some(next) = first_bit_from(self.months, month) {
                    if next > month {
                        day = 1;
                    }
                    let days = self.days_of(year, bit_to_i8(next));
                    if let Some(day) = first_bit_from(days.into(), day) {
                        return Date::new(year, bit_to_i8(next), bit_to_i8(day)).ok();
                    }
                    (month, day) = (next + 1, 1);
                }
            }
            year += 1;
            (month, day) = (1, 1);
            if year > LAST_YEAR {
                return None;
            }
        }
    }

    /// The last matching date earlier than `date`.
    fn date_before(&self, date: Date) -> Option<Date> {
        let mut year = date.year();
        let mut month = i8_to_bit(date.month());
        let mut day = i8_to_bit(date.day()) - 1;
        loop {
            if self.has_year(year) {
                while let Some(previous) = last_bit_to(self.months, month) {
                    if previous < month {
                        day = 31;
                    }
                    let days = self.days_of(year, bit_to_i8(previous));
                    if let Some(day) = last_bit_to(days.into(), day) {
                        return Date::new(year, bit_to_i8(previous), bit_to_i8(day)).ok();
                    }
                    (month, day) = (previous - 1, 31);
                }
            }
            year -= 1;
            (month, day) = (12, 31);
            if year < FIRST_YEAR {
                return None;
            }
        }
    }

    fn has_year(&self, year: i16) -> bool {
        let Ok(index) = usize::try_from(year - FIRST_YEAR) else {
            return false;
        };
        self.years
            .get(index / 64)
            .is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    fn days_of(&self, year: i16, month: i8) -> u32 {
        let Ok(first) = Date::new(year, month, 1) else { return 0 };
        let length = i8_to_bit(first.days_in_month()) as usize;
        let weekday = i8_to_bit(first.weekday().to_sunday_zero_offset()) as usize;
        self.days.get((length - 28) * 7 + weekday).copied().unwrap_or(0)
    }

    fn time_from(&self, (hour, minute, second): TimeOfDay) -> Option<TimeOfDay> {
        if self.hours >> hour & 1 == 1 {
            if self.minutes >> minute & 1 == 1
                && let Some(second) = first_bit_from(self.seconds, second)
            {
                return Some((hour, minute, second));
            }
            if let Some(minute) = first_bit_from(self.minutes, minute + 1) {
                return Some((hour, minute, first_bit_from(self.seconds, 0)?));
            }
        }
        let hour = first_bit_from(self.hours, hour + 1)?;
        Some((hour, first_bit_from(self.minutes, 0)?, first_bit_from(self.seconds, 0)?))
    }

    fn time_to(&self, (hour, minute, second): TimeOfDay) -> Option<TimeOfDay> {
        if self.hours >> hour & 1 == 1 {
            if self.minutes >> minute & 1 == 1
                && let Some(second) = last_bit_to(self.seconds, second)
            {
                return Some((hour, minute, second));
            }
            if let Some(minute) = minute
                .checked_sub(1)
                .and_then(|minute| last_bit_to(self.minutes, minute))
            {
                return Some((hour, minute, last_bit_to(self.seconds, 59)?));
            }
        }
        let hour = last_bit_to(self.hours, hour.checked_sub(1)?)?;
        Some((hour, last_bit_to(self.minutes, 59)?, last_bit_to(self.seconds, 59)?))
    }

    fn first_time(&self) -> Option<TimeOfDay> {
        self.time_from((0, 0, 0))
    }

    fn last_time(&self) -> Option<TimeOfDay> {
        self.time_to((23, 59, 59))
    }
}

/// The days that croner matches in a month of each shape.
fn days(read: &CronPattern) -> [u32; MONTH_SHAPES] {
    // Only modifiers look at the month's length: without them a short month is the start of a long one.
    let depends_on_length = read.days.has_modifiers() || read.days_of_week.has_modifiers();
    let longest: [u32; 7] = std::array::from_fn(|first| matching_days(read, 31, first));
    std::array::from_fn(|shape| {
        let (length, first) = (28 + shape / 7, shape % 7);
        if depends_on_length {
            return matching_days(read, length, first);
        }
        let days_to_length = u32::MAX >> (31 - length);
        longest.get(first).map_or(0, |days| days & days_to_length)
    })
}

/// The days that croner matches in a month of so many days that starts on this day of the week, 0 for Sunday.
fn matching_days(read: &CronPattern, length: usize, first: usize) -> u32 {
    // A month of that length.
    let (year, month) = match length {
        28 => (2023, 2),
        29 => (2024, 2),
        30 => (2024, 4),
        _ => (2024, 1),
    };
    (1..=length).zip(first..).fold(0, |days, (day, weekday)| {
        let (day, weekday) = (day as u32, Weekday::from_days_from_sunday(weekday as u32));
        let matches = read.day_match(year, month, day, weekday).unwrap_or(false);
        days | u32::from(matches) << day
    })
}

fn time_of_day(civil: DateTime) -> TimeOfDay {
    (
        i8_to_bit(civil.hour()),
        i8_to_bit(civil.minute()),
        i8_to_bit(civil.second()),
    )
}

fn at(date: Date, (hour, minute, second): TimeOfDay) -> Option<DateTime> {
    let (hour, minute, second) = (bit_to_i8(hour), bit_to_i8(minute), bit_to_i8(second));
    DateTime::new(date.year(), date.month(), date.day(), hour, minute, second, 0).ok()
}

/// jiff counts hours, days and the like in `i8`, none of them negative.
fn i8_to_bit(value: i8) -> u32 {
    u32::from(value.unsigned_abs())
}

fn bit_to_i8(value: u32) -> i8 {
    (value & 63) as i8
}
