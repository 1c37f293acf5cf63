//! What must not happen whatever the text: a panic, a message of several lines, a search without end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod schedule_support;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use mainstay_cron_core::schedule::{DstRule, FIRST_YEAR, LAST_YEAR, ParseContext, Schedule};
use proptest::prelude::*;
use proptest::test_runner::Config;
use schedule_support::{at, random, schedule, utc};

/// Schedules whose search goes through all the years, forwards and backwards.
const LONG_SEARCHES: [&str; 8] = [
    "0 0 30 2 *",
    "0 0 31 2,4,6,9,11 *",
    "0 0 1 * +MON#2",
    "0 0 30W 2 *",
    "* * * 29 2 * 2100",
    "59 59 23 31 12 * 2199",
    "0 0 0 1 1 * 1970",
    "0 0 0 29 2 +MON#5 1970-2199/3",
];

#[test]
fn no_search_takes_long() {
    let zones = [
        "UTC",
        "America/New_York",
        "Africa/Casablanca",
        "Antarctica/Troll",
        "Pacific/Apia",
    ];
    for zone in zones {
        for text in LONG_SEARCHES {
            for rule in [DstRule::Skip, DstRule::Vixie] {
                let schedule = schedule(text, zone, rule);
                let began = Instant::now();
                for after in [Timestamp::MIN, at("2025-01-01T00:00:00Z"), Timestamp::MAX] {
                    schedule.next_after(after);
                    schedule.previous_before(after);
                }
                // Six searches; each looks at 230 years of 12 months at most, some microseconds.
                let took = began.elapsed();
                assert!(took < Duration::from_millis(100), "{text} in {zone}: {took:?}");
            }
        }
    }
}

#[test]
fn the_years_that_schedules_cover_are_the_portable_ones() {
    // OCPS 1.4 §4.3.2.
    assert_eq!((FIRST_YEAR, LAST_YEAR), (1970, 2199));
    let every_second = utc("* * * * * *");
    assert_eq!(
        every_second.next_after(Timestamp::MIN),
        Some(at("1970-01-01T00:00:00Z"))
    );
    assert_eq!(
        every_second.previous_before(Timestamp::MAX),
        Some(at("2199-12-31T23:59:59Z"))
    );
    assert_eq!(
        every_second.next_after(at("1969-12-31T23:59:59.5Z")),
        Some(at("1970-01-01T00:00:00Z"))
    );
    assert_eq!(every_second.next_after(at("2199-12-31T23:59:59.5Z")), None);
    assert_eq!(every_second.previous_before(at("1970-01-01T00:00:00Z")), None);
    for text in ["@every 1s", "@every 36525d"] {
        let every = utc(text);
        assert_eq!(every.next_after(Timestamp::MIN), Some(at("1970-01-01T00:00:00Z")));
        assert_eq!(every.next_after(Timestamp::MAX), None);
        assert!(every.previous_before(Timestamp::MAX).unwrap() < at("2200-01-01T00:00:00Z"));
    }
}

#[test]
fn a_schedule_whose_time_is_over_says_so() {
    let now = at("2026-11-22T12:00:00Z");
    let refusal = |text: &str| utc(text).check_fires_after(now).unwrap_err().to_string();
    assert_eq!(
        refusal("0 0 0 1 1 * 2020-2026"),
        r#"schedule "0 0 0 1 1 * 2020-2026": never fires: its last tick is past; the year field allows no later one"#
    );
    assert_eq!(
        refusal("@at 2026-11-22T12:00:00Z"),
        r#"schedule "@at 2026-11-22T12:00:00Z": never fires: its instant is past"#
    );
    for text in ["0 0 29 2 *", "@reboot", "@every 1w", "@at 2026-11-22T12:00:01Z"] {
        assert_eq!(utc(text).check_fires_after(now), Ok(()), "{text}");
    }
}

#[test]
fn an_interval_keeps_to_its_anchor() {
    let context = |start: &str| ParseContext {
        start: Some(at(start)),
        ..ParseContext::default()
    };
    let every = Schedule::parse("@every 7m", &context("2027-01-01T00:00:30.5Z")).unwrap();
    let ticks: Vec<_> = every.upcoming(at("2026-01-01T00:00:00Z")).take(3).collect();
    let expected = [
        "2027-01-01T00:00:30.5Z",
        "2027-01-01T00:07:30.5Z",
        "2027-01-01T00:14:30.5Z",
    ]
    .map(at);
    assert_eq!(ticks, expected, "the first tick is the start, none is before it");
    assert_eq!(every.previous_before(at("2027-01-01T00:00:30.5Z")), None);
    // Years later, from whatever instant, the ticks are the same ones: no drift, no matter who asks.
    let far = at("2037-05-05T05:05:05.123Z");
    let next = every.next_after(far).unwrap();
    let since_anchor = next.as_nanosecond() - expected[0].as_nanosecond();
    assert_eq!(since_anchor % (7 * 60 * 1_000_000_000), 0);
    assert_eq!(
        every.previous_before(next),
        Some(next - jiff::SignedDuration::from_mins(7))
    );
    // Other schedules take no notice of the start.
    let daily = Schedule::parse("@daily", &context("2027-01-01T00:00:30Z")).unwrap();
    assert_eq!(
        daily.next_after(at("2026-01-01T12:00:00Z")),
        Some(at("2026-01-02T00:00:00Z"))
    );
}

proptest! {
    #![proptest_config(Config { cases: 20_000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_text_is_read_or_refused_in_one_line(text in prop_oneof![
        ".*",
        "[-0-9*/,?LWH#+@ ()a-z\t]{0,40}",
        "([0-9*?LWHMFJ/,#+()-]{1,5}[ \t]){4,6}[0-9*?LWHMF/,#+()-]{1,5}",
        "@(every|at|daily|reboot|[a-z]{0,8})[ 0-9a-zTZ:.+-]{0,30}",
    ]) {
        match Schedule::parse(&text, &ParseContext::default()) {
            Err(error) => {
                let message = error.to_string();
                prop_assert!(message.starts_with("schedule \""), "{}", message);
                prop_assert_eq!(message.lines().count(), 1);
                prop_assert!(!message.contains("CronPattern"), "a check is missing before croner's: {}", message);
            }
            Ok(schedule) => {
                schedule.next_after(Timestamp::UNIX_EPOCH);
                schedule.previous_before(Timestamp::MAX);
                if let Some(fields) = schedule.fields() {
                    // What it was resolved to is a schedule too, and the same one.
                    let again = utc(fields);
                    prop_assert_eq!(again.fields(), Some(fields));
                }
            }
        }
    }

    #[test]
    fn the_end_of_a_stretch_is_in_it_and_its_start_is_not(
        text in random::any(), after in random::instant(), hours in 0_i64..2_000,
    ) {
        let schedule = utc(&text);
        let until = after + jiff::SignedDuration::from_hours(hours);
        let ticks: Vec<_> = schedule.between(after, until).take(50).collect();
        prop_assert!(ticks.iter().all(|tick| *tick > after && *tick <= until && schedule.is_tick(*tick)));
        prop_assert!(ticks.is_sorted());
        if let Some(first) = ticks.first() {
            prop_assert!(schedule.between(*first, until).next() != Some(*first));
            prop_assert_eq!(schedule.between(after, *first).collect::<Vec<_>>(), vec![*first]);
        }
    }
}
