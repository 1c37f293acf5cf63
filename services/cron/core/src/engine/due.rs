//! Which ticks have come, and which of them were missed.

use std::cmp::Reverse;

use super::{CLAIMS_PER_TURN, Engine};
use crate::action::Action;
use crate::moment::{Moment, Now};
use crate::policy::Misfire;
use crate::record::Record;
use crate::run::{JobId, Origin, Reason};

/// Missed ticks are counted up to here; a machine that slept for a month has better to do than to count seconds.
const COUNTED: usize = 1000;

/// The ticks of one job that have come since the last look.
struct Due {
    /// Oldest first; of more than [`Misfire::CAP`] the newest.
    ticks: Vec<Moment>,
    /// How many there are, at most [`COUNTED`].
    count: usize,
    /// The first tick that has not come yet.
    following: Option<Moment>,
}

impl Engine {
    /// Claims what is due, the longest due first.
    pub(super) fn claim_due(&mut self, now: Now, actions: &mut Vec<Action>) {
        for _ in 0..CLAIMS_PER_TURN {
            match self.due.peek() {
                Some(Reverse((due, _))) if *due <= now.wall => {}
                _ => return,
            }
            let Some(Reverse((due, id))) = self.due.pop() else {
                return;
            };
            if self.due_of(id) == Some(due) {
                self.tick(id, now, actions);
            }
        }
    }

    /// When a job's next tick is due, jitter included.
    pub(super) fn due_of(&self, id: JobId) -> Option<Moment> {
        Some(self.next_tick(id)?.plus(self.job(id)?.offset()))
    }

    /// At least one tick of this job has come.
    fn tick(&mut self, id: JobId, now: Now, actions: &mut Vec<Action>) {
        let (Some(first), Some(job)) = (self.next_tick(id), self.job(id)) else {
            return;
        };
        let policy = job.policy.clone();
        let horizon = now.wall.minus(job.offset());
        let due = self.collect(id, first, horizon);
        self.set_next(id, due.following);

        let on_time = |tick: &Moment| horizon.since(*tick) <= self.limits.grace;
        let handed_over = |tick: &&Moment| horizon.since(**tick) < self.limits.handover;
        let handed_over = due.ticks.iter().rev().take_while(handed_over).count();
        // A slow turn may find several of them.
        let all_on_time = due.ticks.iter().rev().take_while(|tick| on_time(tick)).count();
        let made_up = match policy.misfire {
            Misfire::Skip => 0,
            Misfire::Once => 1,
            Misfire::All => due.ticks.len(),
        };
        let wanted = made_up.max(all_on_time).max(handed_over);
        let wanted = due
            .ticks
            .get(due.ticks.len().saturating_sub(wanted)..)
            .unwrap_or_default();
        let in_time = |tick: &&Moment| policy.deadline.is_none_or(|deadline| horizon.since(**tick) <= deadline);
        let runs: Vec<Moment> = wanted.iter().filter(in_time).copied().collect();
        let origin = match runs.as_slice() {
            [only] if on_time(only) => Origin::Tick,
            _ => Origin::CatchUp,
        };

        let skipped = due.count.saturating_sub(wanted.len());
        let newest_skipped = due.ticks.iter().rev().nth(wanted.len()).copied().unwrap_or(first);
        self.miss(id, newest_skipped, skipped, Reason::Misfire, actions);
        let expired = wanted.len() - runs.len();
        let newest_expired = wanted.iter().rev().nth(runs.len()).copied().unwrap_or(first);
        self.miss(id, newest_expired, expired, Reason::Deadline, actions);
        for scheduled in runs {
            self.claim(id, scheduled, origin, now, actions);
        }
        self.pump(id);
    }

    /// The ticks from `first`, which has come, to `horizon`.
    fn collect(&self, id: JobId, first: Moment, horizon: Moment) -> Due {
        let mut following = self.next_live(id, first);
        // Nearly always there is one: the service was there, and the next is in the future.
        if following.is_none_or(|tick| tick > horizon) {
            return Due {
                ticks: vec![first],
                count: 1,
                following,
            };
        }
        let mut ticks = vec![first];
        while let Some(tick) = following.filter(|tick| *tick <= horizon) {
            if ticks.len() == COUNTED {
                return Due {
                    ticks: self.newest(id, first, horizon),
                    count: COUNTED,
                    following: self.next_live(id, horizon),
                };
            }
            ticks.push(tick);
            following = self.next_live(id, tick);
        }
        let count = ticks.len();
        ticks.drain(..count.saturating_sub(Misfire::CAP));
        Due {
            ticks,
            count,
            following,
        }
    }

    /// The newest ticks from `first` to `horizon`, found backwards: there are too many to walk forwards.
    fn newest(&self, id: JobId, first: Moment, horizon: Moment) -> Vec<Moment> {
        let Some(job) = self.job(id) else { return Vec::new() };
        let mut before = horizon.plus(std::time::Duration::from_nanos(1));
        let mut ticks = Vec::with_capacity(Misfire::CAP);
        while ticks.len() < Misfire::CAP {
            let Some(tick) = job.previous_before(before).filter(|tick| *tick >= first) else {
                break;
            };
            ticks.push(tick);
            before = tick;
        }
        ticks.reverse();
        ticks
    }

    /// The first tick after `after` that was not decided on before, in a stretch of time that the clock shows again.
    pub(super) fn next_live(&self, id: JobId, after: Moment) -> Option<Moment> {
        let (job, state) = (self.job(id)?, self.job_state(id)?);
        let mut after = after;
        loop {
            let tick = job.next_after(after)?;
            let lived = self.state.lived.past_end(tick.plus(job.offset()));
            let decided = lived.map(|end| end.minus(job.offset()));
            match decided.or_else(|| state.made_up_to(tick)) {
                Some(end) => after = end,
                None if Some(tick) == state.last_scheduled => after = tick,
                None => return Some(tick),
            }
        }
    }

    /// Sets a job's next tick, unless it has none any more: suspended, or run as often as it may.
    pub(super) fn set_next(&mut self, id: JobId, next: Option<Moment>) {
        let may_run = self.may_run(id);
        let next = next.filter(|_| may_run).unwrap_or(Moment::NEVER);
        if let Some(place) = self.next.get_mut(id.0 as usize) {
            *place = next;
        }
        if let Some(due) = self.due_of(id) {
            self.due.push(Reverse((due, id)));
        }
    }

    fn may_run(&self, id: JobId) -> bool {
        !self.is_suspended(id) && !self.is_spent(id)
    }

    /// Looks for every job's next tick anew: the clock went back to a time before all that was lived through.
    pub(super) fn reschedule_all(&mut self, now: Moment) {
        self.due.clear();
        let ids: Vec<JobId> = self.jobs().map(|(id, _)| id).collect();
        for id in ids {
            let offset = self.job(id).map(crate::job::Job::offset).unwrap_or_default();
            let next = self.next_live(id, now.minus(offset).just_before());
            self.set_next(id, next);
        }
    }

    /// Ticks go by without a run.
    pub(super) fn miss(&mut self, job: JobId, scheduled: Moment, count: usize, reason: Reason, out: &mut Vec<Action>) {
        if count == 0 {
            return;
        }
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.commit(&Record::Miss {
            job,
            scheduled,
            count,
            reason,
        });
        out.push(Action::Missed {
            job,
            scheduled,
            count,
            reason,
        });
    }
}
