//! Jobs and schedules as JSON.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mainstay_cron_core::policy::{Misfire, Overlap};
use mainstay_cron_core::run::{Phase, Run};
use mainstay_cron_core::schedule::Zone;
use mainstay_cron_core::{Engine, JobId, Moment, Now, run_id};
use serde_json::{Value, json};

use crate::report::suspension;

/// How many ticks ahead a job shows.
const AHEAD: usize = 5;

/// A job: what it is, what it did, what it will do.
pub(super) fn job(engine: &Engine, id: JobId, now: Now) -> Value {
    let (Some(job), Some(state)) = (engine.job(id), engine.job_state(id)) else {
        return Value::Null;
    };
    let at = |moment: Moment| local(moment, &job.zone);
    let suspended = if job.policy.suspend {
        Some("by its configuration")
    } else {
        state.suspended.map(suspension)
    };
    let next: Vec<String> = engine.upcoming(id, AHEAD, now).into_iter().map(at).collect();
    let past: Vec<Value> = state
        .past
        .iter()
        .rev()
        .map(|past| {
            json!({
                "run": run_id(&job.name, past.scheduled),
                "scheduled": at(past.scheduled),
                "outcome": past.end.as_str(),
                "attempt": past.attempt,
                "milliseconds": past.milliseconds,
            })
        })
        .collect();
    let active: Vec<Value> = state.active.iter().map(|run| self::run(run, &job.name, &at)).collect();
    json!({
        "name": job.name,
        "schedule": job.schedule.text(),
        "words": job.schedule.describe(),
        "zone": job.zone.name(),
        "overlap": overlap(job.policy.overlap),
        "misfire": misfire(job.policy.misfire),
        "suspended": suspended,
        "next": next,
        "active": active,
        "last": past,
        "last_success": state.last_success.map(at),
        "last_error": state.last_error,
        "runs": state.runs,
        "missed": state.missed,
        "failures": state.failures,
    })
}

fn run(run: &Run, job: &str, at: &impl Fn(Moment) -> String) -> Value {
    let phase = match run.phase {
        Phase::Queued => "queued",
        Phase::Ready => "ready",
        Phase::Running { .. } => "running",
        Phase::Cancelling => "cancelling",
        Phase::Backoff { .. } => "waits to be tried again",
    };
    json!({
        "run": run_id(job, run.scheduled),
        "scheduled": at(run.scheduled),
        "phase": phase,
        "attempt": run.attempt(),
    })
}

/// A moment in a zone: `2026-11-22T18:10:02+01:00`.
pub(super) fn local(moment: Moment, zone: &Zone) -> String {
    let zone = TimeZone::get(zone.name()).unwrap_or(TimeZone::UTC);
    Timestamp::from(moment)
        .to_zoned(zone)
        .strftime("%Y-%m-%dT%H:%M:%S%.f%:z")
        .to_string()
}

fn overlap(overlap: Overlap) -> &'static str {
    match overlap {
        Overlap::Allow => "allow",
        Overlap::Forbid => "forbid",
        Overlap::Replace => "replace",
        Overlap::Queue => "queue",
    }
}

fn misfire(misfire: Misfire) -> &'static str {
    match misfire {
        Misfire::Skip => "skip",
        Misfire::Once => "once",
        Misfire::All => "all",
    }
}
