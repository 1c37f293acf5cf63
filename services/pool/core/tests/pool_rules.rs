//! One rule of the pool a test, with a clock that jumps.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::time::Duration;

use mainstay_pool_core::pool::{
    AcquireError, Action, Balance, CloseReason, ConnectFailure, ConnectionId, Ejection, Pool, Release, Settings,
    WaiterId,
};

const SECOND: Duration = Duration::from_secs(1);

/// A pool and its clock.
struct Test {
    pool: Pool,
    now: Duration,
}

impl Test {
    fn new(settings: Settings) -> Self {
        let mut pool = Pool::new(settings, 7);
        pool.poll(Duration::ZERO);
        Self {
            pool,
            now: Duration::ZERO,
        }
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.pool.next_action()).collect()
    }

    fn acquire(&mut self, waiter: u64) {
        self.pool.acquire(self.now, WaiterId(waiter), 5 * SECOND);
    }

    /// The connects that are asked for, with their addresses.
    fn connects(&mut self) -> Vec<(ConnectionId, usize)> {
        let connects = self.actions().into_iter().filter_map(|action| match action {
            Action::Connect { connection, host } => Some((connection, host)),
            _ => None,
        });
        connects.collect()
    }

    /// Lets every connect that is asked for succeed; gives all other actions.
    fn settle(&mut self) -> Vec<Action> {
        let mut others = Vec::new();
        while let Some(action) = self.pool.next_action() {
            match action {
                Action::Connect { connection, .. } => self.pool.connected(self.now, connection),
                other => others.push(other),
            }
        }
        others
    }

    fn grants(&mut self) -> Vec<(u64, ConnectionId)> {
        let grants = self.settle().into_iter().filter_map(|action| match action {
            Action::Grant { waiter, connection, .. } => Some((waiter.0, connection)),
            _ => None,
        });
        grants.collect()
    }

    fn after(&mut self, time: Duration) {
        self.now += time;
        self.pool.poll(self.now);
    }

    fn refused(&mut self) -> Vec<AcquireError> {
        let refusals = self.actions().into_iter().filter_map(|action| match action {
            Action::Refuse { error, .. } => Some(error),
            _ => None,
        });
        refusals.collect()
    }

    fn fail(&mut self, id: ConnectionId) {
        let failure = ConnectFailure::Unreachable("connection refused".to_owned());
        self.pool.connect_failed(self.now, id, failure);
    }
}

fn settings(max: usize) -> Settings {
    Settings {
        max,
        // One rule a test.
        keepalive: None,
        ..Settings::default()
    }
}

#[test]
fn who_came_first_is_served_first_and_no_more_than_max_are_opened() {
    let mut test = Test::new(settings(2));
    for waiter in 0..5 {
        test.acquire(waiter);
    }
    let first = test.grants();
    assert_eq!(first.iter().map(|(waiter, _)| *waiter).collect::<Vec<_>>(), [0, 1]);
    for expected in 2..5 {
        test.pool.release(test.now, first[0].1, Release::Clean);
        assert_eq!(test.grants(), [(expected, first[0].1)]);
    }
    assert_eq!(test.pool.stats().connects, 2);
}

#[test]
fn nobody_overtakes_who_waits_even_when_a_connection_is_idle() {
    let mut test = Test::new(settings(1));
    test.acquire(1);
    let granted = test.grants();
    test.pool.pause();
    test.acquire(2);
    test.pool.release(test.now, granted[0].1, Release::Clean);
    assert_eq!(test.pool.try_acquire(test.now), None);
    test.pool.resume(test.now);
    assert_eq!(test.grants(), [(2, granted[0].1)]);
}

#[test]
fn an_idle_connection_is_handed_out_at_once() {
    let mut test = Test::new(Settings {
        min_idle: 1,
        ..settings(2)
    });
    test.settle();
    let id = test.pool.try_acquire(test.now).unwrap();
    assert_eq!(test.pool.try_acquire(test.now), None);
    test.pool.release(test.now, id, Release::Clean);
    assert_eq!(test.pool.try_acquire(test.now), Some(id));
}

