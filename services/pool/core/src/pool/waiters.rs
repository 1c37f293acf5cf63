//! Who waits: first come first served, each with a deadline of its own.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::{Moment, WaiterId};

#[derive(Clone, Copy, Debug)]
pub(super) struct Waiter {
    pub(super) id: WaiterId,
    pub(super) since: Moment,
    pub(super) deadline: Moment,
}

#[derive(Debug, Default)]
pub(super) struct Waiters {
    waiting: HashMap<WaiterId, Waiter>,
    /// In the order of their coming; some may have gone.
    order: VecDeque<WaiterId>,
    deadlines: BTreeSet<(Moment, WaiterId)>,
}

impl Waiters {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn push(&mut self, id: WaiterId, since: Moment, deadline: Moment) {
        self.waiting.insert(id, Waiter { id, since, deadline });
        self.order.push_back(id);
        self.deadlines.insert((deadline, id));
    }

    /// Who came first.
    pub(super) fn front(&mut self) -> Option<Waiter> {
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
        let waiter = self.front()?;
        self.order.pop_front();
        self.remove(waiter.id)
    }

    pub(super) fn remove(&mut self, id: WaiterId) -> Option<Waiter> {
        let waiter = self.waiting.remove(&id)?;
        self.deadlines.remove(&(waiter.deadline, id));
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
