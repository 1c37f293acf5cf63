//! What the tests of schedules share: a second reading of OCPS that looks at one civil time after the other, a walk
//! through real time, and random patterns.

#![allow(dead_code)]

pub(crate) mod brute;
pub(crate) mod random;
pub(crate) mod table;
pub(crate) mod walk;

use jiff::Timestamp;
use mainstay_cron_core::schedule::{DstRule, ParseContext, Schedule, Zone};

/// The zone of a name that the test is sure of.
pub(crate) fn zone(name: &str) -> Zone {
    name.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// A schedule that must be readable.
pub(crate) fn schedule(text: &str, zone_name: &str, dst: DstRule) -> Schedule {
    let context = ParseContext {
        zone: zone(zone_name),
        dst,
        ..ParseContext::default()
    };
    Schedule::parse(text, &context).unwrap_or_else(|error| panic!("{error}"))
}

/// A schedule in UTC.
pub(crate) fn utc(text: &str) -> Schedule {
    schedule(text, "UTC", DstRule::Skip)
}

/// An instant as RFC 3339.
pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}