#[test]
fn who_waits_too_long_is_told_why() {
    let mut test = Test::new(settings(1));
    test.acquire(1);
    test.settle();
    test.acquire(2);
    assert_eq!(test.pool.next_deadline(test.now), Some(5 * SECOND));
    test.after(5 * SECOND);
    let refused = test.refused();
    assert_eq!(refused[0].to_string(), "no connection within 5s, others have all 1");
    assert_eq!(refused[0].label(), "timeout");
    assert_eq!(test.pool.stats().timeouts, 1);
}

#[test]
fn a_timeout_says_that_connects_fail() {
    let mut test = Test::new(settings(1));
    test.acquire(1);
    let (id, _) = test.connects()[0];
    test.fail(id);
    test.after(5 * SECOND);
    assert_eq!(
        test.refused()[0].to_string(),
        "no connection within 5s, connects fail: connection refused"
    );
}

#[test]
fn no_more_wait_than_may() {
    let mut test = Test::new(Settings {
        max_waiting: 1,
        ..settings(1)
    });
    test.acquire(1);
    test.settle();
    test.acquire(2);
    test.acquire(3);
    assert_eq!(test.refused(), [AcquireError::QueueFull { waiting: 1 }]);
}

#[test]
fn the_reserve_is_for_who_has_waited_long() {
    let mut test = Test::new(Settings {
        reserve: 1,
        reserve_after: 2 * SECOND,
        ..settings(1)
    });
    test.acquire(1);
    test.acquire(2);
    assert_eq!(test.grants().len(), 1);
    assert_eq!(test.pool.next_deadline(test.now), Some(2 * SECOND));
    test.after(2 * SECOND);
    assert_eq!(test.grants()[0].0, 2);
    test.acquire(3);
    test.after(2 * SECOND);
    assert_eq!(test.grants(), [], "the reserve is used up");
}

#[test]
fn min_idle_is_kept_and_refilled() {
    let mut test = Test::new(Settings {
        min_idle: 2,
        ..settings(3)
    });
    test.settle();
    assert_eq!(test.pool.stats().idle, 2);
    let id = test.pool.try_acquire(test.now).unwrap();
    test.pool.release(test.now, id, Release::Lost);
    test.settle();
    let (active, idle) = (test.pool.stats().active, test.pool.stats().idle);
    assert_eq!((active, idle), (0, 2));
}

#[test]
fn what_nobody_wants_is_closed_down_to_min_idle() {
    let mut test = Test::new(Settings {
        min_idle: 1,
        idle_timeout: Some(60 * SECOND),
        ..settings(3)
    });
    for waiter in 0..3 {
        test.acquire(waiter);
    }
    for (_, id) in test.grants() {
        test.pool.release(test.now, id, Release::Clean);
    }
    test.after(60 * SECOND);
    let closed = test.settle();
    let idle = |action: &Action| {
        matches!(
            action,
            Action::Close {
                reason: CloseReason::Idle,
                ..
            }
        )
    };
    assert_eq!(closed.iter().filter(|action| idle(action)).count(), 2);
    assert_eq!(test.pool.stats().idle, 1);
}

#[test]
fn lifetimes_differ_and_a_replacement_comes_before_the_end() {
    let mut test = Test::new(Settings {
        min_idle: 1,
        idle_timeout: None,
        max_lifetime: Some(100 * SECOND),
        ..settings(3)
    });
    test.settle();
    let mut closed = Vec::new();
    for _ in 0..1000 {
        test.after(SECOND);
        for (id, _) in test.connects() {
            assert_eq!(test.pool.stats().idle, 1, "the old one is there until the new one is");
            test.pool.connected(test.now, id);
        }
        let ended = |action| {
            matches!(
                action,
                Action::Close {
                    reason: CloseReason::Lifetime,
                    ..
                }
            )
        };
        if test.actions().into_iter().any(ended) {
            closed.push(test.now);
        }
        assert_eq!(test.pool.stats().idle, 1);
    }
    let spans: Vec<Duration> = closed.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(spans.len() >= 9, "{spans:?}");
    assert!(
        spans.iter().all(|span| (80 * SECOND..=100 * SECOND).contains(span)),
        "{spans:?}"
    );
    assert!(spans.iter().any(|span| *span != spans[0]), "{spans:?}");
}

