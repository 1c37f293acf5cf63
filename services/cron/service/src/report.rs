//! Log lines: one for each run that is over, one for each thing that needs a look.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mainstay_cron_core::action::{Action, Finished};
use mainstay_cron_core::run::Suspension;
use mainstay_cron_core::trace::Traces;
use mainstay_cron_core::{End, Engine, Job, JobId, Moment, RunKey, run_id};

/// Writes the log, and keeps what a line needs until it is written.
pub(crate) struct Report {
    traces: Traces,
    /// How late each run that is not over started.
    lags: HashMap<RunKey, Duration>,
    zones: HashMap<String, TimeZone>,
}

impl Report {
    pub(crate) fn new(traces: Traces) -> Self {
        Self {
            traces,
            lags: HashMap::new(),
            zones: HashMap::new(),
        }
    }

    /// Forgets the runs that are not over: another replica's business from now on.
    pub(crate) fn forget(&mut self) {
        self.lags.clear();
    }

    /// Tells of an action, as far as it is anybody's business.
    pub(crate) fn tell(&mut self, action: &Action, engine: &Engine) {
        match action {
            Action::Start(start) => {
                // That of the first attempt: the others wait on purpose.
                self.lags
                    .entry(start.key)
                    .or_insert_with(|| start.actual.since(start.due));
            }
            Action::Cancel(_) => {}
            Action::Retrying {
                key,
                attempt,
                delay,
                error,
            } => {
                let Some(job) = engine.job(key.job) else { return };
                let scheduled = self.local(job, key.scheduled);
                let (retry_in, trace) = (short(*delay), self.trace(job, *key));
                tracing::warn!(
                    job = &*job.name,
                    scheduled,
                    attempt,
                    retry_in,
                    error = &**error,
                    trace,
                    "attempt failed"
                );
            }
            Action::Finished(over) => self.finished(over, engine),
            Action::Missed {
                job,
                scheduled,
                count,
                reason,
            } => {
                // The line of the run itself tells of the others.
                if matches!(reason, mainstay_cron_core::run::Reason::Veto) {
                    return;
                }
                let (Some(job), next) = (engine.job(*job), self.next(*job, engine)) else {
                    return;
                };
                let newest = self.local(job, *scheduled);
                tracing::warn!(
                    job = &*job.name,
                    count,
                    newest,
                    reason = reason.as_str(),
                    next,
                    "missed"
                );
            }
            Action::Suspended { job, why } => {
                let Some(job) = engine.job(*job) else { return };
                tracing::warn!(job = &*job.name, "suspended {}", suspension(*why));
            }
            Action::ClockBack { by, resumes: None } => {
                tracing::warn!(
                    by = short(*by),
                    "the clock went back to before the service's time, ticks are due at once"
                );
            }
            Action::ClockBack { by, resumes: Some(at) } => {
                tracing::warn!(by = short(*by), until = %at, "the clock went back, no tick is due until it has caught up");
            }
        }
    }

    fn finished(&mut self, over: &Finished, engine: &Engine) {
        let lag = self.lags.remove(&over.key).unwrap_or_default();
        let enabled = if over.end == End::Succeeded {
            tracing::enabled!(tracing::Level::INFO)
        } else {
            tracing::enabled!(tracing::Level::WARN)
        };
        let Some(job) = engine.job(over.key.job).filter(|_| enabled) else {
            return;
        };
        let scheduled = self.local(job, over.key.scheduled);
        let next = over
            .next
            .map_or_else(|| "never".to_owned(), |next| self.local(job, next));
        let (lag, took, outcome) = (short(lag), short(over.duration), over.end.as_str());
        let trace = self.trace(job, over.key);
        let (job, attempt, error) = (&*job.name, over.attempt, over.error.as_deref());
        match over.end {
            End::Succeeded => tracing::info!(job, scheduled, lag, outcome, took, attempt, next, trace, "tick"),
            end if end.is_failure() => {
                tracing::error!(job, scheduled, lag, outcome, took, attempt, error, next, trace, "tick");
            }
            _ => tracing::warn!(job, scheduled, lag, outcome, took, attempt, error, next, trace, "tick"),
        }
    }

    /// The id of the trace that the job's own spans are in.
    fn trace(&self, job: &Job, key: RunKey) -> String {
        self.traces.trace_id(&run_id(&job.name, key.scheduled))
    }

    fn next(&mut self, id: JobId, engine: &Engine) -> String {
        match (engine.job(id), engine.next_tick(id)) {
            (Some(job), Some(next)) => self.local(job, next),
            _ => "never".to_owned(),
        }
    }

    /// A moment in the job's zone: `2026-11-22T18:10:02+01:00`.
    fn local(&mut self, job: &Job, moment: Moment) -> String {
        let name = job.zone.name();
        if !self.zones.contains_key(name) {
            self.zones
                .insert(name.to_owned(), TimeZone::get(name).unwrap_or(TimeZone::UTC));
        }
        let zone = self.zones.get(name).cloned().unwrap_or(TimeZone::UTC);
        Timestamp::from(moment)
            .to_zoned(zone)
            .strftime("%Y-%m-%dT%H:%M:%S%.f%:z")
            .to_string()
    }
}

/// Why a job has no ticks, after the word "suspended".
pub(crate) fn suspension(why: Suspension) -> &'static str {
    match why {
        Suspension::Operator => "until it is resumed",
        Suspension::Failure => "after a failure, until it is resumed",
        Suspension::Interrupted => "as it takes the service down, until it is resumed",
    }
}

/// A duration for people: four digits at most.
fn short(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    let (unit, digits) = match nanoseconds {
        0..1_000 => (Duration::from_nanos(nanoseconds as u64), 0),
        _ => (duration, 1),
    };
    format!("{unit:.digits$?}")
}
