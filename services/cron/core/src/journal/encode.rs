//! Records to lines.

use std::io::Write as _;

use super::{MAGIC, VERSION};
use crate::Moment;
use crate::job::Job;
use crate::lived::Stretch;
use crate::record::Record;
use crate::run::{Origin, Phase, Suspension};
use crate::state::State;

/// Appends one line: the checksum of `body`'s output, and that output.
fn line(into: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) {
    const PLACE: &[u8] = b"00000000 ";
    let begin = into.len();
    into.extend_from_slice(PLACE);
    let text = into.len();
    // Writing to a Vec does not fail.
    let _ = body(into);
    let checksum = crc32fast::hash(into.get(text..).unwrap_or_default());
    if let Some(place) = into.get_mut(begin..text) {
        let _ = write!(&mut *place, "{checksum:08x}");
    }
    into.push(b'\n');
}

/// Appends a record.
pub fn encode(record: &Record, into: &mut Vec<u8>) {
    line(into, |out| match record {
        Record::Time { now } => write!(out, "time {}", now.as_nanoseconds()),
        Record::Claim(claim) => write!(
            out,
            "claim {} {} {} {}",
            claim.job.0,
            claim.scheduled.as_nanoseconds(),
            claim.at.as_nanoseconds(),
            origin(claim.origin)
        ),
        Record::Start { job, scheduled, at } => {
            write!(
                out,
                "start {} {} {}",
                job.0,
                scheduled.as_nanoseconds(),
                at.as_nanoseconds()
            )
        }
        Record::Retry(retry) => {
            let kind = if retry.interrupted { 'i' } else { 'f' };
            write!(
                out,
                "retry {} {} {kind} {} ",
                retry.job.0,
                retry.scheduled.as_nanoseconds(),
                retry.due.as_nanoseconds()
            )?;
            text(out, &retry.error)
        }
        Record::Finish(finish) => {
            let (scheduled, took) = (finish.scheduled.as_nanoseconds(), finish.duration.as_nanos());
            write!(
                out,
                "finish {} {scheduled} {} {took}",
                finish.job.0,
                finish.end.as_str()
            )?;
            match &finish.error {
                None => Ok(()),
                Some(error) => {
                    out.push(b' ');
                    text(out, error)
                }
            }
        }
        Record::Miss {
            job,
            scheduled,
            count,
            reason,
        } => {
            write!(
                out,
                "miss {} {} {count} {}",
                job.0,
                scheduled.as_nanoseconds(),
                reason.as_str()
            )
        }
        Record::Suspend { job, why } => write!(out, "suspend {} {}", job.0, suspension(*why)),
    });
}

/// A whole file that says what `state` holds and nothing else. Ticks are decided on up to `decided`.
pub fn encode_snapshot(jobs: &[Job], state: &State, decided: Moment) -> Vec<u8> {
    let mut out = Vec::with_capacity(jobs.len().saturating_mul(100));
    line(&mut out, |out| write!(out, "{MAGIC} {VERSION}"));
    for (id, (job, known)) in jobs.iter().zip(&state.jobs).enumerate() {
        line(&mut out, |out| {
            write!(out, "job {id} {:016x} ", job.fingerprint())?;
            moment(out, known.last_scheduled)?;
            moment(out, known.last_success)?;
            let suspended = suspension(known.suspended);
            write!(
                out,
                "{} {} {} {suspended} {}",
                known.runs, known.missed, known.failures, job.name
            )
        });
        for run in &known.active {
            line(&mut out, |out| {
                write!(
                    out,
                    "run {id} {} {} ",
                    run.scheduled.as_nanoseconds(),
                    run.claimed.as_nanoseconds()
                )?;
                let phase = match run.phase {
                    Phase::Queued | Phase::Ready => 'q',
                    Phase::Running { .. } | Phase::Cancelling => 'r',
                    Phase::Backoff { .. } => 'b',
                };
                write!(
                    out,
                    "{} {} {} {} {phase}",
                    run.failed,
                    run.interrupted,
                    run.missed,
                    origin(run.origin)
                )?;
                match run.phase {
                    Phase::Backoff { due, .. } => write!(out, " {}", due.as_nanoseconds()),
                    _ => Ok(()),
                }
            });
        }
        for ticks in &known.made_up {
            line(&mut out, |out| {
                let [at, from, to] = [ticks.at, ticks.from, ticks.to].map(Moment::as_nanoseconds);
                write!(out, "made-up {id} {at} {from} {to}")
            });
        }
        for past in &known.past {
            line(&mut out, |out| {
                let (scheduled, end) = (past.scheduled.as_nanoseconds(), past.end.as_str());
                write!(
                    out,
                    "past {id} {scheduled} {} {} {end}",
                    past.milliseconds, past.attempt
                )
            });
        }
        if let Some(error) = &known.last_error {
            line(&mut out, |out| {
                write!(out, "error {id} ")?;
                text(out, error)
            });
        }
    }
    let current = state.lived.current().up_to(decided);
    for stretch in state.lived.past().iter().chain([&current]) {
        let Stretch { from, to } = *stretch;
        line(&mut out, |out| {
            write!(out, "life {} {}", from.as_nanoseconds(), to.as_nanoseconds())
        });
    }
    line(&mut out, |out| write!(out, "end"));
    out
}

fn moment(out: &mut Vec<u8>, moment: Option<Moment>) -> std::io::Result<()> {
    match moment {
        None => write!(out, "- "),
        Some(moment) => write!(out, "{} ", moment.as_nanoseconds()),
    }
}

fn origin(origin: Origin) -> char {
    match origin {
        Origin::Tick => 't',
        Origin::CatchUp => 'c',
        Origin::Manual => 'm',
        Origin::Backfill => 'b',
    }
}

fn suspension(why: Option<Suspension>) -> char {
    match why {
        None => '-',
        Some(Suspension::Operator) => 's',
        Some(Suspension::Failure) => 'f',
        Some(Suspension::Interrupted) => 'i',
    }
}

/// The rest of a line: anything but a line end, and a backslash before what stands for one.
fn text(out: &mut Vec<u8>, text: &str) -> std::io::Result<()> {
    for byte in text.bytes() {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            _ => out.push(byte),
        }
    }
    Ok(())
}