#[test]
fn a_connection_past_its_lifetime_is_closed_when_it_comes_back() {
    let mut test = Test::new(Settings {
        max_lifetime: Some(10 * SECOND),
        ..settings(1)
    });
    test.acquire(1);
    let granted = test.grants();
    test.after(20 * SECOND);
    assert!(test.pool.should_return(test.now, granted[0].1));
    assert_eq!(test.settle(), [], "not while somebody has it");
    test.pool.release(test.now, granted[0].1, Release::Clean);
    let expected = Action::Close {
        connection: granted[0].1,
        reason: CloseReason::Lifetime,
    };
    assert_eq!(test.settle(), [expected]);
}

#[test]
fn what_was_idle_for_long_is_checked_before_it_is_handed_out() {
    let mut test = Test::new(settings(1));
    test.acquire(1);
    let (_, id) = test.grants()[0];
    test.pool.release(test.now, id, Release::Clean);
    test.after(31 * SECOND);
    assert_eq!(test.pool.try_acquire(test.now), None);
    test.acquire(2);
    assert_eq!(test.settle(), [Action::Check { connection: id }]);
    test.pool.checked(test.now, id, true);
    assert_eq!(test.grants(), [(2, id)]);
}

#[test]
fn who_wants_a_check_each_time_gets_one_and_the_connection_then() {
    let mut test = Test::new(Settings {
        check_after: Some(Duration::ZERO),
        ..settings(1)
    });
    test.acquire(1);
    let (_, id) = test.grants()[0];
    test.pool.release(test.now, id, Release::Clean);
    test.after(SECOND);
    test.acquire(2);
    assert_eq!(test.settle(), [Action::Check { connection: id }]);
    test.pool.checked(test.now, id, true);
    assert_eq!(test.grants(), [(2, id)]);
}

#[test]
fn a_failed_check_leads_to_a_new_connection() {
    let mut test = Test::new(settings(1));
    test.acquire(1);
    let (_, id) = test.grants()[0];
    test.pool.release(test.now, id, Release::Clean);
    test.after(31 * SECOND);
    test.acquire(2);
    test.settle();
    test.pool.checked(test.now, id, false);
    let granted = test.grants();
    assert_eq!(granted[0].0, 2);
    assert_ne!(granted[0].1, id);
}

#[test]
fn when_one_is_lost_its_siblings_are_checked_first() {
    let mut test = Test::new(settings(3));
    for waiter in 0..3 {
        test.acquire(waiter);
    }
    let granted = test.grants();
    for (_, id) in &granted[1..] {
        test.pool.release(test.now, *id, Release::Clean);
    }
    test.now += SECOND;
    test.pool.release(test.now, granted[0].1, Release::Lost);
    assert_eq!(test.pool.try_acquire(test.now), None);
    test.settle();
    test.acquire(9);
    assert!(matches!(test.settle()[..], [Action::Check { .. }]));
}

#[test]
fn siblings_that_cannot_be_checked_are_closed() {
    let mut test = Test::new(Settings {
        can_check: false,
        ..settings(2)
    });
    test.acquire(1);
    test.acquire(2);
    let granted = test.grants();
    test.pool.release(test.now, granted[0].1, Release::Clean);
    test.pool.release(test.now, granted[1].1, Release::Lost);
    let closed: Vec<Action> = test.settle();
    let sibling = Action::Close {
        connection: granted[0].1,
        reason: CloseReason::Sibling,
    };
    assert!(closed.contains(&sibling), "{closed:?}");
}

