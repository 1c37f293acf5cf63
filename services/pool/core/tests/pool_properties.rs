//! Whatever happens in whatever order: nobody is forgotten, overtaken or served twice, and limits hold.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use mainstay_pool_core::pool::{
    Action, Balance, ConnectFailure, ConnectionId, Ejection, Pool, Release, Settings, WaiterId,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Event {
    Acquire,
    TryAcquire,
    Cancel(usize),
    Release(usize, u8),
    Connected(usize),
    Failed(usize, bool),
    Checked(usize, bool),
    Lost(usize),
    Pass(u16),
    Operate(u8),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => Just(Event::Acquire),
        2 => Just(Event::TryAcquire),
        1 => (0..20usize).prop_map(Event::Cancel),
        6 => ((0..20usize), (0..5u8)).prop_map(|(index, how)| Event::Release(index, how)),
        6 => (0..20usize).prop_map(Event::Connected),
        2 => ((0..20usize), prop::bool::weighted(0.1)).prop_map(|(index, rejected)| Event::Failed(index, rejected)),
        4 => ((0..20usize), any::<bool>()).prop_map(|(index, lives)| Event::Checked(index, lives)),
        1 => (0..20usize).prop_map(Event::Lost),
        4 => (0..20_000u16).prop_map(Event::Pass),
        1 => (0..4u8).prop_map(Event::Operate),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    (1..6usize, 0..4usize, 0..3usize, 1..4usize, any::<bool>(), any::<bool>()).prop_map(
        |(max, min_idle, reserve, hosts, can_check, round_robin)| Settings {
            hosts,
            balance: if round_robin {
                Balance::RoundRobin
            } else {
                Balance::Failover
            },
            min_idle: min_idle.min(max),
            max,
            reserve,
            reserve_after: Duration::from_secs(2),
            max_waiting: 8,
            idle_timeout: Some(Duration::from_secs(30)),
            max_lifetime: Some(Duration::from_secs(60)),
            check_after: Some(Duration::from_secs(3)),
            can_check,
            keepalive: Some(Duration::from_secs(5)),
            leak_after: Some(Duration::from_secs(20)),
            connects_at_once: 3,
            ejection: Ejection {
                consecutive_failures: 3,
                ..Ejection::default()
            },
            ..Settings::default()
        },
    )
}

/// What the owner of a pool knows.
#[derive(Default)]
struct Owner {
    now: Duration,
    next: u64,
    waiting: VecDeque<WaiterId>,
    connecting: Vec<ConnectionId>,
    checking: Vec<ConnectionId>,
    leased: Vec<ConnectionId>,
    idle: HashSet<ConnectionId>,
    answered: HashMap<WaiterId, u32>,
}

fn nth<T: Copy>(items: &[T], index: usize) -> Option<T> {
    items.get(index % items.len().max(1)).copied()
}

impl Owner {
    fn apply(&mut self, pool: &mut Pool, event: &Event) {
        let now = self.now;
        match event {
            Event::Acquire => {
                let waiter = WaiterId(self.next);
                self.next += 1;
                self.waiting.push_back(waiter);
                pool.acquire(now, waiter, Duration::from_secs(10));
            }
            Event::TryAcquire => {
                if let Some(id) = pool.try_acquire(now) {
                    assert!(self.waiting.is_empty(), "somebody was overtaken");
                    assert!(self.idle.remove(&id), "{id:?} was not idle");
                    self.leased.push(id);
                }
            }
            Event::Cancel(index) => {
                if let Some(waiter) = self.waiting.get(index % self.waiting.len().max(1)).copied() {
                    self.waiting.retain(|other| *other != waiter);
                    self.answered.insert(waiter, 1);
                    pool.cancel(now, waiter);
                }
            }
            Event::Release(index, how) => {
                if let Some(id) = nth(&self.leased, *index) {
                    self.leased.retain(|other| *other != id);
                    self.idle.insert(id);
                    let how = [Release::Unclean, Release::Lost].get(usize::from(*how));
                    pool.release(now, id, how.copied().unwrap_or(Release::Clean));
                }
            }
            Event::Connected(index) => {
                if let Some(id) = nth(&self.connecting, *index) {
                    self.connecting.retain(|other| *other != id);
                    self.idle.insert(id);
                    pool.connected(now, id);
                }
            }
            Event::Failed(index, rejected) => {
                if let Some(id) = nth(&self.connecting, *index) {
                    self.connecting.retain(|other| *other != id);
                    let failure = match rejected {
                        true => ConnectFailure::Rejected("no".to_owned()),
                        false => ConnectFailure::Unreachable("no".to_owned()),
                    };
                    pool.connect_failed(now, id, failure);
                }
            }
            Event::Checked(index, lives) => {
                if let Some(id) = nth(&self.checking, *index) {
                    self.checking.retain(|other| *other != id);
                    self.idle.insert(id);
                    pool.checked(now, id, *lives);
                }
            }
            Event::Lost(index) => {
                let mut idle: Vec<ConnectionId> = self.idle.iter().copied().collect();
                idle.sort();
                if let Some(id) = nth(&idle, *index) {
                    pool.lost(now, id);
                }
            }
            Event::Pass(millis) => {
                self.now += Duration::from_millis(u64::from(*millis));
                pool.poll(self.now);
            }
            Event::Operate(0) => pool.pause(),
            Event::Operate(1) => pool.drain(),
            Event::Operate(2) => pool.reconnect(now),
            Event::Operate(_) => pool.resume(now),
        }
        self.act(pool);
    }

