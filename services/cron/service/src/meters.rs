//! Metrics. With more jobs than [`NAMED`] their names are left out: each would be a dozen series.

use mainstay_cron_core::action::Action;
use mainstay_cron_core::run::Reason;
use mainstay_cron_core::{End, Engine, Job, JobId, Moment};
use mainstay_runtime::metrics::{Counter, Gauge, Histogram, Registry, SECONDS};

/// Up to so many jobs have series of their own.
const NAMED: usize = 50;

/// The label of all jobs together.
const ALL: &str = "*";

pub(crate) struct Meters {
    /// By job, or of all together.
    jobs: Jobs,
    lag: Histogram,
    in_flight: Gauge,
    waiting: Gauge,
    next: Gauge,
}

enum Jobs {
    /// By id, and when each one's next run is scheduled.
    Named(Vec<(JobMeters, Gauge)>),
    Together(JobMeters),
}

/// The counters of one job, or of all.
struct JobMeters {
    fired: Counter,
    retried: Counter,
    finished: [Counter; End::ALL.len()],
    missed: [Counter; Reason::ALL.len()],
}

impl Meters {
    pub(crate) fn new(registry: &Registry, jobs: &[Job]) -> Self {
        let gauge = |name, help| registry.gauge(name, help, &[]);
        gauge("cron_jobs", "Jobs.").set(jobs.len() as f64);
        let named = |job: &Job| {
            let next = registry.gauge(
                "cron_job_next_run_timestamp_seconds",
                "When the job's next run is scheduled, 0 if it has none.",
                &[("job", &*job.name)],
            );
            (JobMeters::new(registry, &job.name), next)
        };
        Self {
            jobs: if jobs.len() <= NAMED {
                Jobs::Named(jobs.iter().map(named).collect())
            } else {
                Jobs::Together(JobMeters::new(registry, ALL))
            },
            lag: registry.histogram(
                "cron_start_lag_seconds",
                "How much later than due first attempts started.",
                &[],
                SECONDS,
            ),
            in_flight: gauge("cron_in_flight", "Callbacks in flight."),
            waiting: gauge("cron_waiting", "Runs that wait for a callback to end."),
            next: gauge(
                "cron_next_run_timestamp_seconds",
                "When the next run of any job is due.",
            ),
        }
    }

    /// Counts what an action tells of.
    pub(crate) fn count(&self, action: &Action) {
        match action {
            Action::Start(start) => {
                if start.attempt == 1 {
                    self.lag.observe_duration(start.actual.since(start.due));
                }
                if let Some(meters) = self.job(start.key.job) {
                    meters.fired.add(1);
                }
            }
            Action::Retrying { key, .. } => {
                if let Some(meters) = self.job(key.job) {
                    meters.retried.add(1);
                }
            }
            Action::Finished(over) => {
                let position = End::ALL.iter().position(|end| *end == over.end);
                let counters = self.job(over.key.job).map(|meters| &meters.finished);
                if let Some(counter) = position.zip(counters).and_then(|(position, all)| all.get(position)) {
                    counter.add(1);
                }
            }
            Action::Missed { job, count, reason, .. } => {
                let position = Reason::ALL.iter().position(|known| known == reason);
                let counters = self.job(*job).map(|meters| &meters.missed);
                if let Some(counter) = position.zip(counters).and_then(|(position, all)| all.get(position)) {
                    counter.add(u64::from(*count));
                }
            }
            Action::Cancel(_) | Action::Suspended { .. } | Action::ClockBack { .. } => {}
        }
    }

    /// Shows how things are after a turn.
    pub(crate) fn show(&self, engine: &Engine) {
        self.in_flight.set(engine.in_flight() as f64);
        self.waiting.set(engine.waiting() as f64);
        self.next.set(engine.next_due().map_or(0.0, seconds));
        if let Jobs::Named(jobs) = &self.jobs {
            for (id, (_, next)) in (0..).map(JobId).zip(jobs) {
                next.set(engine.next_tick(id).map_or(0.0, seconds));
            }
        }
    }

    fn job(&self, id: JobId) -> Option<&JobMeters> {
        match &self.jobs {
            Jobs::Named(jobs) => jobs.get(id.0 as usize).map(|(meters, _)| meters),
            Jobs::Together(meters) => Some(meters),
        }
    }
}

impl JobMeters {
    fn new(registry: &Registry, job: &str) -> Self {
        let job = ("job", job);
        Self {
            fired: registry.counter("cron_fired_total", "Attempts that started.", &[job]),
            retried: registry.counter("cron_retried_total", "Attempts that failed and are made again.", &[job]),
            finished: End::ALL.map(|end| {
                let labels = [job, ("outcome", end.as_str())];
                registry.counter("cron_finished_total", "Runs that are over, by outcome.", &labels)
            }),
            missed: Reason::ALL.map(|reason| {
                let labels = [job, ("reason", reason.as_str())];
                registry.counter(
                    "cron_missed_total",
                    "Ticks that went by without a run, by reason.",
                    &labels,
                )
            }),
        }
    }
}

fn seconds(moment: Moment) -> f64 {
    moment.as_nanoseconds() as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mainstay_cron_core::{Limits, Now};

    use super::*;
    use crate::config::Configuration;

    fn jobs(count: usize) -> Vec<Job> {
        let tables: Vec<String> = (0..count)
            .map(|number| format!("[[job]]\nname = \"job-{number}\"\nschedule = \"* * * * *\"\n"))
            .collect();
        let configuration = Configuration::read_from([("CRON_JOBS", tables.concat())]).unwrap();
        configuration.complete(Vec::new()).unwrap().0
    }

    fn at(seconds: u64) -> Now {
        let start = Moment::from_nanoseconds(1_763_780_400_000_000_000);
        Now {
            wall: start.plus(Duration::from_secs(seconds)),
            steady: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn a_jobs_next_run_is_shown_before_during_and_after_a_run_and_is_zero_when_it_is_suspended() {
        let registry = Registry::default();
        let jobs = jobs(1);
        let meters = Meters::new(&registry, &jobs);
        let (mut engine, _) = Engine::new(Limits::default(), jobs, None, false, at(1));
        let shown = |engine: &Engine| {
            meters.show(engine);
            let text = registry.render();
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("cron_job_next_run_timestamp_seconds{job=\"job-0\"} "));
            line.unwrap().parse::<f64>().unwrap()
        };
        let first = seconds(at(60).wall);
        assert_eq!(shown(&engine), first);
        let mut actions = Vec::new();
        engine.poll(at(60), &mut actions);
        assert_eq!((engine.in_flight(), shown(&engine)), (1, first + 60.0));
        engine.suspend(JobId(0));
        assert_eq!(shown(&engine), 0.0);
    }

    #[test]
    fn a_hundred_thousand_jobs_take_no_more_series_than_one() {
        let registry = Registry::default();
        let jobs = jobs(100_000);
        let meters = Meters::new(&registry, &jobs);
        let limits = Limits::default();
        let (mut engine, _) = Engine::new(limits, jobs, None, false, at(1));
        let mut actions = Vec::new();
        engine.poll(at(60), &mut actions);
        actions.iter().for_each(|action| meters.count(action));
        let text = registry.render();
        let fired = format!("cron_fired_total{{job=\"*\"}} {}\n", limits.in_flight);
        assert!(text.contains(&fired), "{text}");
        assert!(text.lines().count() < 80, "{text}");
    }
}