#[test]
fn who_is_silent_for_long_is_asked_though_nobody_wants_it_and_is_as_idle_as_before() {
    let mut test = Test::new(Settings {
        keepalive: Some(60 * SECOND),
        idle_timeout: Some(150 * SECOND),
        ..settings(2)
    });
    test.acquire(1);
    let (_, connection) = test.grants()[0];
    test.pool.release(test.now, connection, Release::Clean);
    for _ in 0..2 {
        assert_eq!(test.pool.next_deadline(test.now), Some(test.now + 60 * SECOND));
        test.after(60 * SECOND);
        assert_eq!(test.actions(), [Action::Check { connection }]);
        assert_eq!(test.pool.stats().checking, 1);
        test.pool.checked(test.now, connection, true);
    }
    // A check is no use of it.
    test.after(30 * SECOND);
    let reason = CloseReason::Idle;
    assert_eq!(test.actions(), [Action::Close { connection, reason }]);
}

#[test]
fn one_that_vanished_is_found_by_its_keepalive() {
    let mut test = Test::new(Settings {
        keepalive: Some(60 * SECOND),
        ..settings(2)
    });
    test.acquire(1);
    let (_, connection) = test.grants()[0];
    test.pool.release(test.now, connection, Release::Clean);
    test.after(60 * SECOND);
    test.actions();
    test.pool.checked(test.now, connection, false);
    let reason = CloseReason::CheckFailed;
    assert_eq!(test.actions(), [Action::Close { connection, reason }]);
}

#[test]
fn a_check_that_ends_in_a_drain_leaves_nothing_open() {
    let mut test = Test::new(Settings {
        keepalive: Some(60 * SECOND),
        ..settings(2)
    });
    test.acquire(1);
    let (_, connection) = test.grants()[0];
    test.pool.release(test.now, connection, Release::Clean);
    test.after(60 * SECOND);
    test.actions();
    test.pool.drain();
    test.pool.checked(test.now, connection, true);
    let reason = CloseReason::Operator;
    assert_eq!(test.actions(), [Action::Close { connection, reason }]);
}

#[test]
fn who_borrows_leaves_enough_for_who_holds_one_for_good() {
    let mut test = Test::new(Settings {
        held: 2,
        leak_after: Some(60 * SECOND),
        ..settings(3)
    });
    test.acquire(1);
    test.acquire(2);
    let borrowed = test.grants();
    assert_eq!(borrowed.len(), 1);
    assert_eq!(test.pool.try_acquire(test.now), None);
    test.pool.hold(test.now, WaiterId(3), SECOND);
    test.pool.hold(test.now, WaiterId(4), SECOND);
    let held: Vec<u64> = test.grants().into_iter().map(|(waiter, _)| waiter).collect();
    assert_eq!(held, [3, 4], "before who waits to borrow one");
    test.after(4 * SECOND);
    assert_eq!(test.settle(), [], "nobody gets one beyond max");
    test.pool.release(test.now, borrowed[0].1, Release::Clean);
    assert_eq!(test.grants(), [(2, borrowed[0].1)]);
    // Only what is borrowed can leak.
    test.after(60 * SECOND);
    let connection = borrowed[0].1;
    let held = 60 * SECOND;
    assert_eq!(test.settle(), [Action::Leak { connection, held }]);
}

#[test]
fn who_was_granted_a_dead_one_is_before_all_who_came_later() {
    let mut test = Test::new(settings(1));
    test.acquire(1);
    let (_, dead) = test.grants()[0];
    test.now += SECOND;
    test.acquire(2);
    test.pool.release(test.now, dead, Release::Lost);
    test.pool
        .acquire_again(test.now, WaiterId(3), Duration::ZERO, 5 * SECOND, false);
    assert_eq!(test.grants()[0].0, 3);
    // Its time counts from when it came.
    let mut test = Test::new(settings(1));
    test.acquire(1);
    test.grants();
    test.now += SECOND;
    test.pool
        .acquire_again(test.now, WaiterId(3), Duration::ZERO, 5 * SECOND, false);
    test.after(4 * SECOND);
    assert!(matches!(
        test.refused()[..],
        [AcquireError::TimedOut { waited, .. }] if waited == 5 * SECOND
    ));
}

