//! What follows from the state and the time: grants, refusals, connects, checks, closes.

use std::time::Duration;

use super::connection::{Connection, State};
use super::{AcquireError, Action, CloseReason, ConnectionId, Mode, Moment, Pool};

/// The replacement of a connection is begun before its end by a tenth of its lifetime, and no more than this.
const LEAD: Duration = Duration::from_secs(30);

impl Pool {
    /// Time has passed. Call it when [`next_deadline`](Self::next_deadline) has come, or more often.
    pub fn poll(&mut self, now: Moment) {
        while let Some(waiter) = self.waiters.pop_expired(now) {
            let error = AcquireError::TimedOut {
                waited: now.saturating_sub(waiter.since),
                open: match self.settings.held {
                    0 => self.connections.len(),
                    _ => self.borrowed(),
                },
                last: self.hosts.last_failure().map(ToString::to_string),
            };
            self.refuse(waiter.id, error);
        }
        self.expire_idle(now);
        self.replace_early(now);
        self.check_silent(now);
        self.report_leaks(now);
        self.advance(now);
    }

    /// When something is due next, if nothing else happens.
    pub fn next_deadline(&self, now: Moment) -> Option<Moment> {
        let mut next = self.waiters.next_deadline();
        let mut due = |moment: Option<Moment>| {
            if let Some(moment) = moment.filter(|moment| *moment > now) {
                next = Some(next.map_or(moment, |next| next.min(moment)));
            }
        };
        for connection in self.connections.values() {
            due(connection.expires);
            due(connection.keepalive(&self.settings));
            match connection.state {
                State::Idle { since } => {
                    due(self.settings.idle_timeout.map(|timeout| since.saturating_add(timeout)));
                    due(connection.expires.map(|expires| expires.saturating_sub(self.lead())));
                }
                State::Leased {
                    since,
                    reported: false,
                    held: false,
                } => {
                    due(self.settings.leak_after.map(|after| since.saturating_add(after)));
                }
                _ => {}
            }
        }
        if !self.waiters.is_empty() || self.settings.min_idle > 0 {
            due(self.hosts.next_try(now));
        }
        if self.settings.reserve > 0
            && let Some(oldest) = self.waiters.peek()
        {
            due(Some(oldest.since.saturating_add(self.settings.reserve_after)));
        }
        next
    }

    /// Grants what can be granted, then sees to it that there will be more.
    pub(super) fn advance(&mut self, now: Moment) {
        if self.mode == Mode::Running {
            self.grant(now);
            self.refuse_while_open(now);
        }
        if self.mode != Mode::Draining {
            self.connect(now);
        }
    }

    fn grant(&mut self, now: Moment) {
        loop {
            let borrows = self.borrowable(now) > 0;
            let Some(waiter) = self.waiters.front(borrows) else {
                return;
            };
            let Some(id) = self.idle.pop_back() else { return };
            let Some(connection) = self.connections.get_mut(&id) else {
                continue;
            };
            if connection.is_expired(now) {
                self.close(id, CloseReason::Lifetime);
            } else if connection.needs_check(now, &self.settings, &self.hosts) {
                connection.check(now);
                self.actions.push_back(Action::Check { connection: id });
                if self.on_the_way() >= self.waiters.len() {
                    return;
                }
            } else {
                connection.lease(now, waiter.holds);
                self.waiters.remove(waiter.id);
                self.stats.acquires += 1;
                self.actions.push_back(Action::Grant {
                    waiter: waiter.id,
                    connection: id,
                    waited: now.saturating_sub(waiter.since),
                });
            }
        }
    }

    /// While the circuit is open and no connection is there to wait for, waiting is of no use.
    fn refuse_while_open(&mut self, now: Moment) {
        let Some(retry_in) = self.hosts.all_ejected(now) else {
            return;
        };
        if !self.connections.is_empty() {
            return;
        }
        while let Some(waiter) = self.waiters.pop() {
            let last = self.hosts.last_failure().map(ToString::to_string).unwrap_or_default();
            self.refuse(waiter.id, AcquireError::CircuitOpen { retry_in, last });
        }
    }

    /// Connections that will be idle soon.
    fn on_the_way(&self) -> usize {
        let coming =
            |connection: &&Connection| matches!(connection.state, State::Connecting { .. } | State::Checking { .. });
        self.connections.values().filter(coming).count()
    }

    fn connecting(&self) -> usize {
        let connecting = |connection: &&Connection| matches!(connection.state, State::Connecting { .. });
        self.connections.values().filter(connecting).count()
    }

    /// Begins as many connects as who waits and `min_idle` call for, and the limits permit.
    fn connect(&mut self, now: Moment) {
        let holding = self.waiters.holding();
        let borrowing = (self.waiters.len() - holding).min(self.borrowable(now));
        let wanted = holding + borrowing + self.settings.min_idle;
        if wanted <= self.idle.len() {
            return;
        }
        let mut missing = wanted.saturating_sub(self.idle.len() + self.on_the_way());
        let mut room = self.limit(now).saturating_sub(self.connections.len());
        let mut at_once = self.settings.connects_at_once.saturating_sub(self.connecting());
        while missing > 0 && room > 0 && at_once > 0 && self.begin(now, None) {
            missing -= 1;
            room -= 1;
            at_once -= 1;
        }
    }

