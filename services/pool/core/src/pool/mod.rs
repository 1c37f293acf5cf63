//! The pool as a state machine: who has which connection, who waits, what is to be opened, checked and closed.
//!
//! It has no clock and no sockets. Its owner tells it the time and what happened, and does what the [`Action`]s say. So
//! every rule of it is tested by a clock that jumps.
//!
//! - `settings`: [`Settings`]
//! - `connection`: what is known of one connection
//! - `waiters`: who waits, first come first served
//! - `hosts`: which address is next, back-off, ejection
//! - `plan`: what follows from all that: grants, connects, closes
//! - `error`: why there is no connection

mod connection;
mod error;
mod hosts;
mod plan;
mod settings;
mod waiters;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use connection::{Connection, State};
use hosts::Hosts;
use waiters::{Waiter, Waiters};

pub use error::{AcquireError, ConnectFailure};
pub use settings::{Balance, Ejection, Settings};

/// An instant: the time since some start that is the owner's choice.
pub type Moment = Duration;

/// A connection to an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Someone who wants a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaiterId(pub u64);

/// What the owner of a pool has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Connect to the address of this index, then say [`Pool::connected`] or [`Pool::connect_failed`].
    Connect {
        /// The connection to be.
        connection: ConnectionId,
        /// Index into the addresses of the settings.
        host: usize,
    },
    /// Hand a connection to who waited for it.
    Grant {
        /// Who gets it.
        waiter: WaiterId,
        /// What.
        connection: ConnectionId,
        /// How long it took.
        waited: Duration,
    },
    /// Tell someone that there is none.
    Refuse {
        /// Whom.
        waiter: WaiterId,
        /// Why.
        error: AcquireError,
    },
    /// See whether an idle connection still lives, then say [`Pool::checked`].
    Check {
        /// Which.
        connection: ConnectionId,
    },
    /// Close an idle connection.
    Close {
        /// Which. The pool knows it no more.
        connection: ConnectionId,
        /// Why.
        reason: CloseReason,
    },
    /// Someone holds a connection for longer than is plausible.
    Leak {
        /// Which.
        connection: ConnectionId,
        /// For how long.
        held: Duration,
    },
    /// An address failed so often that it is left alone for a while.
    Eject {
        /// Index into the addresses.
        host: usize,
        /// For how long.
        pause: Duration,
    },
}

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloseReason {
    /// Nobody wanted it for the idle timeout.
    Idle,
    /// It reached its lifetime.
    Lifetime,
    /// The upstream closed it, or it failed.
    Lost,
    /// It did not pass its check.
    CheckFailed,
    /// A connection to the same address failed, and this one cannot be checked.
    Sibling,
    /// Who had it left it in a state in which nobody else can use it.
    Unclean,
    /// An operator asked for new connections, or for none.
    Operator,
}

impl CloseReason {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Idle,
        Self::Lifetime,
        Self::Lost,
        Self::CheckFailed,
        Self::Sibling,
        Self::Unclean,
        Self::Operator,
    ];

    /// As metrics name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Lifetime => "lifetime",
            Self::Lost => "lost",
            Self::CheckFailed => "check-failed",
            Self::Sibling => "sibling",
            Self::Unclean => "unclean",
            Self::Operator => "operator",
        }
    }
}

/// In which state a connection comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// As good as new.
    Clean,
    /// Not fit for anybody else; the upstream is not to blame.
    Unclean,
    /// The upstream closed it, or broke its protocol.
    Lost,
}

/// What an operator has told the pool to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Hand out connections.
    #[default]
    Running,
    /// Let everybody wait; connections that come back stay.
    Paused,
    /// Refuse everybody, and close what is idle or comes back.
    Draining,
}

/// Figures of a pool, now and since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections that somebody has.
    pub active: usize,
    /// Connections that nobody has.
    pub idle: usize,
    /// Connections that are being made.
    pub connecting: usize,
    /// Connections whose check goes on.
    pub checking: usize,
    /// Who waits.
    pub waiting: usize,
    /// Connections that came about.
    pub connects: u64,
    /// Connections that did not.
    pub connect_failures: u64,
    /// Grants.
    pub acquires: u64,
    /// Refusals.
    pub refusals: u64,
    /// Refusals because the time was up.
    pub timeouts: u64,
    /// Connections that were held for longer than is plausible.
    pub leaks: u64,
    /// Connections closed.
    pub closes: u64,
}

/// A pool of connections to the addresses of one upstream.
#[derive(Debug)]
pub struct Pool {
    settings: Settings,
    connections: BTreeMap<ConnectionId, Connection>,
    /// Used last, handed out first: so the others get to their idle timeout.
    idle: VecDeque<ConnectionId>,
    waiters: Waiters,
    hosts: Hosts,
    actions: VecDeque<Action>,
    mode: Mode,
    next_connection: u64,
    /// Connections made before the operator's last `reconnect` are of an earlier generation.
    generation: u64,
    /// State of a small generator: jitter needs no secrecy.
    random: u64,
    stats: Stats,
}

