//! Scenarios as text: `scenario.toml`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mainstay_cron_core::policy::{Exclusions, Misfire, Overlap, Retry};
use mainstay_cron_core::schedule::{ParseContext, Schedule};
use mainstay_cron_core::{Job, Limits, Moment, Outcome, Policy};
use serde::Deserialize;

use crate::simulation::{Behaviour, Step, World};

/// A scenario: jobs, and what happens to them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The wall clock when the service starts.
    start: Timestamp,
    /// How long it goes on.
    lasts: SignedDuration,
    /// Callbacks in flight at once.
    in_flight: Option<usize>,
    /// Ticks of so long ago were not missed: another replica takes over.
    handover: Option<SignedDuration>,
    /// How often the service's end may interrupt a run.
    interruptions: Option<u32>,
    job: Vec<JobText>,
    #[serde(default)]
    step: Vec<StepText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JobText {
    name: String,
    schedule: String,
    zone: Option<String>,
    overlap: Option<String>,
    queue: Option<usize>,
    misfire: Option<String>,
    deadline: Option<SignedDuration>,
    jitter: Option<SignedDuration>,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    max_runs: Option<u64>,
    #[serde(default)]
    suspend: bool,
    #[serde(default)]
    pause_on_failure: bool,
    #[serde(default)]
    exclude: Vec<[Timestamp; 2]>,
    timeout: Option<SignedDuration>,
    retries: Option<u32>,
    retry_min: Option<SignedDuration>,
    retry_max: Option<SignedDuration>,
    retry_for: Option<SignedDuration>,
    /// How long an attempt takes.
    takes: Option<SignedDuration>,
    /// What becomes of the attempts: `ok`, `retry: why`, `reject: why`, `veto: why`. The last goes on.
    #[serde(default)]
    outcomes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepText {
    /// When, after the start, by the steady clock.
    after: SignedDuration,
    forward: Option<SignedDuration>,
    back: Option<SignedDuration>,
    crash: Option<SignedDuration>,
    suspend: Option<String>,
    resume: Option<String>,
    run: Option<String>,
    backfill: Option<(String, Timestamp, Timestamp)>,
}

/// Plays a scenario and returns its trace.
pub fn play(text: &str) -> Result<String, Box<dyn std::error::Error>> {
    let scenario: Scenario = toml::from_str(text)?;
    let mut limits = Limits::default();
    limits.in_flight = scenario.in_flight.unwrap_or(limits.in_flight);
    limits.handover = scenario.handover.map_or(limits.handover, unsigned);
    limits.interruptions = scenario.interruptions.unwrap_or(limits.interruptions);
    let mut jobs = Vec::new();
    let mut behaviours = HashMap::new();
    for text in &scenario.job {
        jobs.push(text.job()?);
        behaviours.insert(text.name.clone(), text.behaviour()?);
    }
    let mut world = World::new(limits, jobs, behaviours, scenario.start.into());
    for step in &scenario.step {
        assert!(!world.run_until(unsigned(step.after)));
        world.step(&step.step()?);
    }
    world.run_until(unsigned(scenario.lasts));
    world.check_the_disk();
    Ok(world.trace)
}

fn unsigned(duration: SignedDuration) -> Duration {
    duration.unsigned_abs()
}

impl JobText {
    fn job(&self) -> Result<Job, Box<dyn std::error::Error>> {
        let zone = self.zone.as_deref().unwrap_or("UTC");
        let context = ParseContext {
            job: &self.name,
            zone: zone.parse()?,
            start: self.start,
            ..ParseContext::default()
        };
        let default = Policy::default();
        let duration = |text: Option<SignedDuration>, default| text.map_or(default, unsigned);
        let policy = Policy {
            overlap: match self.overlap.as_deref() {
                None | Some("allow") => Overlap::Allow,
                Some("forbid") => Overlap::Forbid,
                Some("replace") => Overlap::Replace,
                Some("queue") => Overlap::Queue,
                Some(other) => return Err(format!("overlap {other:?}").into()),
            },
            queue: self.queue.unwrap_or(default.queue),
            misfire: match self.misfire.as_deref() {
                Some("skip") => Misfire::Skip,
                None | Some("once") => Misfire::Once,
                Some("all") => Misfire::All,
                Some(other) => return Err(format!("misfire {other:?}").into()),
            },
            deadline: self.deadline.map(unsigned),
            jitter: duration(self.jitter, default.jitter),
            start: self.start.map(Moment::from),
            end: self.end.map(Moment::from),
            max_runs: self.max_runs,
            suspend: self.suspend,
            pause_on_failure: self.pause_on_failure,
            exclusions: Exclusions::new(
                self.exclude
                    .iter()
                    .map(|[from, to]| ((*from).into(), (*to).into()))
                    .collect(),
            ),
            timeout: duration(self.timeout, default.timeout),
            retry: Retry {
                retries: self.retries.unwrap_or(default.retry.retries),
                min: duration(self.retry_min, default.retry.min),
                max: duration(self.retry_max, default.retry.max),
                max_age: duration(self.retry_for, default.retry.max_age),
            },
        };
        Ok(Job {
            name: self.name.as_str().into(),
            schedule: Arc::new(Schedule::parse(&self.schedule, &context)?),
            policy: Arc::new(policy),
            zone: context.zone,
            payload: [].into(),
        })
    }

    fn behaviour(&self) -> Result<Behaviour, Box<dyn std::error::Error>> {
        let outcome = |text: &String| match text.split_once(": ") {
            None if text == "ok" => Ok(Outcome::Succeeded),
            Some(("retry", why)) => Ok(Outcome::Retry(why.to_owned())),
            Some(("reject", why)) => Ok(Outcome::Reject(why.to_owned())),
            Some(("veto", why)) => Ok(Outcome::Vetoed(why.to_owned())),
            _ => Err(format!("outcome {text:?}")),
        };
        let mut outcomes = self.outcomes.iter().map(outcome).collect::<Result<Vec<_>, _>>()?;
        if outcomes.is_empty() {
            outcomes.push(Outcome::Succeeded);
        }
        Ok(Behaviour {
            takes: self.takes.map_or(Duration::from_millis(100), unsigned),
            outcomes,
        })
    }
}

impl StepText {
    fn step(&self) -> Result<Step, Box<dyn std::error::Error>> {
        let mut steps = Vec::new();
        steps.extend(self.forward.map(|by| Step::Forward(unsigned(by))));
        steps.extend(self.back.map(|by| Step::Back(unsigned(by))));
        steps.extend(self.crash.map(|down| Step::Crash(unsigned(down))));
        steps.extend(self.suspend.clone().map(Step::Suspend));
        steps.extend(self.resume.clone().map(Step::Resume));
        steps.extend(self.run.clone().map(Step::RunNow));
        steps.extend(
            self.backfill
                .clone()
                .map(|(job, from, to)| Step::Backfill(job, from.into(), to.into())),
        );
        match <[Step; 1]>::try_from(steps) {
            Ok([step]) => Ok(step),
            Err(steps) => Err(format!("a step does one thing, not {}", steps.len()).into()),
        }
    }
}
