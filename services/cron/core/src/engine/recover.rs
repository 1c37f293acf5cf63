//! Going on from the state of a service before.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use super::{Batch, Engine, Limits};
use crate::action::Action;
use crate::job::Job;
use crate::journal::Loaded;
use crate::moment::{Moment, Now};
use crate::policy::Overlap;
use crate::record::Finish;
use crate::run::{End, JobId, Origin, Phase, RunKey, Suspension};
use crate::state::State;

/// A run that was interrupted this often is started with no other such run beside it, so that one that takes the
/// service down takes no innocent ones along.
pub(super) const SUSPICIOUS: u32 = 2;

/// What a start found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Jobs that were known before.
    pub known: usize,
    /// Runs that the end of the service interrupted.
    pub interrupted: usize,
    /// Jobs with runs that were not over and that the configuration no longer has.
    pub dropped: Vec<Dropped>,
}

/// A job that is no longer configured and had runs that were not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Its name.
    pub job: Box<str>,
    /// The runs that are forgotten with it, by their scheduled time.
    pub runs: Vec<Moment>,
}

impl Engine {
    /// An engine for these jobs, whose names are unique, that goes on from `loaded` or begins at `now`.
    ///
    /// With `keep`, changes come out as journal lines; the first journal is [`Engine::snapshot`], taken right away.
    pub fn new(limits: Limits, jobs: Vec<Job>, loaded: Option<Loaded>, keep: bool, now: Now) -> (Self, Recovered) {
        let mut by_name: Vec<JobId> = (0..jobs.len())
            .map(|id| JobId(u32::try_from(id).unwrap_or(u32::MAX)))
            .collect();
        by_name.sort_by(|a, b| {
            jobs.get(a.0 as usize)
                .map(|j| &j.name)
                .cmp(&jobs.get(b.0 as usize).map(|j| &j.name))
        });
        let mut engine = Self {
            limits,
            by_name,
            state: State::new(jobs.len(), now.wall),
            next: vec![Moment::NEVER; jobs.len()],
            jobs,
            due: BinaryHeap::new(),
            backoffs: BinaryHeap::new(),
            ready: VecDeque::new(),
            suspects: VecDeque::new(),
            suspect_in_flight: None,
            in_flight: 0,
            pending: Vec::new(),
            batch: None,
            written: now.wall,
            stepped_back: false,
            behind: false,
        };
        let mut recovered = Recovered::default();
        let cursors = match loaded {
            None => vec![None; engine.jobs.len()],
            Some(loaded) => engine.adopt(loaded, now, &mut recovered),
        };
        let mut actions = Vec::new();
        for (id, cursor) in (0..).map(JobId).zip(cursors) {
            engine.begin(id, cursor, now, &mut recovered, &mut actions);
        }
        engine.pending = actions;
        engine.written = engine.state.lived.current().to;
        if keep {
            engine.batch = Some(Batch::default());
        }
        (engine, recovered)
    }

    /// Takes over what is known of the jobs that are still there. Returns where each one's schedule goes on: none for
    /// a job that is new, or whose schedule is.
    fn adopt(&mut self, loaded: Loaded, now: Now, recovered: &mut Recovered) -> Vec<Option<Moment>> {
        let lived_to = loaded.state.lived.current().to;
        self.state.lived = loaded.state.lived;
        let mut before: HashMap<_, _> = loaded
            .jobs
            .into_iter()
            .zip(loaded.state.jobs)
            .map(|((name, fingerprint), state)| (name, (fingerprint, state)))
            .collect();
        let mut cursors = Vec::with_capacity(self.jobs.len());
        for (job, place) in self.jobs.iter().zip(&mut self.state.jobs) {
            let Some((fingerprint, state)) = before.remove(&job.name) else {
                cursors.push(None);
                continue;
            };
            recovered.known += 1;
            let changed = fingerprint != job.fingerprint();
            let cursor = lived_to.minus(job.offset());
            // A turn's claims are written before its time is: go on after the newest. One in the future was claimed by
            // a clock that was wrong.
            let claimed = state
                .last_scheduled
                .filter(|claimed| *claimed <= now.wall)
                .unwrap_or(cursor);
            cursors.push((!changed).then_some(cursor.max(claimed)));
            *place = state;
            // Another job by the same name may do what this one could not.
            if changed && place.suspended != Some(Suspension::Operator) {
                place.suspended = None;
            }
        }
        let dropped = before.into_iter().filter(|(_, (_, state))| !state.active.is_empty());
        recovered.dropped = dropped
            .map(|(job, (_, state))| Dropped {
                job,
                runs: state.active.iter().map(|run| run.scheduled).collect(),
            })
            .collect();
        recovered.dropped.sort_by(|a, b| a.job.cmp(&b.job));
        cursors
    }

