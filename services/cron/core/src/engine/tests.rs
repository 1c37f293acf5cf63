use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::policy::{Overlap, Policy};
use crate::run::Outcome;
use crate::schedule::{DstRule, ParseContext, Schedule, Zone};

fn jobs(count: usize, schedule: &str, policy: Policy) -> Vec<Job> {
    let schedule = Arc::new(Schedule::parse(schedule, &ParseContext::default()).unwrap());
    let policy = Arc::new(policy);
    let job = |number| Job {
        name: format!("job-{number}").into(),
        schedule: schedule.clone(),
        policy: policy.clone(),
        zone: Zone::utc(),
        payload: [].into(),
    };
    (0..count).map(job).collect()
}

fn at(seconds: u64) -> Now {
    let start = Moment::from_nanoseconds(1_763_780_400_000_000_000);
    Now {
        wall: start.plus(Duration::from_secs(seconds)),
        steady: Duration::from_secs(seconds),
    }
}

fn starts(actions: &[Action]) -> Vec<RunKey> {
    actions
        .iter()
        .filter_map(|action| {
            if let Action::Start(start) = action {
                Some(start.key)
            } else {
                None
            }
        })
        .collect()
}

#[test]
fn twenty_thousand_jobs_due_together_are_claimed_in_turns_and_started_as_callbacks_end() {
    let limits = Limits {
        in_flight: 256,
        ..Limits::default()
    };
    let (mut engine, _) = Engine::new(limits, jobs(20_000, "* * * * *", Policy::default()), None, true, at(1));
    let began = Instant::now();
    let mut actions = Vec::new();
    let mut turns = 0;
    let mut done = 0;
    while done < 20_000 {
        engine.poll(at(60), &mut actions);
        turns += 1;
        let batch = engine.take_journal();
        assert!(!batch.lines.is_empty());
        let started = starts(&actions);
        assert!(started.len() <= 256 && engine.in_flight() <= 256);
        actions.clear();
        for key in started {
            engine.finished(key, Outcome::Succeeded, Duration::from_millis(1), at(60), &mut actions);
            done += 1;
        }
    }
    assert!(turns <= 20_000 / 256 + 20_000 / CLAIMS_PER_TURN + 2, "{turns} turns");
    assert_eq!(engine.next_wake(at(60)), Some(Duration::from_secs(60)));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn twenty_thousand_jobs_that_fall_due_faster_than_they_run_lose_nothing_and_keep_each_ones_order() {
    for overlap in [Overlap::Allow, Overlap::Queue] {
        let policy = Policy {
            overlap,
            ..Policy::default()
        };
        let limits = Limits::default();
        let (mut engine, _) = Engine::new(limits, jobs(20_000, "* * * * * *", policy), None, false, at(2));
        // Every second all of them are due, and no more than 4,000 callbacks end.
        let (mut started, mut ended) = (vec![Vec::new(); 20_000], 0);
        let (mut in_flight, mut draws) = (Vec::new(), 0_u64);
        let mut actions = Vec::new();
        for second in 2..=4 {
            for _ in 0..4_000 {
                engine.poll(at(second), &mut actions);
                for key in starts(&actions) {
                    started[key.job.0 as usize].push(key.scheduled);
                    in_flight.push(key);
                }
                actions.clear();
                assert!(in_flight.len() <= limits.in_flight);
                // They end in any order.
                draws += 1;
                let any = crate::hash::stable(&[&draws.to_le_bytes()]) as usize % in_flight.len();
                let key = in_flight.swap_remove(any);
                engine.finished(key, Outcome::Succeeded, Duration::ZERO, at(second), &mut actions);
                ended += 1;
            }
        }
        let last = at(4);
        for job in (0..20_000).map(JobId) {
            engine.suspend(job);
        }
        while ended < 60_000 {
            engine.poll(last, &mut actions);
            in_flight.extend(starts(&actions));
            for key in starts(&actions) {
                started[key.job.0 as usize].push(key.scheduled);
            }
            actions.clear();
            for key in in_flight.drain(..) {
                engine.finished(key, Outcome::Succeeded, Duration::ZERO, last, &mut actions);
                ended += 1;
            }
        }
        let ticks: Vec<Moment> = (2..=4).map(|second| at(second).wall).collect();
        assert!(started.iter().all(|runs| *runs == ticks), "{overlap:?}");
        assert_eq!((engine.in_flight(), engine.waiting()), (0, 0));
    }
}

#[test]
fn a_turn_that_leaves_ticks_unclaimed_does_not_call_them_decided() {
    let count = CLAIMS_PER_TURN + 10;
    let all = jobs(count, "* * * * *", Policy::default());
    let limits = Limits {
        in_flight: 1,
        ..Limits::default()
    };
    let (mut engine, _) = Engine::new(limits, all.clone(), None, true, at(1));
    let mut disk = engine.snapshot();
    engine.poll(at(60), &mut Vec::new());
    disk.extend_from_slice(&engine.take_journal().lines);
    for disk in [disk, engine.snapshot()] {
        let loaded = journal::decode(&disk).unwrap();
        let (mut engine, _) = Engine::new(limits, all.clone(), Some(loaded), true, at(61));
        engine.poll(at(61), &mut Vec::new());
        engine.poll(at(61), &mut Vec::new());
        let claimed = engine.state().jobs.iter().filter(|state| state.runs == 1).count();
        assert_eq!(claimed, count);
    }
}

#[test]
fn ticks_of_a_gap_that_take_many_turns_to_claim_are_of_one_gap() {
    let count = 3 * CLAIMS_PER_TURN;
    let limits = Limits::default();
    let all = jobs(count, "@hourly", Policy::default());
    let (mut engine, _) = Engine::new(limits, all, None, true, at(1));
    let mut disk = engine.snapshot();
    // Two hours later, and two more turns.
    for second in 7200..7203 {
        engine.poll(at(second), &mut Vec::new());
        disk.extend_from_slice(&engine.take_journal().lines);
    }
    let kept = journal::decode(&disk).unwrap().state;
    for state in [engine.state(), &kept] {
        assert_eq!(state.lived.past().len(), 1, "{:?}", state.lived);
        assert!(state.jobs.iter().all(|job| job.runs == 1));
    }
}

#[test]
fn claims_ask_for_a_sync_and_outcomes_do_not() {
    let (mut engine, _) = Engine::new(
        Limits::default(),
        jobs(1, "* * * * *", Policy::default()),
        None,
        true,
        at(1),
    );
    let mut actions = Vec::new();
    engine.poll(at(30), &mut actions);
    assert_eq!(engine.take_journal(), Batch::default());
    engine.poll(at(60), &mut actions);
    assert!(engine.take_journal().sync);
    let key = starts(&actions)[0];
    engine.finished(key, Outcome::Succeeded, Duration::ZERO, at(61), &mut actions);
    engine.poll(at(61), &mut actions);
    let batch = engine.take_journal();
    assert!(!batch.sync && !batch.lines.is_empty());
}

#[test]
fn an_engine_that_keeps_nothing_writes_nothing() {
    let (mut engine, _) = Engine::new(
        Limits::default(),
        jobs(1, "* * * * *", Policy::default()),
        None,
        false,
        at(1),
    );
    engine.poll(at(60), &mut Vec::new());
    assert_eq!(engine.take_journal(), Batch::default());
}

#[test]
fn an_outcome_that_nobody_asked_for_changes_nothing() {
    let (mut engine, _) = Engine::new(
        Limits::default(),
        jobs(1, "* * * * *", Policy::default()),
        None,
        true,
        at(1),
    );
    let before = engine.state().clone();
    let key = RunKey {
        job: JobId(0),
        scheduled: at(60).wall,
    };
    engine.finished(key, Outcome::Succeeded, Duration::ZERO, at(2), &mut Vec::new());
    engine.finished(
        RunKey { job: JobId(7), ..key },
        Outcome::TimedOut,
        Duration::ZERO,
        at(2),
        &mut Vec::new(),
    );
    assert_eq!(*engine.state(), before);
}

#[test]
fn a_schedule_that_changed_makes_nothing_up() {
    let limits = Limits::default();
    let policy = || Policy {
        overlap: Overlap::Forbid,
        ..Policy::default()
    };
    let (engine, _) = Engine::new(limits, jobs(1, "0 * * * *", policy()), None, true, at(1));
    let loaded = journal::decode(&engine.snapshot()).unwrap();
    let (mut engine, recovered) = Engine::new(limits, jobs(1, "* * * * *", policy()), Some(loaded), true, at(7290));
    assert_eq!(recovered.known, 1);
    let mut actions = Vec::new();
    engine.poll(at(7290), &mut actions);
    assert_eq!(actions, []);
    assert_eq!(engine.next_tick(JobId(0)), Some(at(7320).wall));
}

#[test]
fn a_job_makes_nothing_up_when_its_rule_or_anchor_changed_or_its_configuration_lets_it_go_on() {
    let limits = Limits::default();
    let job = |schedule: &str, suspend, dst, start: Option<Moment>| {
        let context = ParseContext {
            dst,
            start: start.map(jiff::Timestamp::from),
            ..ParseContext::default()
        };
        let policy = Policy {
            suspend,
            start,
            ..Policy::default()
        };
        Job {
            schedule: Arc::new(Schedule::parse(schedule, &context).unwrap()),
            ..jobs(1, "* * * * *", policy).remove(0)
        }
    };
    let (skip, vixie) = (DstRule::Skip, DstRule::Vixie);
    for (before, after) in [
        (
            job("0 4 * * *", false, skip, None),
            job("0 4 * * *", false, vixie, None),
        ),
        (
            job("@every 1m", false, skip, None),
            job("@every 1m", false, skip, Some(at(0).wall)),
        ),
        (job("* * * * *", true, skip, None), job("* * * * *", false, skip, None)),
    ] {
        let (engine, _) = Engine::new(limits, vec![before], None, true, at(1));
        let loaded = journal::decode(&engine.snapshot()).unwrap();
        let day_and_a_half = at(36 * 60 * 60 + 30);
        let (mut engine, _) = Engine::new(limits, vec![after], Some(loaded), true, day_and_a_half);
        let mut actions = Vec::new();
        engine.poll(day_and_a_half, &mut actions);
        assert_eq!(actions, []);
        assert!(engine.next_tick(JobId(0)).unwrap() > day_and_a_half.wall);
    }
}

#[test]
fn a_job_shows_no_more_ticks_than_it_may_run() {
    let policy = Policy {
        max_runs: Some(3),
        ..Policy::default()
    };
    let (mut engine, _) = Engine::new(Limits::default(), jobs(1, "* * * * *", policy), None, false, at(1));
    assert_eq!(engine.upcoming(JobId(0), 5, at(1)).len(), 3);
    engine.poll(at(60), &mut Vec::new());
    assert_eq!(engine.upcoming(JobId(0), 5, at(60)).len(), 2);
}

#[test]
fn a_job_that_left_the_configuration_is_dropped_with_its_runs() {
    let limits = Limits::default();
    let (mut engine, _) = Engine::new(limits, jobs(2, "* * * * *", Policy::default()), None, true, at(1));
    engine.poll(at(60), &mut Vec::new());
    let loaded = journal::decode(&engine.snapshot()).unwrap();
    let (_, recovered) = Engine::new(
        limits,
        jobs(1, "* * * * *", Policy::default()),
        Some(loaded),
        true,
        at(61),
    );
    assert_eq!(
        recovered.dropped,
        [Dropped {
            job: "job-1".into(),
            runs: vec![at(60).wall]
        }]
    );
    assert_eq!((recovered.known, recovered.interrupted), (1, 1));
}
