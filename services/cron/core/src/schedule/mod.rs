//! When a job is due: schedules, their time zones and the instants they fire at.
//!
//! A [`Schedule`] is read from text once and then asked for its ticks; nothing here looks at a clock.
//!
//! - `error`, `refusal`, `nearest`: what is wrong with a schedule, in one line
//! - `field`, `fields`, `item`, `hashed`: a pattern of five to seven fields, checked by OCPS
//! - `alias`, `every`: `@daily` and its like, `@every`, `@at`
//! - `pattern`, `bits`: the civil times that a pattern matches
//! - `zone`, `calendar`: time zones, and what changes of the clocks do to a schedule
//! - `ticks`: iterators
//! - `describe`: a schedule in words
//!
//! # The text
//!
//! OCPS is the [Open Cron Pattern Specification](https://github.com/open-source-cron/ocps), here in full: 1.1 (revision
//! 1 of 2026-10-03, which holds 1.0 revision 3) and the drafts of 1.2, 1.3 and 1.4 of 2026-06-07.
//!
//! | Text | Meaning |
//! |---|---|
//! | `30 4 * * MON-FRI` | minute, hour, day of month, month, day of week |
//! | `15 30 4 * * *`, `0 0 12 1 1 * 2027-2030` | with a second before, and a year (1970-2199) after them |
//! | `*`, `1,15`, `9-17`, `*/10`, `8-18/2` | every value, list, range, steps |
//! | `L`, `LW`, `15W` in day of month | the last day, the last Monday to Friday, the one nearest the 15th in the month |
//! | `MON#1`, `5#L`, `5L` in day of week | the first Monday of the month, the last Friday |
//! | `0 0 13 * FRI` | the 13th and every Friday: either day field is enough |
//! | `0 0 13 * +FRI` | a Friday the 13th: `+` asks for both |
//! | `?` | the same as `*`, in the day fields only |
//! | `H * * * *`, `H(0-29) H/6 * * *` | values hashed from the job's name |
//! | `@yearly` `@annually` `@monthly` `@weekly` `@daily` `@midnight` `@hourly` | as in every cron |
//! | `@reboot` | when the service starts; it has no ticks in time |
//! | `@every 1m30s` | every so much real time, counted from the epoch, or from the job's start |
//! | `@at 2027-01-31T08:00:00Z` | once |
//!
//! Beyond OCPS stand `LW` (proposed for 1.3), `H`, `@every` and `@at`. A step may be larger than its range, which then
//! has one value (1.0 §5.1). The second `SUN` of a range is 7, so that `FRI-SUN` runs forwards. Years are exactly
//! the portable range, so `*/2` is every even year.

mod alias;
mod bits;
mod calendar;
mod describe;
mod error;
mod every;
mod field;
mod fields;
mod hashed;
mod item;
mod nearest;
mod pattern;
mod refusal;
mod ticks;
mod zone;

use std::fmt;

use croner::parser::CronParser;
use jiff::Timestamp;

pub use calendar::{DstRule, DstRuleError};
pub use error::{Reason, ScheduleError};
pub use field::{FIRST_YEAR, Field, LAST_YEAR};
pub use ticks::Ticks;
pub use zone::{Zone, ZoneError};

use alias::Alias;
use calendar::Calendar;
use every::Every;
use hashed::JobName;
use pattern::Pattern;

/// What a schedule's text is read with.
#[derive(Debug, Clone, Default)]
pub struct ParseContext<'a> {
    /// The job's name, from which `H` picks its values.
    pub job: &'a str,
    /// The zone of the fields; UTC unless told.
    pub zone: Zone,
    /// What changes of the clocks do; [`DstRule::Skip`] unless told.
    pub dst: DstRule,
    /// The instant that `@every` counts from; the Unix epoch unless told. It is the first tick of `@every` and means
    /// nothing to other schedules, which the job's own start holds back.
    pub start: Option<Timestamp>,
}

