//! The engine: decides what to do at each instant, does nothing itself.
//!
//! It reads no clock, opens no file and calls nobody. The service tells it the time ([`Engine::poll`]) and what became
//! of the attempts ([`Engine::finished`]); it answers with [`Action`]s, and with the journal lines that have to be on
//! disk before those actions are taken ([`Engine::take_journal`]).
//!
//! - `due`: which ticks have come, and which of them were missed
//! - `claim`: what the overlap policy makes of a tick, and whose turn it is
//! - `dispatch`: starting attempts, as many at once as may be in flight
//! - `finish`: what an outcome leads to: the end, another attempt, a dead letter
//! - `recover`: going on from the state of a service before
//! - `operate`: what an operator asks for: run now, suspend, resume, backfill

mod claim;
mod dispatch;
mod due;
mod finish;
mod operate;
mod recover;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use crate::action::Action;
use crate::job::Job;
use crate::journal;
use crate::lived::{self, Step};
use crate::moment::{Moment, Now};
use crate::record::Record;
use crate::run::{JobId, RunKey};
use crate::state::{JobState, State};

pub use operate::OperateError;
pub use recover::{Dropped, Recovered};

/// Ticks claimed in one turn, so that a service with many due together still serves its sockets between turns.
const CLAIMS_PER_TURN: usize = 4096;

/// Runs of one job that are not over, whatever its policy: a bound on memory, not a feature.
const MOST_ACTIVE: usize = 1000;

/// Bounds that all jobs share.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Callbacks in flight at once.
    pub in_flight: usize,
    /// A tick claimed later than this after it was due counts as missed.
    pub grace: Duration,
    /// Ticks of so long ago were not missed, whatever the job's misfire policy: between two replicas of which one takes
    /// over from the other nobody claims any. Zero where there is one only.
    pub handover: Duration,
    /// A run that the service's end interrupted this often is not tried again: it is taken to be what ends the service.
    pub interruptions: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight: 64,
            grace: Duration::from_secs(5),
            handover: Duration::ZERO,
            // Of kills at random instants no run is hit this often.
            interruptions: 20,
        }
    }
}

/// Journal lines to write before the actions that came with them are taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The lines, empty if nothing changed.
    pub lines: Vec<u8>,
    /// Whether they have to be synced to the disk first, not just written: they claim ticks.
    pub sync: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Engine {
    limits: Limits,
    jobs: Vec<Job>,
    /// Ids in the order of names.
    by_name: Vec<JobId>,
    state: State,
    /// The scheduled time of each job's next tick, [`Moment::NEVER`] if there is none.
    next: Vec<Moment>,
    /// When each next tick is due, jitter included. An entry that no longer agrees with `next` is stale.
    due: BinaryHeap<Reverse<(Moment, JobId)>>,
    /// When failed runs are due again, by the steady clock.
    backoffs: BinaryHeap<Reverse<(Duration, RunKey)>>,
    /// Runs whose turn has come, oldest first.
    ready: VecDeque<RunKey>,
    /// Runs that were in flight when the service ended, more than once: one of them at a time, so that the one that
    /// ends the service is found.
    suspects: VecDeque<RunKey>,
    suspect_in_flight: Option<RunKey>,
    in_flight: usize,
    /// Actions that came up outside of `poll`.
    pending: Vec<Action>,
    /// Lines not taken yet; none where nothing is kept.
    batch: Option<Batch>,
    /// The last time that the journal knows.
    written: Moment,
    /// The last step of the clock was back, and the journal does not know yet.
    stepped_back: bool,
    /// The clock is behind the time that was lived through.
    behind: bool,
}

impl Engine {
    /// The actions of this instant. Take the journal's lines ([`Engine::take_journal`]) before acting on them.
    pub fn poll(&mut self, now: Now, actions: &mut Vec<Action>) {
        actions.append(&mut self.pending);
        self.observe_clock(now, actions);
        self.wake_backoffs(now);
        self.claim_due(now, actions);
        self.dispatch(now, actions);
        self.close_batch(now);
    }

