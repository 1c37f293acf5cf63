//! Metrics. With more jobs than [`NAMED`] their names are left out: each would be a dozen series.

use std::collections::HashMap;

use mainstay_cron_core::action::Action;
use mainstay_cron_core::run::Reason;
use mainstay_cron_core::{End, Engine, JobId};
use mainstay_runtime::metrics::{Counter, Gauge, Histogram, Registry, SECONDS};

/// Up to so many jobs have series of their own.
const NAMED: usize = 50;

/// The label of all jobs together.
const ALL: &str = "*";

pub(crate) struct Meters {
    registry: Registry,
    named: bool,
    jobs: HashMap<JobId, JobMeters>,
    lag: Histogram,
    in_flight: Gauge,
    waiting: Gauge,
    next: Gauge,
}

/// The series of one job, or of all.
struct JobMeters {
    fired: Counter,
    retried: Counter,
    finished: [Counter; End::ALL.len()],
    missed: [Counter; Reason::ALL.len()],
    next: Option<Gauge>,
}

impl Meters {
    pub(crate) fn new(registry: &Registry, jobs: usize) -> Self {
        let gauge = |name, help| registry.gauge(name, help, &[]);
        gauge("cron_jobs", "Jobs.").set(jobs as f64);
        Self {
            registry: registry.clone(),
            named: jobs <= NAMED,
            jobs: HashMap::new(),
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
    pub(crate) fn count(&mut self, action: &Action, engine: &Engine) {
        match action {
            Action::Start(start) => {
                if start.attempt == 1 {
                    self.lag.observe_duration(start.actual.since(start.due));
                }
                self.job(start.key.job, engine).fired.add(1);
            }
            Action::Retrying { key, .. } => self.job(key.job, engine).retried.add(1),
            Action::Finished(over) => {
                let meters = self.job(over.key.job, engine);
                let position = End::ALL.iter().position(|end| *end == over.end);
                if let Some(counter) = position.and_then(|position| meters.finished.get(position)) {
                    counter.add(1);
                }
                if let (Some(gauge), Some(next)) = (&meters.next, over.next) {
                    gauge.set(seconds(next));
                }
            }
            Action::Missed { job, count, reason, .. } => {
                let meters = self.job(*job, engine);
                let position = Reason::ALL.iter().position(|known| known == reason);
                if let Some(counter) = position.and_then(|position| meters.missed.get(position)) {
                    counter.add(u64::from(*count));
                }
            }
            Action::Cancel(_) | Action::Paused(_) | Action::ClockBack { .. } => {}
        }
    }

    /// Shows how things are after a turn.
    pub(crate) fn show(&self, engine: &Engine) {
        self.in_flight.set(engine.in_flight() as f64);
        self.waiting.set(engine.waiting() as f64);
        self.next.set(engine.next_due().map_or(0.0, seconds));
    }

    fn job(&mut self, id: JobId, engine: &Engine) -> &JobMeters {
        let (id, name) = if self.named {
            (id, engine.job(id).map_or(ALL, |job| &*job.name))
        } else {
            (JobId(0), ALL)
        };
        let (registry, named) = (&self.registry, self.named);
        self.jobs
            .entry(id)
            .or_insert_with(|| JobMeters::new(registry, name, named))
    }
}

impl JobMeters {
    fn new(registry: &Registry, job: &str, named: bool) -> Self {
        let job = ("job", job);
        let next = (
            "cron_job_next_run_timestamp_seconds",
            "When the job's next run is scheduled.",
        );
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
            next: named.then(|| registry.gauge(next.0, next.1, &[job])),
        }
    }
}

fn seconds(moment: mainstay_cron_core::Moment) -> f64 {
    moment.as_nanoseconds() as f64 / 1e9
}