impl Pool {
    /// An empty pool. `seed` makes the jitter; two pools had better not have the same. Call [`poll`](Self::poll) next.
    pub fn new(settings: Settings, seed: u64) -> Self {
        Self {
            hosts: Hosts::new(&settings),
            settings,
            connections: BTreeMap::new(),
            idle: VecDeque::new(),
            waiters: Waiters::default(),
            actions: VecDeque::new(),
            mode: Mode::Running,
            next_connection: 1,
            generation: 0,
            random: seed | 1,
            stats: Stats::default(),
        }
    }

    /// A connection at once, if one is idle and nobody waits for it: what [`acquire`](Self::acquire) would grant.
    pub fn try_acquire(&mut self, now: Moment) -> Option<ConnectionId> {
        if self.mode != Mode::Running || !self.waiters.is_empty() || self.borrowable(now) == 0 {
            return None;
        }
        let id = *self.idle.back()?;
        let connection = self.connections.get_mut(&id)?;
        if connection.is_expired(now) || connection.needs_check(now, &self.settings, &self.hosts) {
            return None;
        }
        self.idle.pop_back();
        connection.lease(now, false);
        self.stats.acquires += 1;
        Some(id)
    }

    /// Waits for a connection, behind all who wait already. A [`Action::Grant`] or a [`Action::Refuse`] follows.
    pub fn acquire(&mut self, now: Moment, waiter: WaiterId, timeout: Duration) {
        let waiting = self.waiters.len();
        if waiting >= self.settings.max_waiting && self.mode != Mode::Draining {
            self.refuse(waiter, AcquireError::QueueFull { waiting });
        } else {
            self.enqueue(now, waiter, now, timeout, false);
        }
    }

    /// [`acquire`](Self::acquire) of who keeps the connection for as long as it lives, for the use of many. So many as
    /// `held` in the settings never wait for those who borrow one, and none of them counts as a leak.
    pub fn hold(&mut self, now: Moment, waiter: WaiterId, timeout: Duration) {
        self.enqueue(now, waiter, now, timeout, true);
    }

    /// What was granted to someone who has waited since then is dead: waits again, before all who came later. `timeout`
    /// counts from then.
    pub fn acquire_again(&mut self, now: Moment, waiter: WaiterId, since: Moment, timeout: Duration, holds: bool) {
        self.enqueue(now, waiter, since, timeout, holds);
    }

    fn enqueue(&mut self, now: Moment, id: WaiterId, since: Moment, timeout: Duration, holds: bool) {
        if self.mode == Mode::Draining {
            return self.refuse(id, AcquireError::Draining);
        }
        self.waiters.push(Waiter {
            id,
            since,
            deadline: since.saturating_add(timeout),
            holds,
        });
        self.advance(now);
    }

    /// Someone waits no longer. If the grant is on its way already, [`release`](Self::release) what it grants.
    pub fn cancel(&mut self, now: Moment, waiter: WaiterId) {
        if self.waiters.remove(waiter).is_some() {
            self.advance(now);
        }
    }

    /// A connection came about.
    pub fn connected(&mut self, now: Moment, id: ConnectionId) {
        let lifetime = self.lifetime();
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let replaced = connection.open(now, lifetime, self.generation);
        self.hosts.succeeded(connection.host);
        self.stats.connects += 1;
        self.idle.push_back(id);
        if let Some(old) = replaced {
            self.retire(old);
        }
        if self.mode == Mode::Draining {
            self.close_idle(CloseReason::Operator, |_| true);
        }
        self.advance(now);
    }

    /// A connection did not come about.
    pub fn connect_failed(&mut self, now: Moment, id: ConnectionId, failure: ConnectFailure) {
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        if let State::Connecting { replaces: Some(old) } = connection.state
            && let Some(old) = self.connections.get_mut(&old)
        {
            // Once more before its end.
            old.replaced = false;
        }
        self.stats.connect_failures += 1;
        let random = self.random();
        if let Some(pause) = self.hosts.failed(connection.host, now, &failure, random) {
            self.actions.push_back(Action::Eject {
                host: connection.host,
                pause,
            });
        }
        self.suspect(now, connection.host);
        if failure.is_rejection() {
            // Waiting does not make a password right.
            while let Some(waiter) = self.waiters.pop() {
                self.refuse(waiter.id, AcquireError::Rejected(failure.to_string()));
            }
        }
        self.advance(now);
    }

