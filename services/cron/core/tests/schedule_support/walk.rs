//! A walk through real time, step by step, that keeps count of what local clocks have shown: how a daemon that wakes up
//! every minute would meet a change of the clocks.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use mainstay_cron_core::schedule::DstRule;

use super::brute::Brute;

/// How far before its first tick a walk begins, so that it has seen what the clocks showed.
const RUN_UP: SignedDuration = SignedDuration::from_hours(12);

/// The ticks in `from..until`, looking at every `step` (60 s, or 1 s for patterns with seconds).
pub(crate) fn ticks(
    pattern: &Brute,
    zone: &TimeZone,
    rule: DstRule,
    from: Timestamp,
    until: Timestamp,
    step: SignedDuration,
) -> Vec<Timestamp> {
    let fires_twice = match rule {
        DstRule::Skip => pattern.names_no_hour(),
        DstRule::Vixie => pattern.is_wildcard_job(),
    };
    let makes_up = rule == DstRule::Vixie && !pattern.is_wildcard_job();
    let mut ticks = Vec::new();
    let mut now = from - RUN_UP;
    // The latest time that local clocks have shown.
    let mut latest = zone.to_datetime(now);
    while now < until {
        now += step;
        let local = zone.to_datetime(now);
        let skipped = local.duration_since(latest) - step;
        let is_due = pattern.matches(local) && (local > latest || fires_twice);
        let was_skipped = makes_up
            && skipped.is_positive()
            && skipped <= SignedDuration::from_hours(3)
            && shown_between(latest, local, step).any(|skipped| pattern.matches(skipped));
        if (is_due || was_skipped) && (from..until).contains(&now) {
            ticks.push(now);
        }
        latest = latest.max(local);
    }
    ticks
}

fn shown_between(after: DateTime, before: DateTime, step: SignedDuration) -> impl Iterator<Item = DateTime> {
    std::iter::successors(Some(after + step), move |time| Some(*time + step)).take_while(move |time| *time < before)
}