/// When a job is due.
///
/// ```
/// use mainstay_cron_core::schedule::{ParseContext, Schedule};
///
/// let context = ParseContext { zone: "Europe/Paris".parse()?, ..ParseContext::default() };
/// let schedule = Schedule::parse("30 4 * * MON#1", &context)?;
/// let now = "2026-11-22T12:00:00Z".parse()?;
/// assert_eq!(schedule.next_after(now), Some("2026-12-07T03:30:00Z".parse()?));
///
/// let wrong = Schedule::parse("61 * * * *", &context).unwrap_err();
/// assert_eq!(wrong.to_string(), r#"schedule "61 * * * *": minute 61 is not in 0-59"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Schedule {
    text: Box<str>,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Calendar {
        calendar: Box<Calendar>,
        resolved: Box<str>,
    },
    Every(Every),
    At(Timestamp),
    Startup,
}

impl Schedule {
    /// Reads a schedule.
    ///
    /// # Errors
    /// The first rule that the text breaks. A date that no year has (`0 0 30 2 *`) is not an error of the text (OCPS
    /// 1.0 §6.2): ask [`Schedule::check_fires_after`].
    pub fn parse(text: &str, context: &ParseContext<'_>) -> Result<Self, ScheduleError> {
        let kind = Kind::parse(text, context).map_err(|reason| ScheduleError::new(text, reason))?;
        Ok(Self {
            text: text.into(),
            kind,
        })
    }

    /// What its ticks depend on beside its text and its zone: the rule for changes of the clocks, or what it counts from.
    pub fn rule(&self) -> String {
        match &self.kind {
            Kind::Calendar { calendar, .. } => calendar.rule().to_owned(),
            Kind::Every(every) => every.anchor().to_string(),
            Kind::At(_) | Kind::Startup => String::new(),
        }
    }