#[test]
fn a_replacement_that_fails_is_tried_again_before_the_end() {
    let mut test = Test::new(Settings {
        min_idle: 1,
        max_lifetime: Some(100 * SECOND),
        lifetime_jitter_percent: 0,
        ..settings(2)
    });
    test.settle();
    test.after(90 * SECOND);
    let (replacement, _) = test.connects()[0];
    test.fail(replacement);
    test.after(2 * SECOND);
    assert_eq!(test.connects().len(), 1);
}

#[test]
fn who_holds_one_says_nothing_more_in_a_pause() {
    let mut test = Test::new(settings(1));
    test.acquire(1);
    let (_, id) = test.grants()[0];
    assert!(!test.pool.should_return(test.now, id));
    test.pool.pause();
    assert!(test.pool.should_return(test.now, id));
    test.pool.resume(test.now);
    assert!(!test.pool.should_return(test.now, id));
}

#[test]
fn an_ejection_lasts_longer_by_its_base_each_time() {
    let mut test = Test::new(Settings {
        ejection: Ejection {
            consecutive_failures: 1,
            base: 10 * SECOND,
            max: 35 * SECOND,
            max_percent: 100,
        },
        ..settings(1)
    });
    for expected in [10, 20, 30, 35, 35] {
        test.pool.acquire(test.now, WaiterId(expected), 100 * SECOND);
        let (id, _) = test.connects()[0];
        test.fail(id);
        let ejected = test.actions().into_iter().find_map(|action| match action {
            Action::Eject { pause, .. } => Some(pause),
            _ => None,
        });
        let pause = Duration::from_secs(expected);
        assert_eq!(ejected, Some(pause));
        test.after(pause);
    }
}

#[test]
fn a_leak_is_reported_once() {
    let mut test = Test::new(Settings {
        leak_after: Some(60 * SECOND),
        ..settings(1)
    });
    test.acquire(1);
    let (_, connection) = test.grants()[0];
    assert_eq!(test.pool.next_deadline(test.now), Some(60 * SECOND));
    test.after(61 * SECOND);
    let held = 61 * SECOND;
    assert_eq!(test.settle(), [Action::Leak { connection, held }]);
    test.after(61 * SECOND);
    assert_eq!(test.settle(), []);
}

#[test]
fn the_next_address_is_tried_at_once_when_one_fails_and_the_first_again_when_it_is_back() {
    let mut test = Test::new(Settings {
        hosts: 2,
        ..settings(2)
    });
    test.acquire(1);
    let (first, host) = test.connects()[0];
    assert_eq!(host, 0);
    test.fail(first);
    let (second, host) = test.connects()[0];
    assert_eq!(host, 1);
    test.pool.connected(test.now, second);
    test.actions();
    test.after(2 * SECOND);
    test.acquire(2);
    assert_eq!(test.connects()[0].1, 0);
}

