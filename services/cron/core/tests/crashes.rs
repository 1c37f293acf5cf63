//! Crashes at any instant, a write cut at any byte among them: no tick is forgotten, and no run that the disk knows to
//! be over is started again.

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
use simulation::{Behaviour, World};

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
                prop_assert!(ends.len() == 1, "{id} ended as {ends:?}\n{}", world.trace);
                let given_up = ends[0] == End::Interrupted && deaths.len() >= 3;
                prop_assert!(ends[0] == End::Succeeded || given_up, "{id} ended as {ends:?}\n{}", world.trace);
            }
        }
    }
}
