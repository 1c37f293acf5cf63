//! Changes of the clocks, zone by zone and rule by rule: the table in `dst/`, and what holds in every zone there is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod schedule_support;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use mainstay_cron_core::schedule::{DstRule, Schedule};
use schedule_support::brute::Brute;
use schedule_support::table::{self, Vector};
use schedule_support::{at, schedule, walk};

#[test]
fn changes_of_the_clocks_in_ten_zones_under_both_rules() {
    let vectors = table::read("dst/zones.txt");
    let zones: BTreeSet<_> = vectors.iter().map(zone_of).collect();
    assert!(zones.len() >= 10, "{zones:?}");
    table::run(&vectors, check);
}

#[test]
fn no_overlap_since_2000_is_longer_than_three_hours_and_only_the_date_line_makes_longer_gaps() {
    // What the rules rest on: Vixie cron takes longer changes for corrections of the clock.
    let since = at("2000-01-01T00:00:00Z");
    let limit = SignedDuration::from_hours(3).as_secs();
    let mut longer_gaps = BTreeSet::new();
    let database = jiff::tz::TimeZoneDatabase::bundled();
    let mut zones = 0;
    for name in database.available() {
        let zone = database.get(name.as_str()).unwrap();
        zones += 1;
        let mut offset = zone.to_offset(since).seconds();
        for change in zone
            .following(since)
            .take_while(|change| change.timestamp() < at("2200-01-01T00:00:00Z"))
        {
            let by = i64::from(change.offset().seconds() - offset);
            offset = change.offset().seconds();
            assert!(by >= -limit, "{}: {by} s at {}", name.as_str(), change.timestamp());
            if by > limit {
                longer_gaps.insert(format!("{} {}", name.as_str(), change.timestamp().strftime("%F")));
            }
        }
    }
    println!("{zones} zones; {longer_gaps:?}");
    assert!(zones >= 590, "{zones}");
    let expected = ["Pacific/Apia 2011-12-30", "Pacific/Fakaofo 2011-12-30"];
    assert_eq!(longer_gaps, expected.map(str::to_owned).into());
}

#[test]
fn an_every_minute_schedule_fires_every_minute_of_real_time_in_every_zone() {
    for name in jiff::tz::TimeZoneDatabase::bundled().available() {
        for rule in [DstRule::Skip, DstRule::Vixie] {
            let schedule = schedule("* * * * *", name.as_str(), rule);
            let mut now = at("2025-01-01T00:00:00Z");
            // A look around each change of 2025 and 2026 finds the same as around any other time.
            while now < at("2027-01-01T00:00:00Z") {
                let next = schedule.next_after(now).unwrap();
                assert_eq!(next, now + SignedDuration::from_mins(1), "{} {rule:?}", name.as_str());
                now += SignedDuration::from_mins(30);
            }
        }
    }
}

#[test]
fn a_gap_is_made_up_for_in_the_very_instant_it_ends() {
    let schedule = schedule("30 2 * * *", "America/New_York", DstRule::Vixie);
    let end = at("2025-03-09T03:00:00-04:00");
    for before in [1, 999_999_999, 1_000_000_000, 2_000_000_000] {
        assert_eq!(schedule.next_after(end - SignedDuration::from_nanos(before)), Some(end));
    }
    assert!(schedule.is_tick(end));
    assert_eq!(schedule.next_after(end), Some(at("2025-03-10T02:30:00-04:00")));
    assert_eq!(schedule.previous_before(end), Some(at("2025-03-08T02:30:00-05:00")));
}

#[test]
fn every_change_of_the_clocks_in_every_zone_agrees_with_a_walk_through_it() {
    let patterns = [
        "* * * * *",
        "*/10 1-23/2 * * *",
        "7 0-23 * * *",
        "30 0,3,6,9,12,15,18,21 * * *",
        "0 0 * * *",
    ];
    let patterns = patterns.map(|text| (text, Brute::new(text)));
    let database = jiff::tz::TimeZoneDatabase::bundled();
    let mut seen = BTreeSet::new();
    for name in database.available() {
        let zone = database.get(name.as_str()).unwrap();
        let in_years = zone
            .following(at("2000-01-01T00:00:00Z"))
            .take_while(|change| change.timestamp() < at("2031-01-01T00:00:00Z"));
        let changes: Vec<_> = in_years.map(|change| (change.timestamp(), change.offset())).collect();
        // Zones that are the same as another since 2000 say nothing new.
        if !seen.insert(changes.clone()) {
            continue;
        }
        for ((change, _), (text, brute)) in changes
            .iter()
            .flat_map(|change| patterns.iter().map(move |pattern| (change, pattern)))
        {
            let (from, until) = (
                *change - SignedDuration::from_hours(5),
                *change + SignedDuration::from_hours(5),
            );
            for rule in [DstRule::Skip, DstRule::Vixie] {
                let expected = walk::ticks(brute, &zone, rule, from, until, SignedDuration::from_mins(1));
                let (forwards, backwards) = both_ways(&schedule(text, name.as_str(), rule), from, until);
                assert!(
                    forwards == expected && backwards == expected,
                    "{text} {rule:?} in {} at {change}",
                    name.as_str()
                );
            }
        }
    }
}

/// The ticks in `from..until`, found forwards and found backwards.
fn both_ways(schedule: &Schedule, from: Timestamp, until: Timestamp) -> (Vec<Timestamp>, Vec<Timestamp>) {
    let just_before = SignedDuration::from_nanos(1);
    let forwards = schedule.between(from - just_before, until - just_before).collect();
    let before = |tick: &Timestamp| schedule.previous_before(*tick).filter(|tick| *tick >= from);
    let mut backwards: Vec<_> = std::iter::successors(before(&until), before).collect();
    backwards.reverse();
    (forwards, backwards)
}

fn zone_of(vector: &Vector) -> &str {
    vector.heading.split(':').next().unwrap()
}

fn check(vector: &Vector) -> Result<(), String> {
    let rules: &[DstRule] = match vector.verb.as_str() {
        "both" => &[DstRule::Skip, DstRule::Vixie],
        "skip" => &[DstRule::Skip],
        "vixie" => &[DstRule::Vixie],
        other => panic!("{}: there is no rule {other:?}", vector.place),
    };
    for rule in rules {
        let schedule = schedule(&vector.pattern, zone_of(vector), *rule);
        fires(&schedule, &vector.arguments).map_err(|why| format!("{rule:?}: {why}"))?;
    }
    Ok(())
}

/// `AFTER -> TICK | TICK`, and the same on the way back.
fn fires(schedule: &Schedule, arguments: &str) -> Result<(), String> {
    let (after, expected) = arguments.split_once("->").expect("an arrow");
    let after = at(after.trim());
    let expected: Vec<_> = expected.split('|').map(|tick| at(tick.trim())).collect();
    let just_after = SignedDuration::from_nanos(1);
    let (forwards, backwards) = both_ways(schedule, after + just_after, *expected.last().unwrap() + just_after);
    if forwards == expected && backwards == expected {
        return Ok(());
    }
    Err(format!(
        "\n    forwards  {forwards:?}\n    backwards {backwards:?}\n    expected  {expected:?}"
    ))
}
