//! `H`: stable for a job, spread over jobs, and different from field to field.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::collections::BTreeMap;

use mainstay_cron_core::schedule::{DstRule, ParseContext, Schedule};
use proptest::prelude::*;

fn fields(text: &str, job: &str) -> String {
    let schedule = Schedule::parse(
        text,
        &ParseContext {
            job,
            ..ParseContext::default()
        },
    )
    .unwrap();
    schedule.fields().unwrap().to_owned()
}

#[test]
fn the_values_depend_on_the_jobs_name_and_nothing_else() {
    let context = ParseContext {
        job: "report",
        zone: "Asia/Tokyo".parse().unwrap(),
        dst: DstRule::Vixie,
        start: Some("2027-01-01T00:00:00Z".parse().unwrap()),
    };
    let schedule = Schedule::parse("H H * * H", &context).unwrap();
    assert_eq!(schedule.fields().unwrap(), fields("H H * * H", "report"));
    assert_ne!(fields("H H H H H", "report"), fields("H H H H H", "report-2"));
}

#[test]
fn jobs_spread_evenly_over_an_hour() {
    let mut jobs_at = BTreeMap::new();
    for job in 0..6_000 {
        *jobs_at.entry(fields("H * * * *", &format!("job-{job}"))).or_insert(0) += 1;
    }
    assert_eq!(jobs_at.len(), 60, "every minute has jobs");
    let (fewest, most) = (jobs_at.values().min().unwrap(), jobs_at.values().max().unwrap());
    // 100 each on average; five standard deviations are 50.
    assert!(*fewest > 50 && *most < 150, "{fewest} to {most} jobs a minute");
}

#[test]
fn the_hour_does_not_follow_from_the_minute() {
    let pairs: std::collections::BTreeSet<_> = (0..6_000).map(|job| fields("H H * * *", &job.to_string())).collect();
    // 6,000 throws into 1,440 cells leave about 22 empty.
    assert!(pairs.len() > 1_380, "{} of 1440 times of day", pairs.len());
}

#[test]
fn a_hashed_day_of_the_month_is_in_every_month() {
    for job in 0..500 {
        let name = job.to_string();
        let schedule = Schedule::parse(
            "0 0 H * *",
            &ParseContext {
                job: &name,
                ..ParseContext::default()
            },
        )
        .unwrap();
        let after = "2026-12-31T23:00:00Z".parse().unwrap();
        let twelfth = schedule.upcoming(after).nth(11).unwrap();
        assert!(twelfth.to_string().starts_with("2027-12-"), "{twelfth}");
    }
}

proptest! {
    #[test]
    fn hashed_values_stay_in_their_range(job in ".*", low in 0_u16..60, width in 0_u16..60, step in 1_u16..70) {
        let high = (low + width).min(59);
        let minute = fields(&format!("H({low}-{high}) * * * *"), &job);
        let minute: u16 = minute.split(' ').nth(1).unwrap().parse().unwrap();
        prop_assert!((low..=high).contains(&minute));
        let stepped = fields(&format!("H({low}-{high})/{step} * * * *"), &job);
        let start: u16 = stepped.split([' ', '-']).nth(1).unwrap().parse().unwrap();
        prop_assert!((low..=high).contains(&start) && start < low + step);
    }
}
