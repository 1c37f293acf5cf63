//! What is known of one connection.

use std::time::Duration;

use super::hosts::Hosts;
use super::{ConnectionId, Moment, Settings};

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) host: usize,
    pub(super) state: State,
    pub(super) generation: u64,
    /// When it is too old; never, without a maximal lifetime.
    pub(super) expires: Option<Moment>,
    /// Whether another one is being made to take its place.
    pub(super) replaced: bool,
    /// When it was last known to live.
    lived: Moment,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    Connecting {
        /// The one that goes when this has come.
        replaces: Option<ConnectionId>,
    },
    Idle {
        since: Moment,
    },
    Checking {
        /// Idle since then: a check is no use of it.
        since: Moment,
    },
    Leased {
        since: Moment,
        reported: bool,
        /// For good, as far as its owner knows.
        held: bool,
    },
}

impl Connection {
    pub(super) fn connecting(host: usize, replaces: Option<ConnectionId>) -> Self {
        Self {
            host,
            state: State::Connecting { replaces },
            generation: 0,
            expires: None,
            replaced: false,
            lived: Moment::ZERO,
        }
    }

    /// It came about. Gives the one whose place it takes.
    pub(super) fn open(&mut self, now: Moment, lifetime: Option<Duration>, generation: u64) -> Option<ConnectionId> {
        let replaces = match self.state {
            State::Connecting { replaces } => replaces,
            _ => None,
        };
        self.generation = generation;
        self.expires = lifetime.map(|lifetime| now.saturating_add(lifetime));
        self.rest(now);
        replaces
    }

    pub(super) fn lease(&mut self, now: Moment, held: bool) {
        self.state = State::Leased {
            since: now,
            reported: false,
            held,
        };
    }

    pub(super) fn check(&mut self, now: Moment) {
        let since = self.idle_since().unwrap_or(now);
        self.state = State::Checking { since };
    }

    /// It passed its check.
    pub(super) fn passed(&mut self, now: Moment) {
        if let State::Checking { since } = self.state {
            self.lived = now;
            self.state = State::Idle { since };
        }
    }

    pub(super) fn idle_since(&self) -> Option<Moment> {
        match self.state {
            State::Idle { since } => Some(since),
            _ => None,
        }
    }

    /// Whether somebody has it for a while, and not for good.
    pub(super) fn is_borrowed(&self) -> bool {
        matches!(self.state, State::Leased { held: false, .. })
    }

    /// When it is to be asked whether it lives, though nobody wants it.
    pub(super) fn keepalive(&self, settings: &Settings) -> Option<Moment> {
        let after = settings.keepalive.filter(|_| settings.can_check)?;
        self.idle_since().map(|_| self.lived.saturating_add(after))
    }

    /// Nobody has it, and it is known to live.
    pub(super) fn rest(&mut self, now: Moment) {
        self.lived = now;
        self.state = State::Idle { since: now };
    }

    pub(super) fn is_expired(&self, now: Moment) -> bool {
        self.expires.is_some_and(|expires| now >= expires)
    }

    /// Whether it is not known well enough to be handed out.
    pub(super) fn needs_check(&self, now: Moment, settings: &Settings, hosts: &Hosts) -> bool {
        // One that was checked just now is known well enough, even by who wants a check each time.
        let idle = now.saturating_sub(self.lived);
        let stale = settings
            .check_after
            .is_some_and(|after| idle >= after && !idle.is_zero());
        settings.can_check && (stale || hosts.suspect_since(self.host).is_some_and(|since| self.lived < since))
    }
}
