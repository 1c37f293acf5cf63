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

use jiff::SignedDuration;
use mainstay_cron_core::schedule::{DstRule, Schedule};
use schedule_support::table::{self, Vector};
use schedule_support::{at, schedule};

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
    let forwards: Vec<_> = schedule.upcoming(after).take(expected.len()).collect();
    let mut backwards = Vec::new();
    let mut before = *expected.last().unwrap() + SignedDuration::from_nanos(1);
    while let Some(tick) = schedule.previous_before(before).filter(|tick| *tick > after) {
        backwards.insert(0, tick);
        before = tick;
    }
    if forwards == expected && backwards == expected {
        return Ok(());
    }
    Err(format!(
        "\n    forwards  {forwards:?}\n    backwards {backwards:?}\n    expected  {expected:?}"
    ))
}