    /// How many connections there may be: the reserve is for who has waited long.
    fn limit(&self, now: Moment) -> usize {
        let long = |since: Moment| now.saturating_sub(since) >= self.settings.reserve_after;
        let (max, reserve) = (self.settings.max, self.settings.reserve);
        match self.waiters.peek() {
            Some(waiter) if long(waiter.since) => max + reserve,
            _ => max,
        }
    }

    fn borrowed(&self) -> usize {
        self.connections.values().filter(|one| one.is_borrowed()).count()
    }

    /// How many more may be borrowed, so that enough are left for those who hold one for good.
    pub(super) fn borrowable(&self, now: Moment) -> usize {
        match self.settings.held {
            0 => usize::MAX,
            held => self.limit(now).saturating_sub(held + self.borrowed()),
        }
    }

    fn begin(&mut self, now: Moment, replaces: Option<ConnectionId>) -> bool {
        let Some(host) = self.hosts.pick(now) else { return false };
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        self.connections.insert(id, Connection::connecting(host, replaces));
        self.actions.push_back(Action::Connect { connection: id, host });
        true
    }

    fn expire_idle(&mut self, now: Moment) {
        let expired: Vec<ConnectionId> = self.idle_ids(|connection| connection.is_expired(now));
        for id in expired {
            self.forget_idle(id);
            self.close(id, CloseReason::Lifetime);
        }
        let Some(timeout) = self.settings.idle_timeout else {
            return;
        };
        let unwanted = self.idle_ids(
            |connection| matches!(connection.state, State::Idle { since } if now.saturating_sub(since) >= timeout),
        );
        let spare = self.idle.len().saturating_sub(self.settings.min_idle);
        for id in unwanted.into_iter().take(spare) {
            self.forget_idle(id);
            self.close(id, CloseReason::Idle);
        }
    }

    /// Asks those that have been silent for long whether they live, a few at a time: meanwhile nobody can have them.
    fn check_silent(&mut self, now: Moment) {
        if self.mode != Mode::Running {
            return;
        }
        let checking = |connection: &&Connection| matches!(connection.state, State::Checking { .. });
        let checking = self.connections.values().filter(checking).count();
        let room = self.settings.connects_at_once.saturating_sub(checking);
        let silent = self.idle_ids(|connection| connection.keepalive(&self.settings).is_some_and(|due| now >= due));
        for id in silent.into_iter().take(room) {
            self.forget_idle(id);
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.check(now);
                self.actions.push_back(Action::Check { connection: id });
            }
        }
    }

    /// Begins the replacement of idle connections whose end is near, where there is room for both.
    fn replace_early(&mut self, now: Moment) {
        if self.mode != Mode::Running || self.settings.min_idle == 0 {
            return;
        }
        let lead = self.lead();
        let ending = self.idle_ids(|connection| {
            let near = connection
                .expires
                .is_some_and(|expires| now >= expires.saturating_sub(lead));
            near && !connection.replaced
        });
        for id in ending.into_iter().take(self.settings.min_idle) {
            let room = self.connections.len() < self.settings.max
                && self.connecting() < self.settings.connects_at_once
                && self.begin(now, Some(id));
            if !room {
                return;
            }
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.replaced = true;
            }
        }
    }

    fn lead(&self) -> Duration {
        self.settings
            .max_lifetime
            .map_or(LEAD, |lifetime| (lifetime / 10).min(LEAD))
    }

    /// A connection whose replacement is there.
    pub(super) fn retire(&mut self, id: ConnectionId) {
        match self.connections.get_mut(&id) {
            Some(Connection {
                state: State::Idle { .. },
                ..
            }) => {
                self.forget_idle(id);
                self.close(id, CloseReason::Lifetime);
            }
            Some(connection) => connection.expires = Some(Moment::ZERO),
            None => {}
        }
    }

    fn report_leaks(&mut self, now: Moment) {
        let Some(after) = self.settings.leak_after else { return };
        for (id, connection) in &mut self.connections {
            if let State::Leased {
                since,
                reported,
                held: false,
            } = &mut connection.state
                && !*reported
                && now.saturating_sub(*since) >= after
            {
                *reported = true;
                self.stats.leaks += 1;
                self.actions.push_back(Action::Leak {
                    connection: *id,
                    held: now.saturating_sub(*since),
                });
            }
        }
    }

    /// A connection to this address failed: the idle ones may be dead too.
    pub(super) fn suspect(&mut self, now: Moment, host: usize) {
        self.hosts.suspect(host, now);
        if !self.settings.can_check {
            self.close_idle(CloseReason::Sibling, |connection| connection.host == host);
        }
    }

    pub(super) fn close_idle(&mut self, reason: CloseReason, which: impl Fn(&Connection) -> bool) {
        for id in self.idle_ids(which) {
            self.forget_idle(id);
            self.close(id, reason);
        }
    }

    /// Idle ones that are such, oldest use first.
    fn idle_ids(&self, which: impl Fn(&Connection) -> bool) -> Vec<ConnectionId> {
        let such = |id: &&ConnectionId| self.connections.get(id).is_some_and(&which);
        self.idle.iter().filter(such).copied().collect()
    }

    fn forget_idle(&mut self, id: ConnectionId) {
        self.idle.retain(|idle| *idle != id);
    }

    /// The owner closes what the pool knows no more. Not for connections in `idle`.
    pub(super) fn close(&mut self, id: ConnectionId, reason: CloseReason) {
        if self.connections.remove(&id).is_some() {
            self.stats.closes += 1;
            self.actions.push_back(Action::Close { connection: id, reason });
        }
    }
}