    /// Sets a job going.
    fn begin(
        &mut self,
        id: JobId,
        cursor: Option<Moment>,
        now: Now,
        recovered: &mut Recovered,
        actions: &mut Vec<Action>,
    ) {
        let Some(job) = self.job(id) else { return };
        let (offset, startup) = (job.offset(), job.schedule.is_startup());
        // A job that begins now has its first tick now or later.
        let after = cursor.unwrap_or_else(|| now.wall.minus(offset).just_before());
        let next = self.next_live(id, after);
        self.set_next(id, next);
        let active: Vec<_> = self.job_state(id).map(|state| state.active.clone()).unwrap_or_default();
        for (position, run) in active.iter().enumerate() {
            let key = RunKey {
                job: id,
                scheduled: run.scheduled,
            };
            let is_newest = position + 1 == active.len();
            match run.phase {
                Phase::Running { .. } | Phase::Cancelling => {
                    recovered.interrupted += 1;
                    self.recover_interrupted(key, is_newest, now, actions);
                }
                Phase::Backoff { due, .. } => self.wait_on(key, due, now),
                Phase::Queued | Phase::Ready => {}
            }
        }
        if startup && !self.is_suspended(id) {
            self.claim(id, now.wall, Origin::Tick, now, actions);
        }
        self.pump(id);
    }

    /// The service ended while this run's callback was in flight.
    fn recover_interrupted(&mut self, key: RunKey, is_newest: bool, now: Now, actions: &mut Vec<Action>) {
        let (Some(run), Some(job)) = (self.run(key), self.job(key.job)) else {
            return;
        };
        let replaced = job.policy.overlap == Overlap::Replace && !is_newest;
        let interrupted = run.interrupted.saturating_add(1);
        let retry = job.policy.retry;
        let finish = |end, error| Finish {
            job: key.job,
            scheduled: key.scheduled,
            end,
            duration: Duration::ZERO,
            error,
        };
        if replaced {
            self.end_run(finish(End::Replaced, None), actions);
            return;
        }
        if interrupted >= self.limits.interruptions {
            let error = format!("the service ended during {interrupted} attempts");
            self.end_run(finish(End::Interrupted, Some(error.into())), actions);
            return;
        }
        // The first time it may well have been innocent: at once. Then with a delay, so that a job that takes the
        // service down does not do it as fast as the host restarts it.
        let spread = super::finish::spread(&job.name, key, run.attempt());
        let delay = if interrupted < SUSPICIOUS {
            Duration::ZERO
        } else {
            retry.delay(interrupted - SUSPICIOUS + 1, spread)
        };
        self.back_off(key, delay, now, true, Box::default());
    }

    /// A run that waited for its next attempt when the service ended waits for what is left of the time.
    fn wait_on(&mut self, key: RunKey, due: Moment, now: Now) {
        // A clock that was set back meanwhile does not make that longer than any delay is.
        let longest = self.job(key.job).map(|job| job.policy.retry.max).unwrap_or_default();
        let until = now.steady.saturating_add(due.since(now.wall).min(longest));
        self.set_phase(key, Phase::Backoff { until, due });
        self.backoffs.push(Reverse((until, key)));
    }
}
