//! A collector that is down, slow, garbled, cut off or full: what the queue holds arrives once, what was dropped is counted.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mainstay_otel_core::Signal;
use tokio::time::Instant;

use super::collector::{Answer, Collector, Connection};
use super::{SECOND, Sidecar, locally, names, spans, until};

const DOWN: u64 = 600;

/// Sends a span a second for ten minutes during which nobody can be connected to, and then waits for the rest.
async fn ten_minutes_down(settings: &[(&str, &str)]) -> (Sidecar, Collector) {
    let collector = Collector::new();
    let began = Instant::now();
    collector.connections(move || match began.elapsed() < DOWN as u32 * SECOND {
        true => Connection::Refused,
        false => Connection::Works,
    });
    let sidecar = Sidecar::start(&collector, settings).await;
    for number in 0..DOWN {
        sidecar.take(Signal::Traces, spans([number])).await.unwrap();
        tokio::time::sleep(SECOND).await;
    }
    until(|| sidecar.metric("otel_queue_requests", &[]) == 0).await;
    (sidecar, collector)
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_without_a_collector_cost_what_retries_say_and_not_a_span_more() {
    locally(async {
        let (sidecar, collector) = ten_minutes_down(&[]).await;
        let arrived = collector.names();
        let (sent, expired) = (sidecar.sent(), sidecar.dropped("expired"));
        assert_eq!((sidecar.accepted(), sent + expired), (DOWN, DOWN));
        // Each batch is given up after five minutes at most, and the queue behind it waits in the meantime.
        assert_eq!(arrived, (expired..DOWN).collect::<Vec<_>>());
        assert_eq!(sent, arrived.len() as u64);
        assert!(expired > 0 && sent > 0, "{expired}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_on_retries_all_of_it_arrives_once_and_in_order() {
    locally(async {
        let (sidecar, collector) = ten_minutes_down(&[("OTEL_RETRY_FOR", "0s")]).await;
        assert_eq!(collector.names(), (0..DOWN).collect::<Vec<_>>());
        assert_eq!(
            (sidecar.sent(), sidecar.metric("otel_dropped_items_total", &[])),
            (DOWN, 0)
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_full_refuses_and_what_it_took_arrives() {
    locally(async {
        let collector = Collector::new();
        let down = Rc::new(Cell::new(true));
        let is_down = Rc::clone(&down);
        collector.connections(move || {
            if is_down.get() {
                Connection::Refused
            } else {
                Connection::Works
            }
        });
        let sidecar = Sidecar::start(&collector, &[("OTEL_QUEUE_REQUESTS", "10"), ("OTEL_RETRY_FOR", "0s")]).await;
        let mut taken = Vec::new();
        for number in 0..25 {
            match sidecar.take(Signal::Traces, spans([number])).await {
                Ok(_) => taken.push(number),
                Err(status) => {
                    assert_eq!(
                        (status.code.name(), status.retry_after),
                        ("RESOURCE_EXHAUSTED", Some(SECOND))
                    );
                    assert_eq!(status.message, "the queue of default is full, try again later");
                }
            }
        }
        assert_eq!(taken, (0..10).collect::<Vec<_>>());
        assert_eq!(
            sidecar.metric("otel_refused_items_total", &["reason=\"queue-full\""]),
            15
        );
        down.set(false);
        until(|| sidecar.sent() == 10).await;
        assert_eq!(collector.names(), taken);
        assert_eq!((sidecar.accepted(), sidecar.metric("otel_queue_bytes", &[])), (10, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_drops_counts_what_it_drops() {
    for (policy, expected) in [("drop-oldest", 15..25), ("drop-newest", 0..10)] {
        locally(async {
            let collector = Collector::new();
            let down = Rc::new(Cell::new(true));
            let is_down = Rc::clone(&down);
            collector.connections(move || {
                if is_down.get() {
                    Connection::Refused
                } else {
                    Connection::Works
                }
            });
            let settings = [
                ("OTEL_QUEUE_REQUESTS", "10"),
                ("OTEL_QUEUE_FULL", policy),
                ("OTEL_RETRY_FOR", "0s"),
            ];
            let sidecar = Sidecar::start(&collector, &settings).await;
            for number in 0..25 {
                sidecar.take(Signal::Traces, spans([number])).await.unwrap();
            }
            assert_eq!((sidecar.accepted(), sidecar.dropped("queue-full")), (25, 15));
            down.set(false);
            until(|| sidecar.sent() == 10).await;
            assert_eq!(collector.names(), expected.collect::<Vec<_>>(), "{policy}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_answers_slowly_gets_each_span_once() {
    locally(async {
        let collector = Collector::new();
        collector.answers(|_| Answer::TakeAfter(9 * SECOND));
        let sidecar = Sidecar::start(&collector, &[]).await;
        for number in 0..100 {
            sidecar.take(Signal::Traces, spans([number])).await.unwrap();
            tokio::time::sleep(SECOND).await;
        }
        until(|| sidecar.sent() == 100).await;
        assert_eq!(collector.names(), (0..100).collect::<Vec<_>>());
        assert_eq!(sidecar.metric("otel_failed_exports_total", &[]), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_never_answers_is_asked_again_on_another_connection() {
    locally(async {
        let collector = Collector::new();
        let asked = Rc::new(Cell::new(0));
        let count = Rc::clone(&asked);
        collector.answers(move |_| {
            count.set(count.get() + 1);
            if count.get() <= 2 {
                Answer::TakeAfter(3600 * SECOND)
            } else {
                Answer::Take
            }
        });
        let connections = Rc::new(Cell::new(0));
        let made = Rc::clone(&connections);
        collector.connections(move || {
            made.set(made.get() + 1);
            Connection::Works
        });
        let sidecar = Sidecar::start(&collector, &[("OTEL_EXPORTER_OTLP_TIMEOUT", "2000")]).await;
        sidecar.take(Signal::Traces, spans([1])).await.unwrap();
        until(|| sidecar.sent() == 1).await;
        assert_eq!((asked.get(), connections.get(), collector.names()), (3, 3, vec![1]));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn garbage_and_resets_are_lived_through_and_every_span_arrives_once() {
    const GARBAGE: &[u8] = b"\x16\x03\x01\x02\x00 this is no HTTP \r\n\r\n";
    for protocol in ["http/protobuf", "grpc"] {
        locally(async {
            let collector = Collector::new();
            let faults = Rc::new(RefCell::new(vec![
                Connection::Resets(0),
                Connection::Resets(30),
                Connection::Resets(200),
                Connection::Says(GARBAGE),
                Connection::Says(b""),
                Connection::Refused,
            ]));
            let left = Rc::clone(&faults);
            collector.connections(move || left.borrow_mut().pop().unwrap_or(Connection::Works));
            let sidecar = Sidecar::start(&collector, &[("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)]).await;
            for number in 0..20 {
                sidecar.take(Signal::Traces, spans([number; 20])).await.unwrap();
            }
            until(|| sidecar.sent() == 400).await;
            assert!(faults.borrow().is_empty());
            let expected: Vec<u64> = (0..20).flat_map(|number| [number; 20]).collect();
            assert_eq!(collector.names(), expected, "{protocol}");
            assert_eq!(sidecar.metric("otel_failed_exports_total", &[]), 6);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_is_full_for_a_while_is_not_asked_sooner_than_it_wants() {
    locally(async {
        let collector = Collector::new();
        let asked = Rc::new(RefCell::new(Vec::new()));
        let times = Rc::clone(&asked);
        collector.answers(move |arrived| {
            times.borrow_mut().push(arrived.at);
            match times.borrow().len() {
                1..=3 => Answer::Http(429, vec![("retry-after", "40")], Vec::new()),
                _ => Answer::Take,
            }
        });
        let sidecar = Sidecar::start(&collector, &[]).await;
        sidecar.take(Signal::Traces, spans(0..3)).await.unwrap();
        until(|| sidecar.sent() == 3).await;
        assert_eq!(collector.names(), [0, 1, 2]);
        let asked = asked.borrow();
        assert_eq!(asked.len(), 4);
        assert!(asked.windows(2).all(|pair| pair[1] - pair[0] >= 40 * SECOND));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_wants_to_be_left_alone_for_long_costs_one_batch_and_not_the_queue() {
    for consumers in ["1", "4"] {
        locally(async {
            let collector = Collector::new();
            let asked = Rc::new(Cell::new(0));
            let count = Rc::clone(&asked);
            collector.answers(move |_| {
                count.set(count.get() + 1);
                match count.get() {
                    1 => Answer::Http(503, vec![("retry-after", "3600")], Vec::new()),
                    _ => Answer::Take,
                }
            });
            // Five minutes are not enough.
            let settings = [("OTEL_BATCH_ITEMS", "1"), ("OTEL_CONSUMERS", consumers)];
            let sidecar = Sidecar::start(&collector, &settings).await;
            let began = Instant::now();
            sidecar.take(Signal::Traces, spans([0])).await.unwrap();
            until(|| asked.get() == 1).await;
            for number in 1..50 {
                sidecar.take(Signal::Traces, spans([number])).await.unwrap();
            }
            tokio::time::sleep(290 * SECOND).await;
            assert_eq!((sidecar.dropped("expired"), asked.get()), (0, 1));
            until(|| sidecar.dropped("expired") == 1).await;
            assert!(began.elapsed() >= 300 * SECOND);
            tokio::time::sleep(3290 * SECOND).await;
            assert_eq!(asked.get(), 1);
            until(|| sidecar.sent() == 49).await;
            assert!(began.elapsed() >= 3600 * SECOND);
            assert_eq!((sidecar.dropped("expired"), asked.get()), (1, 50));
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_for_one_request_is_split_and_arrives_in_order() {
    locally(async {
        let collector = Collector::new();
        let sidecar = Sidecar::start(&collector, &[("OTEL_BATCH_ITEMS", "10")]).await;
        sidecar.take(Signal::Traces, spans(0..35)).await.unwrap();
        for number in 35..60 {
            sidecar.take(Signal::Traces, spans([number])).await.unwrap();
        }
        until(|| sidecar.sent() == 60).await;
        assert_eq!(collector.names(), (0..60).collect::<Vec<_>>());
        let sizes: Vec<usize> = collector
            .arrived()
            .iter()
            .map(|arrived| names(&arrived.body).len())
            .collect();
        assert_eq!(sizes, [10, 10, 10, 5, 10, 10, 5]);
    })
    .await;
}
