//! The vectors of OCPS, clause by clause, and of what the crate adds to it: the tables in `ocps/`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod schedule_support;

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use mainstay_cron_core::schedule::{ParseContext, Schedule};
use schedule_support::table::{self, Vector};

/// The clauses of each version that say what a pattern is or does; each has vectors.
const CLAUSES: [(&str, &[&str]); 5] = [
    (
        "1.0",
        &["§3", "§4.1", "§4.2", "§5", "§5.1", "§6.1", "§6.2", "§6.3", "§6.4"],
    ),
    ("1.1", &["§3", "§7.1", "§7.2"]),
    ("1.2", &["§3", "§4.1", "§4.2", "§4.3"]),
    ("1.3", &["§3", "§4", "§4.1", "§4.2", "§4.3"]),
    ("1.4", &["§3", "§4.1.1", "§4.1.2", "§4.2", "§4.3.2"]),
];

#[test]
fn ocps_1_0_the_baseline() {
    table::run(&table::read("ocps/1.0.txt"), check);
}

#[test]
fn ocps_1_1_predefined_schedules() {
    table::run(&table::read("ocps/1.1.txt"), check);
}

#[test]
fn ocps_1_2_seconds_and_years() {
    table::run(&table::read("ocps/1.2.txt"), check);
}

#[test]
fn ocps_1_3_calendar_modifiers() {
    table::run(&table::read("ocps/1.3.txt"), check);
}

#[test]
fn ocps_1_4_logic_and_limits() {
    table::run(&table::read("ocps/1.4.txt"), check);
}

#[test]
fn hashed_fields_intervals_and_instants() {
    table::run(&table::read("ocps/beyond.txt"), check);
}

#[test]
fn schedules_in_words() {
    table::run(&table::read("ocps/words.txt"), check);
}

#[test]
fn every_clause_has_vectors_and_there_are_two_hundred() {
    let mut vectors = 0;
    for (version, clauses) in CLAUSES {
        let mut per_clause = BTreeMap::new();
        for vector in table::read(&format!("ocps/{version}.txt")) {
            let mut words = vector.heading.split(' ');
            assert_eq!(
                words.next(),
                Some(version),
                "{}: the heading names its version",
                vector.place
            );
            *per_clause.entry(words.next().unwrap().to_owned()).or_insert(0) += 1;
        }
        println!("OCPS {version}: {per_clause:?}");
        let cited: Vec<_> = per_clause.keys().map(String::as_str).collect();
        assert_eq!(cited, clauses, "OCPS {version}");
        vectors += per_clause.values().sum::<i32>();
    }
    println!("{vectors} vectors");
    assert!(vectors >= 200, "{vectors}");
}

fn check(vector: &Vector) -> Result<(), String> {
    let parsed = parse(&vector.pattern);
    if vector.verb == "refused" {
        let message = parsed.err().ok_or("it is accepted")?.to_string();
        let expected = format!("schedule {:?}: {}", vector.pattern, vector.arguments);
        return if message == expected {
            Ok(())
        } else {
            Err(format!("\n    {message}\n    {expected}"))
        };
    }
    let schedule = parsed.map_err(|error| error.to_string())?;
    match vector.verb.as_str() {
        "accepts" => Ok(()),
        "matches" => all(&vector.arguments, |time| schedule.is_tick(time)),
        "misses" => all(&vector.arguments, |time| !schedule.is_tick(time)),
        "next" => next(&schedule, &vector.arguments),
        "same" => same(&schedule, &vector.arguments),
        "fields" => equal(schedule.fields().unwrap_or("none"), &vector.arguments),
        "words" => equal(schedule.describe().as_str(), &vector.arguments),
        "never" => never(&schedule, &vector.arguments),
        "startup" => {
            let now = civil("2025-01-01T00:00");
            equal(schedule.next_after(now), None)?;
            equal(schedule.previous_before(now), None)?;
            equal(schedule.check_fires_after(now), Ok(()))?;
            equal(schedule.is_startup(), true)
        }
        other => panic!("{}: there is no verb {other:?}", vector.place),
    }
}

fn parse(text: &str) -> Result<Schedule, mainstay_cron_core::schedule::ScheduleError> {
    Schedule::parse(
        text,
        &ParseContext {
            job: "backup",
            ..ParseContext::default()
        },
    )
}

fn civil(text: &str) -> Timestamp {
    let civil: DateTime = text.trim().parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    TimeZone::UTC.to_timestamp(civil).unwrap()
}

fn all(times: &str, holds: impl Fn(Timestamp) -> bool) -> Result<(), String> {
    let wrong: Vec<_> = times.split('|').filter(|time| !holds(civil(time))).collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("not so at {wrong:?}"))
    }
}

/// `AFTER -> TICK | TICK`, in which `end` says that no tick follows.
fn next(schedule: &Schedule, arguments: &str) -> Result<(), String> {
    let (after, expected) = arguments.split_once("->").expect("an arrow");
    let after = civil(after);
    let mut now = after;
    for tick in expected.split('|').map(str::trim) {
        let found = schedule.next_after(now);
        if tick == "end" {
            equal(found, None)?;
            continue;
        }
        equal(found, Some(civil(tick)))?;
        // And the same on the way back.
        equal(
            schedule.previous_before(civil(tick) + SignedDuration::from_nanos(1)),
            found,
        )?;
        now = civil(tick);
    }
    Ok(())
}

/// The same ticks from many starts, forwards and backwards.
fn same(schedule: &Schedule, other: &str) -> Result<(), String> {
    let other = parse(other.trim_matches('"')).map_err(|error| error.to_string())?;
    for start in [
        "1969-01-01T00:00",
        "1999-12-28T13:14:15",
        "2024-02-27T05:06:07",
        "2025-10-31T23:59:59",
        "2199-06-06T06:00",
    ] {
        let start = civil(start);
        let (mut ticks, mut others) = (schedule.upcoming(start), other.upcoming(start));
        for _ in 0..500 {
            equal(ticks.next(), others.next())?;
        }
        equal(schedule.previous_before(start), other.previous_before(start))?;
    }
    Ok(())
}

fn never(schedule: &Schedule, message: &str) -> Result<(), String> {
    equal(schedule.next_after(Timestamp::MIN), None)?;
    equal(schedule.previous_before(Timestamp::MAX), None)?;
    let error = schedule.check_fires_after(civil("2025-01-01T00:00")).unwrap_err();
    equal(error.to_string(), format!("schedule {:?}: {message}", schedule.text()))
}

fn equal<T: std::fmt::Debug + PartialEq>(found: T, expected: T) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("\n    found    {found:?}\n    expected {expected:?}"))
    }
}
