//! Who waits: first come first served, each with a deadline of its own.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::{Moment, WaiterId};

#[derive(Clone, Copy, Debug)]
pub(super) struct Waiter {
    pub(super) id: WaiterId,
    pub(super) since: Moment,
    pub(super) deadline: Moment,
    /// Wants one for good, of those that are for that alone.
    pub(super) holds: bool,
}

#[derive(Debug, Default)]
pub(super) struct Waiters {
    waiting: HashMap<WaiterId, Waiter>,
    /// In the order of their coming; some may have gone.
    order: VecDeque<WaiterId>,
    deadlines: BTreeSet<(Moment, WaiterId)>,
    /// How many want one for good.
    holding: usize,
}

impl Waiters {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many want one for good.
    pub(super) fn holding(&self) -> usize {
        self.holding
    }

    /// Someone comes, mostly as the last; who has waited before, before those who came later.
    pub(super) fn push(&mut self, waiter: Waiter) {
        let earlier = |id: &WaiterId| self.waiting.get(id).is_none_or(|other| other.since <= waiter.since);
        let at = self.order.iter().rposition(earlier).map_or(0, |last| last + 1);
        self.order.insert(at, waiter.id);
        self.holding += usize::from(waiter.holds);
        self.deadlines.insert((waiter.deadline, waiter.id));
        self.waiting.insert(waiter.id, waiter);
    }

    /// Who came first; of those who want one for good, where others get none.
    pub(super) fn front(&mut self, borrows: bool) -> Option<Waiter> {
        if !borrows {
            let mut waiting = self.order.iter().filter_map(|id| self.waiting.get(id));
            return waiting.find(|waiter| waiter.holds).copied();
        }
        while let Some(id) = self.order.front() {
            if let Some(waiter) = self.waiting.get(id) {
                return Some(*waiter);
            }
            self.order.pop_front();
        }
        None
    }

    /// [`front`](Self::front) of who may not forget those who have gone.
    pub(super) fn peek(&self) -> Option<Waiter> {
        self.order.iter().find_map(|id| self.waiting.get(id)).copied()
    }

    pub(super) fn pop(&mut self) -> Option<Waiter> {
        let waiter = self.front(true)?;
        self.order.pop_front();
        self.remove(waiter.id)
    }

    pub(super) fn remove(&mut self, id: WaiterId) -> Option<Waiter> {
        let waiter = self.waiting.remove(&id)?;
        self.deadlines.remove(&(waiter.deadline, id));
        self.holding -= usize::from(waiter.holds);
        // Who gives up in the middle leaves a gap; gaps must not outnumber those who wait.
        if self.order.len() > 2 * self.waiting.len() + 16 {
            self.order.retain(|id| self.waiting.contains_key(id));
        }
        Some(waiter)
    }

    /// Whose time is up.
    pub(super) fn pop_expired(&mut self, now: Moment) -> Option<Waiter> {
        let (deadline, id) = *self.deadlines.first()?;
        if deadline > now {
            return None;
        }
        self.remove(id)
    }

    pub(super) fn next_deadline(&self) -> Option<Moment> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }
}
