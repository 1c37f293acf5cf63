//! Queues under each policy.

use std::collections::VecDeque;

use proptest::prelude::*;
use tokio::task::{LocalSet, spawn_local};

use super::*;

fn queue<T>(items: usize, bytes: usize, when_full: WhenFull) -> (Queue<T>, Registry) {
    let metrics = Registry::default();
    (
        Queue::new(
            Limits {
                name: "test",
                items,
                bytes,
                when_full,
            },
            &metrics,
        ),
        metrics,
    )
}

fn lost(metrics: &Registry, reason: &str) -> u64 {
    metrics
        .counter(
            "mainstay_queue_lost_total",
            "",
            &[("queue", "test"), ("reason", reason)],
        )
        .value()
}

#[derive(Clone, Debug)]
enum Action {
    Push(usize),
    Pop,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![3 => (0usize..12).prop_map(Action::Push), 2 => Just(Action::Pop)];
    prop::collection::vec(action, 0..200)
}

proptest! {
    #[test]
    fn a_queue_is_a_bounded_fifo_that_counts_its_losses(
        items in 0usize..6,
        bytes in 0usize..24,
        drop_oldest: bool,
        actions in actions(),
    ) {
        let when_full = if drop_oldest { WhenFull::DropOldest } else { WhenFull::Refuse };
        let (queue, metrics) = queue(items, bytes, when_full);
        let mut model: VecDeque<(usize, usize)> = VecDeque::new();
        let (mut dropped, mut refused) = (0, 0);
        for (number, action) in actions.into_iter().enumerate() {
            match action {
                Action::Pop => prop_assert_eq!(queue.try_pop(), model.pop_front().map(|(item, _)| item)),
                Action::Push(size) => {
                    let room = |model: &VecDeque<(usize, usize)>| {
                        model.len() < items && model.iter().map(|(_, size)| size).sum::<usize>() + size <= bytes
                    };
                    let expected = if size > bytes || items == 0 {
                        refused += 1;
                        Err(Refused::TooLarge(number))
                    } else if !room(&model) && !drop_oldest {
                        refused += 1;
                        Err(Refused::Full(number))
                    } else {
                        while !room(&model) {
                            model.pop_front();
                            dropped += 1;
                        }
                        model.push_back((number, size));
                        Ok(())
                    };
                    prop_assert_eq!(queue.try_push(number, size), expected);
                }
            }
            prop_assert_eq!(queue.len(), model.len());
            prop_assert_eq!(queue.bytes(), model.iter().map(|(_, size)| size).sum::<usize>());
        }
        prop_assert_eq!((lost(&metrics, "dropped"), lost(&metrics, "refused")), (dropped, refused));
    }
}

#[tokio::test]
async fn pushing_waits_for_room_first_come_first_served() {
    let (queue, metrics) = queue(2, 10, WhenFull::Wait);
    let taken = LocalSet::new()
        .run_until(async {
            // A large item at the head must not be overtaken by the small ones behind it.
            for (item, bytes) in [(0, 1), (1, 10), (2, 1), (3, 1), (4, 9), (5, 1)] {
                let queue = queue.clone();
                spawn_local(async move { queue.push(item, bytes).await.unwrap() });
            }
            let mut taken = Vec::new();
            while taken.len() < 6 {
                taken.push(queue.pop().await.unwrap());
            }
            taken
        })
        .await;
    assert_eq!(taken, [0, 1, 2, 3, 4, 5]);
    assert_eq!(lost(&metrics, "refused"), 0);
}

#[tokio::test]
async fn every_item_reaches_one_of_many_takers() {
    let (queue, _metrics) = queue(3, 3, WhenFull::Wait);
    let sum = LocalSet::new()
        .run_until(async {
            let takers: Vec<_> = (0..8)
                .map(|_| {
                    let queue = queue.clone();
                    spawn_local(async move {
                        let mut sum = 0;
                        while let Some(item) = queue.pop().await {
                            sum += item;
                            tokio::task::yield_now().await;
                        }
                        sum
                    })
                })
                .collect();
            let pushers: Vec<_> = (0..8)
                .map(|_| {
                    let queue = queue.clone();
                    spawn_local(async move {
                        for item in 0..1000_u64 {
                            queue.push(item, 1).await.unwrap();
                        }
                    })
                })
                .collect();
            for pusher in pushers {
                pusher.await.unwrap();
            }
            queue.close();
            let mut sum = 0;
            for taker in takers {
                sum += taker.await.unwrap();
            }
            sum
        })
        .await;
    assert_eq!(sum, 8 * 999 * 500);
}

#[tokio::test]
async fn closing_ends_waiting_pushers_and_takers() {
    let (queue, _metrics) = queue(1, 8, WhenFull::Wait);
    LocalSet::new()
        .run_until(async {
            queue.push("first", 1).await.unwrap();
            let pushers: Vec<_> = ["second", "third"]
                .into_iter()
                .map(|item| {
                    let queue = queue.clone();
                    spawn_local(async move { queue.push(item, 1).await })
                })
                .collect();
            tokio::task::yield_now().await;
            queue.close();
            for (pusher, item) in pushers.into_iter().zip(["second", "third"]) {
                assert_eq!(pusher.await.unwrap(), Err(Refused::Closed(item)));
            }
            assert_eq!(queue.pop().await, Some("first"));
            assert_eq!(queue.pop().await, None);
            assert_eq!(queue.try_push("late", 1).unwrap_err().into_item(), "late");
        })
        .await;
}

#[tokio::test]
async fn an_item_larger_than_the_queue_does_not_wait_for_ever() {
    let (queue, metrics) = queue(4, 10, WhenFull::Wait);
    assert_eq!(queue.push("huge", 11).await, Err(Refused::TooLarge("huge")));
    assert_eq!(lost(&metrics, "refused"), 1);
}

#[tokio::test]
async fn an_aborted_pusher_adds_nothing_and_blocks_nobody() {
    let (queue, _metrics) = queue(1, 10, WhenFull::Wait);
    LocalSet::new()
        .run_until(async {
            queue.push(1, 1).await.unwrap();
            let aborted = spawn_local({
                let queue = queue.clone();
                async move { queue.push(2, 1).await }
            });
            tokio::task::yield_now().await;
            aborted.abort();
            let next = spawn_local({
                let queue = queue.clone();
                async move { queue.push(3, 1).await }
            });
            assert_eq!(queue.pop().await, Some(1));
            assert_eq!(queue.pop().await, Some(3));
            next.await.unwrap().unwrap();
        })
        .await;
}
