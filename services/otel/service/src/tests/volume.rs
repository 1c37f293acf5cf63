//! Queues on a volume, in real time: what they take of it, and what they do when it fails.

use std::path::Path;
use std::rc::Rc;

use futures::FutureExt;
use mainstay_otel_core::Signal;

use super::collector::{Collector, Connection};
use super::{SECOND, Sidecar, locally, spans, until};

#[tokio::test]
async fn what_an_earlier_life_did_not_send_is_sent_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let settings = [
        ("OTEL_QUEUE_FOLDER", path.as_str()),
        ("OTEL_QUEUE_MEMORY", "1KiB"),
        ("OTEL_QUEUE_SEGMENT", "64KiB"),
    ];
    locally(async {
        let collector = Collector::new();
        collector.connections(|| Connection::Refused);
        let sidecar = Sidecar::start(&collector, &settings).await;
        for number in 0..200 {
            sidecar.take(Signal::Traces, spans([number; 10])).await.unwrap();
        }
        assert_eq!(sidecar.metric("otel_queue_requests", &[]), 200);
    })
    .await;
    locally(async {
        let collector = Collector::new();
        let sidecar = Sidecar::start(&collector, &settings).await;
        sidecar.take(Signal::Traces, spans([200; 10])).await.unwrap();
        until(|| sidecar.sent() == 2010).await;
        let expected: Vec<u64> = (0..=200).flat_map(|number| [number; 10]).collect();
        assert_eq!(collector.names(), expected);
        until(|| sidecar.metric("otel_queue_requests", &[]) == 0).await;
    })
    .await;
    locally(async {
        let sidecar = Sidecar::start(&Collector::new(), &settings).await;
        assert_eq!(sidecar.metric("otel_queue_requests", &[]), 0);
    })
    .await;
}

/// The bytes of all files below.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => size(&entry.path()),
            false => entry.metadata().unwrap().len(),
        })
        .sum()
}

#[tokio::test]
async fn a_volume_is_not_filled_while_the_collector_is_down_and_the_oldest_are_dropped() {
    const KIB: u64 = 1 << 10;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let settings = [
        ("OTEL_QUEUE_FOLDER", path.as_str()),
        ("OTEL_QUEUE_SYNC", "never"),
        ("OTEL_QUEUE_BYTES", "256KiB"),
        ("OTEL_QUEUE_SEGMENT", "64KiB"),
        ("OTEL_QUEUE_MEMORY", "0KiB"),
        ("OTEL_QUEUE_FULL", "drop-oldest"),
        ("OTEL_BATCH_DELAY", "0s"),
        ("OTEL_BATCH_ITEMS", "10"),
        ("OTEL_RETRY_FOR", "0s"),
    ];
    locally(async {
        let collector = Collector::new();
        collector.connections(|| Connection::Refused);
        let sidecar = Sidecar::start(&collector, &settings).await;
        let mut most = 0;
        for number in 0..3000 {
            sidecar.take(Signal::Traces, spans([number; 10])).await.unwrap();
            if number == 0 {
                // On its way from now on, and not to be dropped.
                tokio::time::sleep(SECOND / 10).await;
            }
            most = most.max(size(folder.path()));
        }
        let queued = sidecar.metric("otel_queue_requests", &[]);
        assert!(sidecar.dropped("queue-full") > 20_000 && queued > 100, "{queued}");
        let allowed = 256 * KIB + 12 * queued + 3 * 64 * KIB;
        assert!(most <= allowed, "{most} of {allowed}");
        assert_eq!(sidecar.accepted(), sidecar.dropped("queue-full") + 10 * queued);
    })
    .await;
    // The next life takes up what is left.
    locally(async {
        let collector = Collector::new();
        let sidecar = Sidecar::start(&collector, &settings).await;
        until(|| sidecar.metric("otel_queue_requests", &[]) == 0).await;
        // What was on its way, with what was dropped behind it in the same file; nothing of what waited is lost for that.
        let names = collector.names();
        let (first, last) = (names.first().copied(), names.last().copied());
        assert_eq!((first, last, sidecar.dropped("queue-full")), (Some(0), Some(2999), 0));
    })
    .await;
}

const TWO: &str = "[[destination]]\nname = \"near\"\nendpoint = \"http://near.example:4318\"\n\
                   [[destination]]\nname = \"far\"\nendpoint = \"http://far.example:4318\"\n";

#[tokio::test]
async fn what_one_volume_does_not_take_is_in_no_queue() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    locally(async {
        let collector = Collector::new();
        let settings = [("OTEL_QUEUE_FOLDER", path.as_str()), ("OTEL_DESTINATIONS", TWO)];
        let sidecar = Sidecar::start(&collector, &settings).await;
        let far = folder.path().join("far/traces");
        std::fs::rename(&far, folder.path().join("away")).unwrap();
        for _ in 0..5 {
            let status = sidecar.take(Signal::Traces, spans([1])).await.unwrap_err();
            assert_eq!((status.code.name(), status.retry_after), ("UNAVAILABLE", Some(SECOND)));
            assert!(
                status.message.starts_with("the queue of far cannot be written"),
                "{}",
                status.message
            );
        }
        assert_eq!(sidecar.metric("otel_refused_items_total", &["reason=\"disk\""]), 5);
        assert_eq!((sidecar.accepted(), sidecar.metric("otel_queue_requests", &[])), (0, 0));
        std::fs::rename(folder.path().join("away"), &far).unwrap();
        sidecar.take(Signal::Traces, spans([1])).await.unwrap();
        until(|| sidecar.sent() == 2).await;
        assert_eq!((sidecar.accepted(), collector.names()), (1, vec![1, 1]));
    })
    .await;
}

#[tokio::test]
async fn a_sender_that_goes_away_while_its_request_is_synced_is_counted_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    locally(async {
        let collector = Collector::new();
        let sidecar = Sidecar::start(&collector, &[("OTEL_QUEUE_FOLDER", path.as_str())]).await;
        let mut taking = Box::pin(sidecar.take(Signal::Traces, spans([1])));
        assert!((&mut taking).now_or_never().is_none());
        drop(taking);
        until(|| sidecar.sent() == 1).await;
        assert_eq!(sidecar.accepted(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_queue_that_cannot_be_synced_gives_back_what_it_took() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    locally(async {
        let collector = Collector::new();
        let settings = [("OTEL_QUEUE_FOLDER", path.as_str()), ("OTEL_BATCH_DELAY", "60s")];
        let sidecar = Sidecar::start(&collector, &settings).await;
        sidecar.take(Signal::Traces, spans([1])).await.unwrap();
        let lane = Rc::clone(&sidecar.intake.lanes(Signal::Traces)[0]);
        lane.break_the_volume();
        let status = sidecar.take(Signal::Traces, spans(2..5)).await.unwrap_err();
        assert_eq!((status.code.name(), status.retry_after), ("UNAVAILABLE", Some(SECOND)));
        assert_eq!((sidecar.accepted(), sidecar.dropped("disk")), (4, 3));
        assert_eq!(sidecar.metric("otel_queue_requests", &[]), 1);
        // Another file, another try.
        sidecar.take(Signal::Traces, spans([5])).await.unwrap();
        assert_eq!(sidecar.metric("otel_queue_requests", &[]), 2);
    })
    .await;
}
