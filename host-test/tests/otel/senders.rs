//! The SDKs of others hand their telemetry to the sidecar: what arrives is what they send to a collector directly.

use mainstay_collector::{Collector, Encoding, Signal};

use crate::support::difference::assert_same;
use crate::support::script::{node, python};
use crate::support::{arrived, items, receiver, sidecar};

/// Runs a sender, which hands the same to a collector and to the sidecar, and compares what arrives.
async fn sends<F: Future<Output = ()>>(into: Encoding, out: Encoding, sender: impl FnOnce(String, String) -> F) {
    let (direct, behind) = (Collector::start().unwrap(), Collector::start().unwrap());
    let workload = sidecar(&behind, out).start();
    let to = receiver(&workload, into).await;
    let collector = if into == Encoding::Grpc {
        direct.grpc()
    } else {
        direct.http()
    };
    sender(collector.to_string(), to.to_string()).await;
    for signal in Signal::ALL {
        let sent = direct.merged(signal).unwrap();
        let count = items(signal, &sent);
        assert!(count > 0, "no {signal} were sent");
        let came = arrived(&workload, &behind, signal, count).await;
        assert_same(&format!("{signal} from {into:?} to {out:?}"), &sent, &came);
    }
    assert!(direct.exports().iter().all(|export| export.encoding == into));
}

#[tokio::test]
async fn python_sends_by_http() {
    let sender = |direct, sidecar| python(["http".to_owned(), direct, sidecar]);
    sends(Encoding::Protobuf, Encoding::Grpc, sender).await;
}

#[tokio::test]
async fn python_sends_by_grpc() {
    let sender = |direct, sidecar| python(["grpc".to_owned(), direct, sidecar]);
    sends(Encoding::Grpc, Encoding::Protobuf, sender).await;
}

#[tokio::test]
async fn node_sends_by_http_and_json() {
    let sender = |direct, sidecar| node(["http".to_owned(), direct, sidecar]);
    sends(Encoding::Json, Encoding::Protobuf, sender).await;
}

#[tokio::test]
async fn node_sends_by_http_and_protobuf() {
    let sender = |direct, sidecar| node(["proto".to_owned(), direct, sidecar]);
    sends(Encoding::Protobuf, Encoding::Json, sender).await;
}

#[tokio::test]
async fn node_sends_by_grpc() {
    let sender = |direct, sidecar| node(["grpc".to_owned(), direct, sidecar]);
    sends(Encoding::Grpc, Encoding::Json, sender).await;
}
