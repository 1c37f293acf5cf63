//! Which address is next: failover or one after the other, back-off after a failure, ejection after many.

use std::time::Duration;

use super::{Balance, ConnectFailure, Ejection, Moment, Settings};

#[derive(Debug)]
pub(super) struct Hosts {
    hosts: Vec<Host>,
    balance: Balance,
    backoff_min: Duration,
    backoff_max: Duration,
    ejection: Ejection,
    /// The one that [`Balance::RoundRobin`] tries next.
    turn: usize,
    last_failure: Option<ConnectFailure>,
}

#[derive(Debug, Default)]
struct Host {
    /// Failures since the last success.
    failures: u32,
    /// Ejections since the last success.
    ejections: u32,
    /// Not tried before.
    not_before: Moment,
    ejected: bool,
    /// Connects that go on. After a failure there is one at a time: a host that comes back is not stormed.
    connecting: usize,
    /// Connections that were last known to live before this instant may be dead.
    suspect: Option<Moment>,
}

impl Hosts {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            hosts: (0..settings.hosts.max(1)).map(|_| Host::default()).collect(),
            balance: settings.balance,
            backoff_min: settings.backoff_min,
            backoff_max: settings.backoff_max,
            ejection: settings.ejection,
            turn: 0,
            last_failure: None,
        }
    }

    /// The address to connect to now; none while all have to be left alone.
    pub(super) fn pick(&mut self, now: Moment) -> Option<usize> {
        let count = self.hosts.len();
        let first = match self.balance {
            Balance::Failover => 0,
            Balance::RoundRobin => self.turn,
        };
        let free = |host: &Host| now >= host.not_before && (host.failures == 0 || host.connecting == 0);
        let index = (0..count)
            .map(|step| (first + step) % count)
            .find(|index| self.hosts.get(*index).is_some_and(free))?;
        self.turn = (index + 1) % count;
        if let Some(host) = self.hosts.get_mut(index) {
            host.connecting += 1;
        }
        Some(index)
    }

    pub(super) fn succeeded(&mut self, index: usize) {
        if let Some(host) = self.hosts.get_mut(index) {
            *host = Host {
                connecting: host.connecting.saturating_sub(1),
                suspect: host.suspect,
                ..Host::default()
            };
        }
        self.last_failure = None;
    }

    /// A connect failed. Gives for how long the address is left alone, if it is ejected by that.
    pub(super) fn failed(
        &mut self,
        index: usize,
        now: Moment,
        failure: &ConnectFailure,
        random: u64,
    ) -> Option<Duration> {
        self.last_failure = Some(failure.clone());
        let may_eject = self.may_eject(index, now);
        let (backoff_min, backoff_max, ejection) = (self.backoff_min, self.backoff_max, self.ejection);
        let host = self.hosts.get_mut(index)?;
        host.connecting = host.connecting.saturating_sub(1);
        host.failures = host.failures.saturating_add(1);
        let doubled = backoff_min.saturating_mul(1 << host.failures.saturating_sub(1).min(20));
        let bound = doubled.min(backoff_max);
        // At least half of the bound: a refused connect is quick, and no pause at all would be a busy loop.
        let millis = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX);
        let pause = Duration::from_millis(millis / 2 + (random >> 11) % (millis / 2 + 1));
        host.not_before = now.saturating_add(pause);
        host.ejected = false;
        if host.failures < ejection.consecutive_failures || !may_eject {
            return None;
        }
        host.ejections = host.ejections.saturating_add(1);
        let pause = ejection.base.saturating_mul(host.ejections).min(ejection.max);
        host.not_before = now.saturating_add(pause);
        host.ejected = true;
        // Half open: one connect decides.
        host.failures = ejection.consecutive_failures.saturating_sub(1);
        Some(pause)
    }

    /// Whether the share of ejected addresses leaves room for this one.
    fn may_eject(&self, index: usize, now: Moment) -> bool {
        let ejected = self.ejected(now).into_iter().filter(|other| *other != index).count();
        (ejected + 1) * 100 <= self.hosts.len() * usize::from(self.ejection.max_percent)
    }

    /// Connections of this address that were last known to live before now may be dead.
    pub(super) fn suspect(&mut self, index: usize, now: Moment) {
        if let Some(host) = self.hosts.get_mut(index) {
            host.suspect = Some(now);
        }
    }

    pub(super) fn suspect_since(&self, index: usize) -> Option<Moment> {
        self.hosts.get(index)?.suspect
    }

    /// All may be tried at once.
    pub(super) fn forgive(&mut self) {
        for host in &mut self.hosts {
            host.failures = 0;
            host.ejections = 0;
            host.ejected = false;
            host.not_before = Moment::ZERO;
        }
    }

    pub(super) fn ejected(&self, now: Moment) -> Vec<usize> {
        let ejected = self
            .hosts
            .iter()
            .enumerate()
            .filter(|(_, host)| host.ejected && host.not_before > now);
        ejected.map(|(index, _)| index).collect()
    }

    /// For how long all are ejected, if they are.
    pub(super) fn all_ejected(&self, now: Moment) -> Option<Duration> {
        if self.ejected(now).len() < self.hosts.len() {
            return None;
        }
        let soonest = self.hosts.iter().map(|host| host.not_before).min()?;
        Some(soonest.saturating_sub(now))
    }

    /// When an address may be tried that may not be tried now.
    pub(super) fn next_try(&self, now: Moment) -> Option<Moment> {
        let later = self.hosts.iter().map(|host| host.not_before);
        later.filter(|moment| *moment > now).min()
    }

    pub(super) fn last_failure(&self) -> Option<&ConnectFailure> {
        self.last_failure.as_ref()
    }
}
