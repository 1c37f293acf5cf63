use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::job::Job;
use crate::lived::Lived;
use crate::moment::Moment;
use crate::record::{Claim, Finish, Record, Retry};
use crate::run::{End, JobId, Origin, Reason, Suspension};
use crate::schedule::{ParseContext, Schedule, Zone};
use crate::state::State;

fn seconds(seconds: i64) -> Moment {
    Moment::from_nanoseconds(1_763_780_400_000_000_000 + seconds * 1_000_000_000)
}

/// A journal with a job of two claimed ticks, one of them run, and the state that it tells of.
fn journal() -> (Vec<u8>, State) {
    let mut state = State::new(1, seconds(0));
    let mut bytes = Vec::new();
    line_of(&mut bytes, "mainstay-cron 1");
    line_of(&mut bytes, "job 0 00000000000000ff - - 0 0 0 - report");
    line_of(&mut bytes, "life 1763780400000000000 1763780400000000000");
    line_of(&mut bytes, "end");
    let job = JobId(0);
    let claim = |at| {
        Record::Claim(Claim {
            job,
            scheduled: seconds(at),
            at: seconds(at),
            origin: Origin::Tick,
        })
    };
    let records = [
        claim(10),
        Record::Time { now: seconds(10) },
        Record::Start {
            job,
            scheduled: seconds(10),
            at: seconds(11),
        },
        Record::Retry(Retry {
            job,
            scheduled: seconds(10),
            until: Duration::ZERO,
            due: seconds(15),
            interrupted: false,
            error: "line one\nline two \\ end".into(),
        }),
        claim(20),
        Record::Finish(Finish {
            job,
            scheduled: seconds(10),
            end: End::Failed,
            duration: Duration::from_millis(1204),
            error: Some("no such table".into()),
        }),
        Record::Miss {
            job,
            scheduled: seconds(30),
            count: 3,
            reason: Reason::Overlap,
        },
        Record::Suspend {
            job,
            why: Some(Suspension::Interrupted),
        },
        Record::Time { now: seconds(31) },
    ];
    for record in &records {
        encode(record, &mut bytes);
        state.apply(record);
    }
    (bytes, state)
}

fn line_of(bytes: &mut Vec<u8>, body: &str) {
    bytes.extend_from_slice(format!("{:08x} {body}\n", crc32fast::hash(body.as_bytes())).as_bytes());
}

#[test]
fn what_is_written_is_read_again() {
    let (bytes, state) = journal();
    let loaded = decode(&bytes).unwrap();
    assert_eq!((loaded.damaged, loaded.torn), (0, false));
    assert_eq!(loaded.jobs, [("report".into(), 0xff)]);
    assert_eq!(loaded.state, state);
    assert_eq!(
        loaded.state.lived,
        Lived::from_parts(
            crate::lived::Stretch {
                from: seconds(0),
                to: seconds(31)
            },
            Vec::new(),
        )
    );
}

#[test]
fn a_journal_cut_off_anywhere_tells_of_the_lines_that_are_whole() {
    let (bytes, _) = journal();
    let snapshot = bytes.windows(5).position(|window| window == b" end\n").unwrap() + 5;
    for cut in snapshot..bytes.len() {
        let loaded = decode(&bytes[..cut]).unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        let whole = bytes[..cut].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        assert_eq!(loaded.state, decode(&bytes[..whole]).unwrap().state, "cut at {cut}");
        assert_eq!((loaded.damaged, loaded.torn), (0, cut != whole), "cut at {cut}");
    }
}

#[test]
fn a_snapshot_without_its_end_is_taken_and_counted_as_damaged() {
    let (bytes, _) = journal();
    let end = bytes.windows(5).position(|window| window == b" end\n").unwrap() - 8;
    let loaded = decode(&bytes[..end]).unwrap();
    assert_eq!((loaded.damaged, loaded.torn), (1, false));
    assert_eq!(loaded.state, State::new(1, seconds(0)));
    // Without a line that tells of any time there is none to go on from.
    let life = bytes.windows(6).position(|window| window == b" life ").unwrap() - 8;
    assert_eq!(decode(&bytes[..life]), Err(LoadError::NoSnapshot));
}

