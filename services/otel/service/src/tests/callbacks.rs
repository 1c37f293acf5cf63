//! The processor and the events.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mainstay_otel_core::Signal;

use super::collector::{Answer, Collector, Connection};
use super::{SECOND, Sidecar, locally, spans, until};
use crate::component::Component;
use crate::events::{Event, Kinds};
use crate::processor::{self, Signals, Verdict};

/// A component that does with requests as the test wants it, and keeps the events.
struct Scripted {
    verdict: fn(&[u8]) -> Result<Verdict, String>,
    takes: std::time::Duration,
    calls: Rc<Cell<usize>>,
    events: Rc<RefCell<Vec<Event>>>,
}

impl Scripted {
    fn new(verdict: fn(&[u8]) -> Result<Verdict, String>) -> Self {
        Self {
            verdict,
            takes: SECOND / 100,
            calls: Rc::default(),
            events: Rc::default(),
        }
    }
}

impl Component for Scripted {
    fn processor_wanted(&self) -> impl Future<Output = Signals> + 'static {
        std::future::ready(Signals::TRACES)
    }

    fn process(
        &self,
        signal: processor::Signal,
        request: Vec<u8>,
    ) -> impl Future<Output = Result<Verdict, String>> + 'static {
        assert_eq!(signal, processor::Signal::Traces);
        self.calls.set(self.calls.get() + 1);
        let (verdict, takes) = (self.verdict, self.takes);
        async move {
            tokio::time::sleep(takes).await;
            verdict(&request)
        }
    }

    fn events_wanted(&self) -> impl Future<Output = Kinds> + 'static {
        std::future::ready(Kinds::all())
    }

    fn deliver(&self, events: Vec<Event>) -> impl Future<Output = ()> + 'static {
        self.events.borrow_mut().extend(events);
        std::future::ready(())
    }
}

async fn processed(component: Scripted) -> (Vec<u64>, Sidecar<Scripted>) {
    let collector = Collector::new();
    let sidecar = Sidecar::with(component, collector.connect(), &[]).await;
    sidecar.take(Signal::Traces, spans(0..3)).await.unwrap();
    tokio::time::sleep(5 * SECOND).await;
    (collector.names(), sidecar)
}

#[tokio::test(start_paused = true)]
async fn a_processor_keeps_replaces_or_drops_requests() {
    locally(async {
        let (names, _) = processed(Scripted::new(|_| Ok(Verdict::Keep))).await;
        assert_eq!(names, [0, 1, 2]);
        let (names, sidecar) = processed(Scripted::new(|_| Ok(Verdict::Replace(spans([7, 8]))))).await;
        assert_eq!((names, sidecar.accepted(), sidecar.sent()), (vec![7, 8], 3, 2));
        assert_eq!(sidecar.left_out("processor"), 1);
        let (_, sidecar) = processed(Scripted::new(|_| Ok(Verdict::Replace(spans(0..5))))).await;
        assert_eq!(
            (sidecar.accepted(), sidecar.sent(), sidecar.left_out("processor")),
            (5, 5, 0)
        );
        let (names, sidecar) = processed(Scripted::new(|_| Ok(Verdict::Drop))).await;
        assert_eq!((names, sidecar.accepted()), (vec![], 3));
        assert_eq!(sidecar.left_out("processor"), 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_processor_that_fails_or_hangs_is_bypassed_and_counted() {
    locally(async {
        let failing: [Scripted; 3] = [
            Scripted::new(|_| Err("out of order".to_owned())),
            Scripted::new(|_| Ok(Verdict::Replace(b"garbage".to_vec()))),
            Scripted {
                takes: 3600 * SECOND,
                ..Scripted::new(|_| Ok(Verdict::Drop))
            },
        ];
        for component in failing {
            let (names, sidecar) = processed(component).await;
            assert_eq!(names, [0, 1, 2]);
            assert_eq!(
                sidecar.metric("otel_processor_bypassed_total", &["signal=\"traces\""]),
                1
            );
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_not_processed_and_counts_nothing_as_left_out() {
    locally(async {
        let component = Scripted::new(|_| Ok(Verdict::Replace(spans([0]))));
        let calls = Rc::clone(&component.calls);
        let collector = Collector::new();
        collector.connections(|| Connection::Refused);
        let settings = [
            ("OTEL_QUEUE_REQUESTS", "1"),
            ("OTEL_SAMPLE_RATIO", "0.5"),
            ("OTEL_RETRY_FOR", "0s"),
        ];
        let sidecar = Sidecar::with(component, collector.connect(), &settings).await;
        // The lower seven bytes of the trace id are the number: one of each two is kept.
        let body = spans([0, 1, u64::MAX, u64::MAX - 1]);
        sidecar.take(Signal::Traces, body.clone()).await.unwrap();
        for _ in 0..10 {
            sidecar.take(Signal::Traces, body.clone()).await.unwrap_err();
        }
        assert_eq!((sidecar.accepted(), calls.get()), (4, 1));
        assert_eq!(
            (sidecar.left_out("head-sampling"), sidecar.left_out("processor")),
            (2, 1)
        );
        assert_eq!(sidecar.metric("otel_refused_items_total", &[]), 40);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_processor_is_not_called_for_signals_that_it_does_not_want() {
    locally(async {
        let component = Scripted::new(|_| Ok(Verdict::Drop));
        let calls = Rc::clone(&component.calls);
        let collector = Collector::new();
        let sidecar = Sidecar::with(component, collector.connect(), &[]).await;
        // The fields of spans and of log records that are used here have the same numbers and kinds.
        let mut record = Vec::new();
        for number in [2, 2, 1] {
            let inner = std::mem::take(&mut record);
            mainstay_otel_core::wire::put_bytes(&mut record, number, &inner);
        }
        sidecar.take(Signal::Logs, record).await.unwrap();
        until(|| sidecar.sent() == 1).await;
        assert_eq!(calls.get(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_three_events_and_no_more() {
    locally(async {
        let component = Scripted::new(|_| Ok(Verdict::Keep));
        let events = Rc::clone(&component.events);
        let collector = Collector::new();
        let asked = Rc::new(Cell::new(0));
        collector.answers({
            let asked = Rc::clone(&asked);
            move |_| {
                asked.set(asked.get() + 1);
                match asked.get() {
                    1..=3 => Answer::Http(503, Vec::new(), Vec::new()),
                    4 => Answer::Http(400, Vec::new(), Vec::new()),
                    _ => Answer::Take,
                }
            }
        });
        let sidecar = Sidecar::with(component, collector.connect(), &[]).await;
        sidecar.take(Signal::Traces, spans(0..3)).await.unwrap();
        until(|| sidecar.dropped("rejected") == 3).await;
        sidecar.take(Signal::Traces, spans([3])).await.unwrap();
        until(|| sidecar.sent() == 1).await;
        until(|| events.borrow().len() >= 3).await;
        let events = events.borrow();
        let [
            Event::ExportFailed(failed),
            Event::Dropped(dropped),
            Event::Recovered(recovered),
        ] = &events[..]
        else {
            panic!("{events:?}");
        };
        assert_eq!(
            (
                failed.destination.as_str(),
                dropped.items,
                recovered.destination.as_str()
            ),
            ("default", 3, "default")
        );
        assert_eq!(failed.reason, "http://collector.example:4318: 503 Service Unavailable");
        assert!(recovered.after > 5_000_000_000);
    })
    .await;
}
