//! `@every 1m30s`: ticks at equal distances from an anchor, whatever clocks on the wall do.

use std::time::Duration;

use jiff::Timestamp;

use super::error::Reason;
use super::field::END;

/// The shortest interval: a service's clock and its state are not made for more ticks than this.
const SHORTEST: Duration = Duration::from_secs(1);

/// The longest: a century, beyond which a mistake is likelier than a schedule.
const LONGEST: Duration = Duration::from_secs(36_525 * 86_400);

/// The units, largest first, in milliseconds.
const UNITS: [(&str, u64); 6] = [
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The ticks `anchor + n * interval`, n = 0, 1, 2, ...
///
/// They are a function of these two alone, so that a restart or a second replica keeps to the same ticks and
/// none drifts with the time that runs take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Every {
    interval: Duration,
    anchor: Timestamp,
}

impl Every {
    pub(super) fn new(interval: Duration, anchor: Timestamp) -> Self {
        Self { interval, anchor }
    }

    /// What they are counted from.
    pub(super) fn anchor(&self) -> Timestamp {
        self.anchor
    }

    /// The first tick later than `after`.
    pub(super) fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        if after < self.anchor {
            return self.tick(0);
        }
        self.tick(self.ticks_in(after.as_nanosecond() - self.anchor.as_nanosecond()) + 1)
    }

    /// The last tick earlier than `before`.
    pub(super) fn previous_before(&self, before: Timestamp) -> Option<Timestamp> {
        let before = before.min(END);
        if before <= self.anchor {
            return None;
        }
        self.tick(self.ticks_in(before.as_nanosecond() - self.anchor.as_nanosecond() - 1))
    }

    /// In words.
    pub(super) fn describe(&self) -> String {
        let mut rest = u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX);
        let mut length = String::new();
        for (unit, size) in UNITS {
            if rest >= size {
                length.push_str(&format!("{}{unit}", rest / size));
                rest %= size;
            }
        }
        format!("every {length}, counted from {}", self.anchor)
    }

    /// How many whole intervals fit in so many nanoseconds (not negative).
    fn ticks_in(&self, nanoseconds: i128) -> i128 {
        nanoseconds / self.nanoseconds()
    }

    fn tick(&self, number: i128) -> Option<Timestamp> {
        let since_anchor = number.checked_mul(self.nanoseconds())?;
        let tick = Timestamp::from_nanosecond(self.anchor.as_nanosecond().checked_add(since_anchor)?).ok()?;
        (tick < END).then_some(tick)
    }

    fn nanoseconds(&self) -> i128 {
        i128::try_from(self.interval.as_nanos()).unwrap_or(i128::MAX)
    }
}

/// Reads `1m30s`: whole numbers with units, the largest unit first.
pub(super) fn parse_duration(value: &str) -> Result<Duration, Reason> {
    let refuse = |rule| Reason::Every {
        value: value.to_owned(),
        rule,
    };
    let malformed =
        || refuse("not a duration; write whole numbers with w, d, h, m, s or ms, largest first, such as 1m30s");
    if value.is_empty() {
        return Err(malformed());
    }
    let mut units = UNITS.iter();
    let mut milliseconds = 0_u64;
    let mut rest = value;
    while !rest.is_empty() {
        let (number, after_number) = split_where(rest, |c| !c.is_ascii_digit());
        let (unit, after_unit) = split_where(after_number, |c| c.is_ascii_digit());
        // Each unit is looked for below the last one only.
        let (_, size) = units.find(|(name, _)| *name == unit).ok_or_else(malformed)?;
        let number: u64 = if number.is_empty() { None } else { Some(number) }
            .ok_or_else(malformed)?
            .parse()
            .map_err(|_| refuse("longer than a century"))?;
        milliseconds = number
            .checked_mul(*size)
            .and_then(|part| milliseconds.checked_add(part))
            .ok_or_else(|| refuse("longer than a century"))?;
        rest = after_unit;
    }
    let interval = Duration::from_millis(milliseconds);
    if interval < SHORTEST {
        return Err(refuse("shorter than 1s, the shortest interval"));
    }
    if interval > LONGEST {
        return Err(refuse("longer than a century"));
    }
    Ok(interval)
}

fn split_where(text: &str, stop: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(stop).unwrap_or(text.len()))
}
