//! Crashes at any instant, a write cut at any byte among them: no tick is forgotten, and no run that the disk knows to
//! be over is started again. Nor is one when the clock jumps, whatever else happens.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]
#![allow(unreachable_pub, dead_code)]

mod simulation;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mainstay_cron_core::policy::{Misfire, Overlap};
use mainstay_cron_core::schedule::{ParseContext, Schedule, Zone};
use mainstay_cron_core::{End, Job, Limits, Moment, Outcome, Policy, run_id};
use proptest::prelude::*;
use simulation::{Behaviour, Step, World};

const START: i64 = 1_763_780_400_000_000_000;

/// How the service dies: how long after it started, at which share of its next write, and how long it stays down.
#[derive(Clone, Debug)]
struct Death {
    after: Duration,
    share: usize,
    down: Duration,
}

fn death() -> impl Strategy<Value = Death> {
    (0..30_000_u64, any::<usize>(), 0..20_000_u64).prop_map(|(after, share, down)| Death {
        after: Duration::from_millis(after),
        share,
        down: Duration::from_millis(down),
    })
}

fn job(name: &str, schedule: &str, overlap: Overlap) -> Job {
    let policy = Policy {
        overlap,
        misfire: Misfire::All,
        queue: 1000,
        ..Policy::default()
    };
    job_with(name, schedule, policy)
}

fn job_with(name: &str, schedule: &str, policy: Policy) -> Job {
    Job {
        name: name.into(),
        schedule: Arc::new(Schedule::parse(schedule, &ParseContext::default()).unwrap()),
        policy: Arc::new(policy),
        zone: Zone::utc(),
        payload: [].into(),
    }
}

fn world() -> World {
    let jobs = vec![
        job("quick", "*/5 * * * * *", Overlap::Allow),
        job("slow", "*/15 * * * * *", Overlap::Queue),
        job("flaky", "*/20 * * * * *", Overlap::Allow),
    ];
    let behaviour = |takes, outcomes: &[Outcome]| Behaviour {
        takes: Duration::from_millis(takes),
        outcomes: outcomes.to_vec(),
    };
    let retry = Outcome::Retry("not yet".to_owned());
    let behaviours = HashMap::from([
        ("quick".to_owned(), behaviour(50, &[Outcome::Succeeded])),
        ("slow".to_owned(), behaviour(7_000, &[Outcome::Succeeded])),
        (
            "flaky".to_owned(),
            behaviour(10, &[retry.clone(), Outcome::Succeeded, retry, Outcome::Succeeded]),
        ),
    ]);
    World::new(Limits::default(), jobs, behaviours, Moment::from_nanoseconds(START))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn a_crash_at_any_instant_neither_forgets_a_tick_nor_repeats_a_finished_one(
        deaths in proptest::collection::vec(death(), 0..12),
    ) {
        let mut world = world();
        let mut time = Duration::ZERO;
        for death in &deaths {
            world.run_until(time + death.after);
            world.dies_writing = Some(death.share);
            world.run_until(time + death.after + Duration::from_secs(60));
            world.dies_writing = None;
            world.crash(death.down);
            time = world.elapsed();
        }
        // Time for everything to come to its end. The last ticks of all may still be on their way.
        let end = time + Duration::from_secs(600);
        world.run_until(end + Duration::from_secs(40));
        world.check_the_disk();
        for (_, job) in world.engine.jobs() {
            let mut tick = Moment::from_nanoseconds(START).just_before();
            loop {
                tick = job.next_after(tick).unwrap();
                if tick > Moment::from_nanoseconds(START).plus(end) {
                    break;
                }
                let id = run_id(&job.name, tick);
                let ends = world.ended.get(&id).cloned().unwrap_or_default();
                prop_assert!(ends == [End::Succeeded], "{id} ended as {ends:?}\n{}", world.trace);
            }
        }
    }
}

/// Something happens to the clock or to the service, so long after what happened before.
fn happening() -> impl Strategy<Value = (Duration, Step)> {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let step = prop_oneof![
        (1..600_u64).prop_map(move |by| Step::Forward(minutes(by))),
        (1..600_u64).prop_map(move |by| Step::Back(minutes(by))),
        (0..200_u64).prop_map(move |down| Step::Crash(minutes(down))),
    ];
    (0..300_u64, step).prop_map(move |(after, step)| (minutes(after), step))
}

fn world_of_sparse_jobs() -> World {
    let mut jobs = Vec::new();
    for (word, misfire) in [("skip", Misfire::Skip), ("once", Misfire::Once), ("all", Misfire::All)] {
        for (schedule, jitter) in [
            ("@hourly", 0),
            ("20 */3 * * *", 0),
            ("@hourly", 3000),
            ("@daily", 50_000),
        ] {
            let policy = Policy {
                misfire,
                jitter: Duration::from_secs(jitter),
                ..Policy::default()
            };
            jobs.push(job_with(&format!("{word}-{}", jobs.len()), schedule, policy));
        }
    }
    let behaviour = Behaviour {
        takes: Duration::from_millis(100),
        outcomes: vec![Outcome::Succeeded],
    };
    let behaviours = jobs.iter().map(|job| (job.name.to_string(), behaviour.clone()));
    let behaviours = behaviours.collect();
    World::new(Limits::default(), jobs, behaviours, Moment::from_nanoseconds(START))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]

    #[test]
    fn a_clock_that_jumps_either_way_fires_nothing_twice(
        // No more than are remembered.
        happenings in proptest::collection::vec(happening(), 0..8),
    ) {
        let mut world = world_of_sparse_jobs();
        for (after, step) in &happenings {
            world.run_until(world.elapsed() + *after);
            world.step(step);
        }
        world.run_until(world.elapsed() + Duration::from_secs(20 * 60 * 60));
        // The world itself fails when a run is started that has ended.
        for (run, ends) in &world.ended {
            prop_assert!(ends.len() == 1, "{run} ended as {ends:?}\n{}", world.trace);
        }
    }
}
