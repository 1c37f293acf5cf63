//! Instants, dates and spans of them, as settings write them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use mainstay_cron_core::Moment;
use mainstay_cron_core::policy::Exclusions;
use mainstay_cron_core::schedule::Zone;
use mainstay_runtime::config::{ConfigError, Value};

const INSTANT: &str =
    "not an instant; write 2026-12-24T18:00:00Z, or 2026-12-24T18:00:00 or 2026-12-24 in the job's zone";

const EXCLUSION: &str = "not a date, nor two dates or instants with a slash between, for example 2026-12-25, \
                         2026-12-24/2027-01-01 or 2026-12-24T18:00:00/2026-12-24T20:00:00";

/// An instant: RFC 3339, or a date with or without a time in the job's zone.
pub(super) fn instant(value: &Value, zone: &Zone) -> Result<Moment, ConfigError> {
    value.parse(|text| Point::read(text, zone).map(|point| point.from).ok_or(INSTANT))
}

/// Dates and spans without ticks. A span of dates includes its last day, one of instants ends before its last.
pub(super) fn exclusions(value: &Value, zone: &Zone) -> Result<Exclusions, ConfigError> {
    let mut spans = Vec::new();
    for item in value.list()? {
        spans.push(item.parse(|text| span(text, zone))?);
    }
    Ok(Exclusions::new(spans))
}

fn span(text: &str, zone: &Zone) -> Result<(Moment, Moment), &'static str> {
    let (first, last) = text.split_once('/').unwrap_or((text, text));
    let (Some(first), Some(last)) = (Point::read(first, zone), Point::read(last, zone)) else {
        return Err(EXCLUSION);
    };
    if first.from >= last.until {
        return Err(if first.from == last.until {
            EXCLUSION
        } else {
            "ends before it begins"
        });
    }
    Ok((first.from, last.until))
}

/// A date, which lasts a day, or an instant, which does not last.
struct Point {
    from: Moment,
    until: Moment,
}

impl Point {
    fn read(text: &str, zone: &Zone) -> Option<Self> {
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Some(Self {
                from: instant.into(),
                until: instant.into(),
            });
        }
        let zone = TimeZone::get(zone.name()).ok()?;
        // A date is also read from the text of an instant, and an instant from that of a date: the time tells.
        if !text.contains(['T', 't', ' ']) {
            let date = text.parse::<Date>().ok()?;
            let from = date.to_zoned(zone.clone()).ok()?.timestamp();
            let until = date.tomorrow().ok()?.to_zoned(zone).ok()?.timestamp();
            return Some(Self {
                from: from.into(),
                until: until.into(),
            });
        }
        let instant = text.parse::<DateTime>().ok()?.to_zoned(zone).ok()?.timestamp();
        Some(Self {
            from: instant.into(),
            until: instant.into(),
        })
    }
}