/// A journal of three jobs, each with lines of all kinds in the snapshot and after it.
fn long_journal() -> Vec<u8> {
    let schedule = Arc::new(Schedule::parse("@hourly", &ParseContext::default()).unwrap());
    let jobs = ["first", "second", "third"].map(|name| Job {
        name: name.into(),
        schedule: schedule.clone(),
        policy: Arc::default(),
        zone: Zone::utc(),
        payload: [].into(),
    });
    let records = |from: i64| {
        let of_one = move |job| {
            let at = |after| seconds(from + after);
            let claim = |scheduled, claimed| {
                Record::Claim(Claim {
                    job,
                    scheduled: at(scheduled),
                    at: at(claimed),
                    origin: Origin::CatchUp,
                })
            };
            let start = |scheduled| Record::Start {
                job,
                scheduled: at(scheduled),
                at: at(20_001),
            };
            [
                // Missed for hours, and made up.
                claim(0, 20_000),
                claim(3600, 20_000),
                claim(7200, 20_000),
                start(0),
                Record::Finish(Finish {
                    job,
                    scheduled: at(0),
                    end: End::Failed,
                    duration: Duration::from_millis(3),
                    error: Some("no such table".into()),
                }),
                start(3600),
                Record::Retry(Retry {
                    job,
                    scheduled: at(3600),
                    until: Duration::ZERO,
                    due: at(20_100),
                    interrupted: false,
                    error: "no connection".into(),
                }),
                Record::Suspend {
                    job,
                    why: Some(Suspension::Operator),
                },
            ]
        };
        let time = Record::Time {
            now: seconds(from + 20_002),
        };
        (0..3).map(JobId).flat_map(of_one).chain([time])
    };
    let mut state = State::new(3, seconds(-10_000));
    records(0).for_each(|record| state.apply(&record));
    let mut bytes = encode_snapshot(&jobs, &state, Moment::NEVER);
    records(50_000).for_each(|record| encode(&record, &mut bytes));
    bytes
}

/// The job that a line of a journal tells of.
fn job_of(line: &[u8]) -> Option<usize> {
    let line = std::str::from_utf8(line).unwrap();
    line.split(' ').nth(2)?.parse().ok().filter(|id| *id < 3)
}

proptest! {
    #[test]
    fn a_byte_that_is_damaged_anywhere_costs_no_other_job_anything(at in any::<prop::sample::Index>(), flip in 1..=u8::MAX) {
        let bytes = long_journal();
        let whole = decode(&bytes).unwrap();
        let mut damaged = bytes.clone();
        let at = at.index(bytes.len());
        damaged[at] ^= flip;
        let loaded = decode(&damaged).unwrap();
        // Digits of a checksum may be written in two ways.
        prop_assert!(loaded == whole || loaded.damaged > 0 || loaded.torn);
        let mut begin = 0;
        let mut hit = Vec::new();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            // Without its end a line takes the next one along.
            if begin <= at + 1 && at < begin + line.len() {
                hit.extend(job_of(line));
            }
            begin += line.len();
        }
        for id in (0..3).filter(|id| !hit.contains(id)) {
            prop_assert_eq!(&loaded.jobs[id], &whole.jobs[id]);
            prop_assert_eq!(&loaded.state.jobs[id], &whole.state.jobs[id]);
        }
    }
}

#[test]
fn a_damaged_line_is_left_out_and_counted() {
    let (mut bytes, state) = journal();
    let at = bytes.windows(4).position(|window| window == b"miss").unwrap();
    bytes[at] ^= 1;
    let loaded = decode(&bytes).unwrap();
    assert_eq!((loaded.damaged, loaded.torn), (1, false));
    assert_eq!(loaded.state.jobs[0].missed, state.jobs[0].missed - 3);
    assert_eq!(loaded.state.jobs[0].active, state.jobs[0].active);
}

#[test]
fn zeros_after_a_power_cut_are_a_torn_end() {
    let (mut bytes, state) = journal();
    bytes.extend_from_slice(&[0; 4096]);
    let loaded = decode(&bytes).unwrap();
    assert_eq!((loaded.damaged, loaded.torn), (0, true));
    assert_eq!(loaded.state, state);
}

#[test]
fn a_newer_version_is_refused_in_words() {
    let mut bytes = Vec::new();
    line_of(&mut bytes, "mainstay-cron 2");
    let error = decode(&bytes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "is of version 2, which is newer than the 1 that this service reads; run the newer service"
    );
}

#[test]
fn what_is_not_a_journal_is_not_read() {
    for bytes in [&b""[..], b"hello\n", b"\0\0\0\0", b"00000000 mainstay-cron 1\n"] {
        assert_eq!(decode(bytes), Err(LoadError::NotAJournal), "{bytes:?}");
    }
}