    /// How long until [`Engine::poll`] has something to do, by the clocks' present pace; none if never.
    ///
    /// The wall clock may be set at any time, so a service also polls at least once a second.
    pub fn next_wake(&self, now: Now) -> Option<Duration> {
        if !self.pending.is_empty() {
            return Some(Duration::ZERO);
        }
        let tick = self.due.peek().map(|Reverse((due, _))| due.since(now.wall));
        let backoff = self
            .backoffs
            .peek()
            .map(|Reverse((until, _))| until.saturating_sub(now.steady));
        tick.into_iter().chain(backoff).min()
    }

    /// The journal lines since the last call.
    pub fn take_journal(&mut self) -> Batch {
        self.batch.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The whole state as the text of a new journal.
    pub fn snapshot(&self) -> Vec<u8> {
        journal::encode_snapshot(&self.jobs, &self.state, self.decided(self.state.lived.current().to))
    }

    /// The jobs, by id.
    pub fn jobs(&self) -> impl Iterator<Item = (JobId, &Job)> {
        (0..).map(JobId).zip(&self.jobs)
    }

    /// A job.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(id.0 as usize)
    }

    /// What is known of a job.
    pub fn job_state(&self, id: JobId) -> Option<&JobState> {
        self.state.job(id)
    }

    /// What is known of all jobs.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The job of this name.
    pub fn find(&self, name: &str) -> Option<JobId> {
        let name_of = |id: &JobId| self.job(*id).map_or("", |job| &*job.name);
        let position = self.by_name.binary_search_by(|id| name_of(id).cmp(name)).ok()?;
        self.by_name.get(position).copied()
    }

    /// The jobs whose names come after `name`, in the order of names.
    pub fn by_name_after(&self, name: &str) -> &[JobId] {
        let is_before = |id: &JobId| self.job(*id).map_or("", |job| &*job.name) <= name;
        self.by_name
            .get(self.by_name.partition_point(is_before)..)
            .unwrap_or_default()
    }

    /// When a job's next tick is scheduled; none if it has no more, or is suspended.
    pub fn next_tick(&self, id: JobId) -> Option<Moment> {
        self.next
            .get(id.0 as usize)
            .copied()
            .filter(|next| *next != Moment::NEVER)
    }

    /// When the next tick of any job is due, jitter included.
    pub fn next_due(&self) -> Option<Moment> {
        self.due.peek().map(|Reverse((due, _))| *due)
    }

    /// Callbacks in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Runs whose turn has come and that wait for a callback to end.
    pub fn waiting(&self) -> usize {
        self.ready.len() + self.suspects.len()
    }

    /// Makes a change and keeps it.
    fn commit(&mut self, record: &Record) {
        self.state.apply(record);
        if let Some(batch) = &mut self.batch {
            journal::encode(record, &mut batch.lines);
            batch.sync |= matches!(record, Record::Claim(_) | Record::Suspend { .. });
        }
    }

    fn observe_clock(&mut self, now: Now, actions: &mut Vec<Action>) {
        let end = self.state.lived.current().to;
        let step = self.state.lived.advance(now.wall);
        if step == Step::Forward {
            self.behind = false;
            return;
        }
        // Slewing clocks and several processors make steps of milliseconds: not worth a word.
        let by = end.since(now.wall);
        if by >= Duration::from_secs(1) && !self.behind {
            actions.push(Action::ClockBack {
                by,
                resumes: (step == Step::BackWithin).then_some(end),
            });
        }
        self.behind = step == Step::BackWithin;
        if step == Step::BackBefore {
            self.stepped_back = true;
            self.reschedule_all(now.wall);
        }
    }

    /// Up to when all ticks are decided on: more may be due than a turn claims, and a crash must find those again.
    fn decided(&self, now: Moment) -> Moment {
        self.next_due().map_or(now, |due| due.just_before().min(now))
    }

    /// Ends a turn's lines with the time up to which everything is decided.
    fn close_batch(&mut self, now: Now) {
        let changed = self.batch.as_ref().is_some_and(|batch| !batch.lines.is_empty());
        let is_long_ago = now.wall.since(self.written) >= lived::WRITTEN;
        if !changed && !self.stepped_back && !is_long_ago {
            return;
        }
        let decided = self.decided(now.wall);
        if decided < self.state.lived.current().from {
            // Of what was due in a gap some is left: not a step back of the clock.
            return;
        }
        self.stepped_back = false;
        self.written = decided;
        self.commit(&Record::Time { now: decided });
    }
}