    /// Does what the pool wants, and checks that it may want it.
    fn act(&mut self, pool: &mut Pool) {
        while let Some(action) = pool.next_action() {
            match action {
                Action::Connect { connection, host } => {
                    assert!(host < pool.settings().hosts);
                    self.connecting.push(connection);
                }
                Action::Grant { waiter, connection, .. } => {
                    assert_eq!(self.waiting.pop_front(), Some(waiter), "first come first served");
                    assert!(self.idle.remove(&connection), "{connection:?} was not idle");
                    self.leased.push(connection);
                    *self.answered.entry(waiter).or_default() += 1;
                }
                Action::Refuse { waiter, .. } => {
                    self.waiting.retain(|other| *other != waiter);
                    *self.answered.entry(waiter).or_default() += 1;
                }
                Action::Check { connection } => {
                    assert!(self.idle.remove(&connection), "{connection:?} was not idle");
                    self.checking.push(connection);
                }
                Action::Close { connection, .. } => {
                    assert!(self.idle.remove(&connection), "{connection:?} was not idle");
                }
                Action::Leak { connection, .. } => assert!(self.leased.contains(&connection)),
                Action::Eject { .. } => {}
            }
        }
    }

    fn check(&self, pool: &Pool) {
        let (settings, stats) = (pool.settings(), pool.stats());
        let counted = (
            stats.active,
            stats.idle,
            stats.connecting,
            stats.checking,
            stats.waiting,
        );
        let known = (
            self.leased.len(),
            self.idle.len(),
            self.connecting.len(),
            self.checking.len(),
            self.waiting.len(),
        );
        assert_eq!(counted, known);
        assert!(stats.active + stats.idle + stats.connecting + stats.checking <= settings.max + settings.reserve);
        assert!(stats.connecting <= settings.connects_at_once);
        assert!(stats.waiting <= settings.max_waiting);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_forgotten_overtaken_or_served_twice_and_limits_hold(
        settings in settings(), seed: u64, events in prop::collection::vec(event(), 0..200),
    ) {
        let mut pool = Pool::new(settings, seed);
        let mut owner = Owner::default();
        pool.poll(owner.now);
        owner.act(&mut pool);
        for event in &events {
            owner.apply(&mut pool, event);
            owner.check(&pool);
        }
        // In the end everybody has had one answer: after the longest wait nobody waits.
        owner.apply(&mut pool, &Event::Pass(10_001));
        prop_assert!(owner.waiting.is_empty());
        prop_assert_eq!(owner.answered.len() as u64, owner.next);
        prop_assert!(owner.answered.values().all(|answers| *answers == 1));
    }

    #[test]
    fn when_the_upstream_works_again_everybody_is_served(
        settings in settings(), seed: u64, events in prop::collection::vec(event(), 0..100),
    ) {
        let mut pool = Pool::new(settings, seed);
        let mut owner = Owner::default();
        pool.poll(owner.now);
        owner.act(&mut pool);
        for event in &events {
            owner.apply(&mut pool, event);
        }
        owner.apply(&mut pool, &Event::Operate(3));
        // Longer than any ejection, in steps that let deadlines be seen.
        for _ in 0..40 {
            owner.apply(&mut pool, &Event::Pass(1000));
        }
        owner.apply(&mut pool, &Event::Acquire);
        for _ in 0..30 {
            owner.apply(&mut pool, &Event::Release(0, 4));
            owner.apply(&mut pool, &Event::Connected(0));
            owner.apply(&mut pool, &Event::Checked(0, true));
            owner.apply(&mut pool, &Event::Pass(10));
        }
        prop_assert!(owner.waiting.is_empty());
        prop_assert!(pool.stats().acquires > 0);
    }
}
