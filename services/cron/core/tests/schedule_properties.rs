//! What holds for every schedule: random patterns, zones, rules and instants against a second reading of OCPS.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod schedule_support;

use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use mainstay_cron_core::schedule::DstRule;
use proptest::prelude::*;
use proptest::test_runner::Config;
use schedule_support::brute::Brute;
use schedule_support::{at, random, schedule, utc, walk};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// No files of past failures: a failing case prints itself, and becomes a vector.
fn cases(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    }
}

fn time_zone(name: &str) -> TimeZone {
    jiff::tz::TimeZoneDatabase::bundled().get(name).unwrap()
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn the_next_tick_is_later_and_the_way_back_leads_to_it(
        text in random::any(), zone in random::zone(), rule in random::rule(), after in random::instant(),
        from_change in prop::option::of(-2_000_000_000..2_000_000_000_i64),
    ) {
        // Half of them from within two seconds of a change of the clocks.
        let zone_data = time_zone(&zone);
        let change = zone_data.following(after).next().zip(from_change);
        let after = change.map_or(after, |(change, by)| change.timestamp() + SignedDuration::from_nanos(by));
        let schedule = schedule(&text, &zone, rule);
        let Some(next) = schedule.next_after(after) else {
            prop_assert!(schedule.previous_before(Timestamp::MAX).is_none_or(|last| last <= after));
            return Ok(());
        };
        prop_assert!(next > after);
        prop_assert!(schedule.is_tick(next));
        prop_assert_eq!(schedule.previous_before(next + jiff::SignedDuration::from_nanos(1)), Some(next));
        match schedule.previous_before(next) {
            Some(previous) => {
                prop_assert!(previous <= after);
                prop_assert_eq!(schedule.next_after(previous), Some(next));
            }
            None => prop_assert_eq!(schedule.next_after(Timestamp::MIN), Some(next)),
        }
    }

    #[test]
    fn a_tick_matches_the_pattern_or_ends_a_gap(
        text in random::any(), zone in random::zone(), rule in random::rule(), after in random::instant(),
    ) {
        let Some(next) = schedule(&text, &zone, rule).next_after(after) else { return Ok(()) };
        let zone = time_zone(&zone);
        let ends_gap = || {
            let before = zone.to_offset(next - SECOND).seconds();
            rule == DstRule::Vixie && before < zone.to_offset(next).seconds()
        };
        prop_assert!(Brute::new(&text).matches(zone.to_datetime(next)) || ends_gap());
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn agrees_with_a_walk_of_every_second_around_a_change_of_the_clocks(
        text in random::seconds(), zone in random::zone(), rule in random::rule(), after in random::instant(),
    ) {
        let zone_data = time_zone(&zone);
        let Some(change) = zone_data.following(after).next() else { return Ok(()) };
        let from = change.timestamp() - SignedDuration::from_hours(4);
        let until = change.timestamp() + SignedDuration::from_hours(5);
        prop_assume!(until < at("2199-12-31T00:00:00Z"));
        // The date is the one of the change, so that the time of day alone decides.
        let text = text.split(' ').take(3).chain(["*", "*", "*"]).collect::<Vec<_>>().join(" ");
        let expected = walk::ticks(&Brute::new(&text), &zone_data, rule, from, until, SECOND);
        let found: Vec<_> = schedule(&text, &zone, rule).between(from - SECOND, until - SECOND).collect();
        prop_assert_eq!(found, expected);
    }
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn agrees_with_a_walk_of_every_minute_of_ten_years(
        text in random::minutes(), zone in random::zone(), rule in random::rule(), year in 1973_i16..2190,
    ) {
        let from = jiff::civil::date(year, 1, 1).to_zoned(TimeZone::UTC).unwrap();
        let (from, until) = (from.timestamp(), (&from + 10.years()).timestamp());
        let expected = walk::ticks(&Brute::new(&text), &time_zone(&zone), rule, from, until, MINUTE);
        let schedule = schedule(&text, &zone, rule);
        let found: Vec<_> = schedule.between(from - MINUTE, until - MINUTE).collect();
        prop_assert_eq!(found.len(), expected.len());
        prop_assert!(found == expected);
        let mut backwards = Vec::with_capacity(found.len());
        let mut before = until;
        while let Some(tick) = schedule.previous_before(before).filter(|tick| *tick >= from) {
            backwards.push(tick);
            before = tick;
        }
        backwards.reverse();
        prop_assert!(backwards == found);
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn agrees_with_croner_where_no_clock_changes(text in random::any(), after in random::instant()) {
        let schedule = utc(&text);
        let oracle: Cron = schedule.fields().unwrap().parse().unwrap();
        let mut civil = TimeZone::UTC.to_datetime(after);
        let mut instant = after;
        for _ in 0..20 {
            let expected = oracle.find_next_occurrence(&civil, false).ok().filter(|civil| civil.year() <= 2199);
            let found = schedule.next_after(instant);
            prop_assert_eq!(found.map(|found| TimeZone::UTC.to_datetime(found)), expected);
            let (Some(found), Some(expected)) = (found, expected) else { break };
            (instant, civil) = (found, expected);
        }
    }
}

#[test]
fn walks_of_the_years_agree_at_both_ends_of_the_range() {
    for (text, zone) in [
        ("0 0 1 1 *", "Pacific/Kiritimati"),
        ("59 23 31 12 *", "Pacific/Pago_Pago"),
    ] {
        let schedule = schedule(text, zone, DstRule::Skip);
        let first = schedule.next_after(Timestamp::MIN).unwrap();
        let last = schedule.previous_before(Timestamp::MAX).unwrap();
        let local = |instant| time_zone(zone).to_datetime(instant).year();
        assert_eq!((local(first), local(last)), (1970, 2199), "{text}");
        assert_eq!(schedule.next_after(last), None);
        assert_eq!(schedule.previous_before(first), None);
    }
    assert_eq!(
        utc("0 0 1 1 *").next_after(at("1960-05-05T00:00:00Z")),
        Some(at("1970-01-01T00:00:00Z"))
    );
}