    /// The first tick later than an instant; none if the schedule does not fire any more.
    ///
    /// Ticks of fields are on whole seconds. The search ends with the year 2199.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.kind {
            Kind::Calendar { calendar, .. } => calendar.first_from(floor_second(after) + 1),
            Kind::Every(every) => every.next_after(after),
            Kind::At(instant) => (*instant > after).then_some(*instant),
            Kind::Startup => None,
        }
    }

    /// The last tick earlier than an instant; none if there was none since 1970.
    pub fn previous_before(&self, before: Timestamp) -> Option<Timestamp> {
        match &self.kind {
            Kind::Calendar { calendar, .. } => {
                let floor = floor_second(before);
                let on_the_second = before.subsec_nanosecond() == 0;
                calendar.last_to(if on_the_second { floor - 1 } else { floor })
            }
            Kind::Every(every) => every.previous_before(before),
            Kind::At(instant) => (*instant < before).then_some(*instant),
            Kind::Startup => None,
        }
    }

    /// Whether an instant is a tick.
    pub fn is_tick(&self, instant: Timestamp) -> bool {
        let just_before = instant.checked_sub(jiff::SignedDuration::from_nanos(1));
        just_before.is_ok_and(|before| self.next_after(before) == Some(instant))
    }

    /// The ticks later than `after` and not later than `until`, in order: what was missed between the two.
    ///
    /// They may be many (one per second of a year asleep), so take no more than needed; the last alone is
    /// [`Schedule::previous_before`].
    pub fn between(&self, after: Timestamp, until: Timestamp) -> Ticks<'_> {
        Ticks::new(self, after, until)
    }

    /// The ticks later than an instant, in order.
    ///
    /// ```
    /// # use mainstay_cron_core::schedule::{ParseContext, Schedule};
    /// let schedule = Schedule::parse("@every 90s", &ParseContext::default())?;
    /// let next: Vec<_> = schedule.upcoming("2027-01-01T00:00:00Z".parse()?).take(2).map(|at| at.to_string()).collect();
    /// assert_eq!(next, ["2027-01-01T00:01:30Z", "2027-01-01T00:03:00Z"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn upcoming(&self, after: Timestamp) -> Ticks<'_> {
        Ticks::new(self, after, Timestamp::MAX)
    }

    /// Whether the job is due when the service starts (`@reboot`), and at no instant.
    pub fn is_startup(&self) -> bool {
        matches!(self.kind, Kind::Startup)
    }

    /// Refuses a schedule without a tick later than `now`.
    ///
    /// # Errors
    /// [`Reason::NeverFires`], with the reason.
    pub fn check_fires_after(&self, now: Timestamp) -> Result<(), ScheduleError> {
        if self.is_startup() || self.next_after(now).is_some() {
            return Ok(());
        }
        let why = match &self.kind {
            Kind::Calendar { .. } if self.previous_before(Timestamp::MAX).is_some() => {
                "its last tick is past; the year field allows no later one"
            }
            Kind::Calendar { .. } => "no date from 1970 to 2199 fits its day, month and year fields",
            Kind::At(_) => "its instant is past",
            Kind::Every(_) | Kind::Startup => "its last tick is past",
        };
        Err(ScheduleError::new(&self.text, Reason::NeverFires(why)))
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The fields with names, aliases and `H` replaced by numbers, as six or seven fields; none for `@every`, `@at`
    /// and `@reboot`.
    ///
    /// ```
    /// # use mainstay_cron_core::schedule::{ParseContext, Schedule};
    /// let schedule = Schedule::parse("H 4 * * MON-FRI", &ParseContext { job: "backup", ..ParseContext::default() })?;
    /// assert_eq!(schedule.fields(), Some("0 42 4 * * 1-5"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fields(&self) -> Option<&str> {
        match &self.kind {
            Kind::Calendar { resolved, .. } => Some(resolved),
            _ => None,
        }
    }

    /// The schedule in words, to check what was meant.
    ///
    /// ```
    /// # use mainstay_cron_core::schedule::{ParseContext, Schedule};
    /// let context = ParseContext { zone: "Asia/Tokyo".parse()?, ..ParseContext::default() };
    /// let schedule = Schedule::parse("30 4 LW * *", &context)?;
    /// assert_eq!(schedule.describe(), "at 04:30 on the last weekday of the month, in Asia/Tokyo");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Calendar { calendar, resolved } => {
                format!("{}, in {}", describe::describe(resolved), calendar.zone().name())
            }
            Kind::Every(every) => every.describe(),
            Kind::At(instant) => format!("once, at {instant}"),
            Kind::Startup => "when the service starts".to_owned(),
        }
    }

    /// The zone its fields are in; none for `@every`, `@at` and `@reboot`, which have no use for one.
    pub fn zone(&self) -> Option<&Zone> {
        match &self.kind {
            Kind::Calendar { calendar, .. } => Some(calendar.zone()),
            _ => None,
        }
    }
}

impl Kind {
    fn parse(text: &str, context: &ParseContext<'_>) -> Result<Self, Reason> {
        if let Some(illegal) = text.chars().find(|c| *c != '\t' && (c.is_control() || !c.is_ascii())) {
            return Err(Reason::IllegalCharacter(illegal));
        }
        let mut pattern = text.trim_matches([' ', '\t']);
        if pattern.starts_with('@') {
            match alias::parse(pattern)? {
                Alias::Pattern(stands_for) => pattern = stands_for,
                Alias::Startup => return Ok(Self::Startup),
                Alias::At(instant) => return Ok(Self::At(instant)),
                Alias::Every(interval) => {
                    let anchor = context.start.unwrap_or(Timestamp::UNIX_EPOCH);
                    return Ok(Self::Every(Every::new(interval, anchor)));
                }
            }
        }
        let fields = fields::parse(pattern, JobName(context.job))?;
        let read = CronParser::new()
            .parse(&fields.for_croner())
            .map_err(|error| Reason::Pattern(error.to_string()))?;
        let pattern = Pattern::new(&read.pattern);
        let calendar = Calendar::new(pattern, fields.has_time_wildcard, context.zone.clone(), context.dst);
        Ok(Self::Calendar {
            calendar: Box::new(calendar),
            resolved: fields.resolved().into(),
        })
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The whole second at or before an instant; jiff counts towards the epoch.
fn floor_second(instant: Timestamp) -> i64 {
    let toward_zero = instant.as_second();
    if instant.subsec_nanosecond() < 0 {
        toward_zero - 1
    } else {
        toward_zero
    }
}