#[test]
fn addresses_take_turns_when_told_so() {
    let mut test = Test::new(Settings {
        hosts: 3,
        balance: Balance::RoundRobin,
        ..settings(6)
    });
    for waiter in 0..6 {
        test.acquire(waiter);
    }
    let hosts: Vec<usize> = test.connects().into_iter().map(|(_, host)| host).collect();
    assert_eq!(hosts, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn an_address_that_fails_is_tried_later_each_time_and_one_at_a_time() {
    let mut test = Test::new(settings(8));
    for waiter in 0..4 {
        test.acquire(waiter);
    }
    for (id, _) in test.connects() {
        test.fail(id);
    }
    assert_eq!(test.connects(), []);
    test.after(2 * SECOND);
    assert_eq!(test.connects().len(), 1, "one connect decides for all");
}

#[test]
fn the_circuit_opens_after_many_failures_and_one_connect_closes_it() {
    let mut test = Test::new(Settings {
        ejection: Ejection {
            consecutive_failures: 3,
            base: 10 * SECOND,
            ..Ejection::default()
        },
        ..settings(4)
    });
    let mut ejected = Vec::new();
    test.acquire(1);
    for _ in 0..3 {
        let (id, _) = test.connects()[0];
        test.fail(id);
        let actions = test.actions();
        ejected.extend(
            actions
                .into_iter()
                .filter(|action| !matches!(action, Action::Connect { .. })),
        );
        test.after(SECOND);
    }
    let expected_error = "the upstream is left alone for another 10s after it failed too often: connection refused";
    match &ejected[..] {
        [Action::Eject { host: 0, pause }, Action::Refuse { error, .. }] => {
            assert_eq!(*pause, 10 * SECOND);
            assert_eq!(error.to_string(), expected_error);
        }
        other => panic!("{other:?}"),
    }
    test.acquire(2);
    assert_eq!(test.refused()[0].label(), "circuit-open");
    test.after(10 * SECOND);
    test.acquire(3);
    assert_eq!(test.grants()[0].0, 3);
    assert_eq!(test.pool.circuit_open(test.now), None);
}

#[test]
fn no_more_than_the_share_is_ejected() {
    let mut test = Test::new(Settings {
        hosts: 2,
        ejection: Ejection {
            consecutive_failures: 1,
            base: 100 * SECOND,
            max: 100 * SECOND,
            max_percent: 50,
        },
        ..settings(1)
    });
    test.acquire(1);
    for _ in 0..6 {
        for (id, _) in test.connects() {
            test.fail(id);
        }
        test.after(SECOND / 2);
    }
    assert_eq!(test.pool.ejected(test.now).len(), 1);
    assert_eq!(test.pool.circuit_open(test.now), None);
}

#[test]
fn a_rejection_is_told_to_all_who_wait() {
    let mut test = Test::new(settings(1));
    test.acquire(1);
    test.acquire(2);
    let (id, _) = test.connects()[0];
    let failure = ConnectFailure::Rejected("password authentication failed".to_owned());
    test.pool.connect_failed(test.now, id, failure);
    assert_eq!(
        test.refused(),
        [
            AcquireError::Rejected("password authentication failed".to_owned()),
            AcquireError::Rejected("password authentication failed".to_owned())
        ]
    );
}

#[test]
fn draining_refuses_and_closes_until_it_is_resumed() {
    let mut test = Test::new(settings(2));
    test.acquire(1);
    test.acquire(2);
    let granted = test.grants();
    test.pool.release(test.now, granted[0].1, Release::Clean);
    test.pool.drain();
    test.acquire(3);
    let actions = test.actions();
    assert!(matches!(
        actions[0],
        Action::Close {
            reason: CloseReason::Operator,
            ..
        }
    ));
    assert!(matches!(
        actions[1],
        Action::Refuse {
            error: AcquireError::Draining,
            ..
        }
    ));
    test.pool.release(test.now, granted[1].1, Release::Clean);
    assert_eq!((test.pool.stats().active, test.pool.stats().idle), (0, 0));
    test.pool.resume(test.now);
    test.acquire(4);
    assert_eq!(test.grants()[0].0, 4);
}

#[test]
fn reconnecting_replaces_every_connection() {
    let mut test = Test::new(settings(2));
    test.acquire(1);
    test.acquire(2);
    let granted = test.grants();
    test.pool.release(test.now, granted[0].1, Release::Clean);
    test.pool.reconnect(test.now);
    assert!(matches!(
        test.settle()[..],
        [Action::Close {
            reason: CloseReason::Operator,
            ..
        }]
    ));
    assert!(test.pool.should_return(test.now, granted[1].1));
    test.pool.release(test.now, granted[1].1, Release::Clean);
    assert!(matches!(
        test.settle()[..],
        [Action::Close {
            reason: CloseReason::Operator,
            ..
        }]
    ));
}

#[test]
fn who_gives_up_is_not_granted_anything() {
    let mut test = Test::new(settings(1));
    test.acquire(1);
    let granted = test.grants();
    test.acquire(2);
    test.acquire(3);
    test.pool.cancel(test.now, WaiterId(2));
    test.pool.release(test.now, granted[0].1, Release::Clean);
    assert_eq!(test.grants(), [(3, granted[0].1)]);
}