    /// Someone gives a connection back.
    pub fn release(&mut self, now: Moment, id: ConnectionId, how: Release) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let host = connection.host;
        let reason = match how {
            Release::Unclean => Some(CloseReason::Unclean),
            Release::Lost => Some(CloseReason::Lost),
            Release::Clean if self.mode == Mode::Draining || connection.generation != self.generation => {
                Some(CloseReason::Operator)
            }
            Release::Clean if connection.is_expired(now) => Some(CloseReason::Lifetime),
            Release::Clean => None,
        };
        match reason {
            None => {
                connection.rest(now);
                self.idle.push_back(id);
            }
            Some(reason) => self.close(id, reason),
        }
        if how == Release::Lost {
            self.suspect(now, host);
        }
        self.advance(now);
    }

    /// The upstream closed an idle connection.
    pub fn lost(&mut self, now: Moment, id: ConnectionId) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let host = connection.host;
        self.idle.retain(|idle| *idle != id);
        self.close(id, CloseReason::Lost);
        self.suspect(now, host);
        self.advance(now);
    }

    /// A check has ended.
    pub fn checked(&mut self, now: Moment, id: ConnectionId, lives: bool) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if !matches!(connection.state, State::Checking { .. }) {
            return;
        }
        let host = connection.host;
        let stays = self.mode != Mode::Draining && connection.generation == self.generation;
        if lives && stays {
            connection.passed(now);
            self.return_idle(id);
        } else if lives {
            self.close(id, CloseReason::Operator);
        } else {
            self.close(id, CloseReason::CheckFailed);
            self.suspect(now, host);
        }
        self.advance(now);
    }

    /// Puts an idle connection where it was: the one that was used last is handed out first.
    fn return_idle(&mut self, id: ConnectionId) {
        let since = |id: &ConnectionId| self.connections.get(id).and_then(Connection::idle_since);
        let own = since(&id);
        let at = self.idle.iter().rposition(|other| since(other) <= own);
        self.idle.insert(at.map_or(0, |last| last + 1), id);
    }

    /// Lets everybody wait until [`resume`](Self::resume).
    pub fn pause(&mut self) {
        self.mode = Mode::Paused;
    }

    /// Ends a pause or a drain.
    pub fn resume(&mut self, now: Moment) {
        self.mode = Mode::Running;
        self.advance(now);
    }

    /// Refuses everybody, and closes all connections as they come back.
    pub fn drain(&mut self) {
        self.mode = Mode::Draining;
        while let Some(waiter) = self.waiters.pop() {
            self.refuse(waiter.id, AcquireError::Draining);
        }
        self.close_idle(CloseReason::Operator, |_| true);
    }

    /// Replaces every connection: idle ones now, others when they come back. Addresses that were left alone are tried.
    pub fn reconnect(&mut self, now: Moment) {
        self.generation += 1;
        self.hosts.forgive();
        self.close_idle(CloseReason::Operator, |_| true);
        self.advance(now);
    }

    /// Whether who holds this connection had better say nothing more on it and give it back soon: it is past its lifetime,
    /// or an operator wants a pause, new ones or none. For those who [hold](Self::hold) a connection.
    pub fn should_return(&self, now: Moment, id: ConnectionId) -> bool {
        self.connections.get(&id).is_none_or(|connection| {
            connection.is_expired(now) || connection.generation != self.generation || self.mode != Mode::Running
        })
    }

    /// What is to be done next.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// What the operator has told it.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Figures.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats {
            waiting: self.waiters.len(),
            ..self.stats
        };
        for connection in self.connections.values() {
            match connection.state {
                State::Connecting { .. } => stats.connecting += 1,
                State::Idle { .. } => stats.idle += 1,
                State::Checking { .. } => stats.checking += 1,
                State::Leased { .. } => stats.active += 1,
            }
        }
        stats
    }

    /// Why nothing can be connected to now, if so: the breaker is open.
    pub fn circuit_open(&self, now: Moment) -> Option<Duration> {
        self.hosts.all_ejected(now)
    }

    /// Addresses that are left alone now.
    pub fn ejected(&self, now: Moment) -> Vec<usize> {
        self.hosts.ejected(now)
    }

    /// What the last connect failed with.
    pub fn last_failure(&self) -> Option<&ConnectFailure> {
        self.hosts.last_failure()
    }

    /// The address of a connection.
    pub fn host_of(&self, id: ConnectionId) -> Option<usize> {
        Some(self.connections.get(&id)?.host)
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn refuse(&mut self, waiter: WaiterId, error: AcquireError) {
        self.stats.refusals += 1;
        if matches!(error, AcquireError::TimedOut { .. }) {
            self.stats.timeouts += 1;
        }
        self.actions.push_back(Action::Refuse { waiter, error });
    }

    /// The next of a xorshift generator.
    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// How long a new connection lives: the maximum, less its jitter's share.
    fn lifetime(&mut self) -> Option<Duration> {
        let share = self.settings.lifetime_jitter_percent.min(100);
        let percent = (self.random() >> 33) % (u64::from(share) + 1);
        let percent = u32::try_from(percent).unwrap_or(0);
        self.settings.max_lifetime.map(|most| most - most / 100 * percent)
    }
}
