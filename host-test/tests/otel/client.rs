//! `otel-client.wasm`: what a component says by `wasi:otel` arrives as OTLP, and a sidecar that is not well costs little.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use mainstay_collector::{Answer, Collector, Encoding, Signal};
use mainstay_host_test::workload::Workload;
use prost::Message as _;
use tokio::net::{TcpListener, TcpStream};

use crate::common::{self, DEADLINE, without_service};
use crate::support::difference::assert_same;
use crate::support::send::message;
use crate::support::{self, arrived, emitted, sidecar};

/// A workload of the emitter and the client, without a sidecar.
fn alone() -> Workload {
    without_service()
        .component("test/otel-emitter")
        .component("otel-client")
        .http()
        .start()
}

/// A workload of the emitter and the client, and a collector where they expect the sidecar.
fn recorded() -> (Workload, Collector) {
    let workload = alone();
    let collector = Collector::in_place_of_the_sidecar(workload.loopback().into()).unwrap();
    (workload, collector)
}

/// Asks the emitter for something; the lines that it answers.
async fn ask(workload: &Workload, path: &str) -> Vec<String> {
    let address = workload.http().unwrap();
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::get(path).header("host", "emitter");
    let request = request.body(Empty::<bytes::Bytes>::new()).unwrap();
    let response = tokio::time::timeout(DEADLINE, sender.send_request(request))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(response.status(), 200, "{}", said(workload));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec())
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// What the client has said.
fn said(workload: &Workload) -> String {
    workload.stderr().unwrap().text()
}

fn nanoseconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_nanos()
        .try_into()
        .unwrap()
}

#[tokio::test]
async fn spans_arrive_with_all_they_have_and_the_current_one_is_the_last_that_is_open() {
    let (workload, collector) = recorded();
    let lines = ask(&workload, "/spans").await;
    let trace = "000102030405060708090a0b0c0d0e0f";
    let (none, no_trace) = ("0000000000000000", "0".repeat(32));
    let expected = [
        format!("before: {no_trace} {none} outer {none}"),
        format!("parent: {trace} 00000000000000a1 outer {none}"),
        format!("child: {trace} 00000000000000b2 outer {none}"),
        format!("after child: {trace} 00000000000000a1 outer {none}"),
        format!("after parent: {no_trace} {none} outer {none}"),
    ];
    assert_eq!(lines, expected);
    let came = arrived(&workload, &collector, Signal::Traces, 2).await;
    assert_same(
        "spans",
        &message(Signal::Traces, &emitted::spans().encode_to_vec()),
        &came,
    );
    assert_eq!(said(&workload), "");
}

#[tokio::test]
async fn metrics_of_every_type_arrive() {
    let (workload, collector) = recorded();
    assert_eq!(ask(&workload, "/metrics").await, ["taken"]);
    let came = collector.merged(Signal::Metrics).unwrap();
    assert_same(
        "metrics",
        &message(Signal::Metrics, &emitted::metrics().encode_to_vec()),
        &came,
    );
}

#[tokio::test]
async fn log_records_arrive_and_are_noticed_now_unless_they_say_when() {
    let (workload, collector) = recorded();
    let before = nanoseconds();
    ask(&workload, "/logs").await;
    let exports = collector.exports();
    let last = exports.last().unwrap().logs().unwrap();
    let noticed = last.resource_logs[0].scope_logs[0].log_records[0].observed_time_unix_nano;
    assert!((before..=nanoseconds()).contains(&noticed), "{noticed}");
    let came = collector.merged(Signal::Logs).unwrap();
    assert_same(
        "records",
        &message(Signal::Logs, &emitted::logs(noticed).encode_to_vec()),
        &came,
    );
}

#[tokio::test]
async fn all_of_it_passes_the_sidecar() {
    let collector = Collector::start().unwrap();
    let workload = sidecar(&collector, Encoding::Grpc)
        .component("test/otel-emitter")
        .component("otel-client")
        .http()
        .start();
    support::receiver(&workload, Encoding::Protobuf).await;
    ask(&workload, "/spans").await;
    let came = arrived(&workload, &collector, Signal::Traces, 2).await;
    assert_same(
        "spans",
        &message(Signal::Traces, &emitted::spans().encode_to_vec()),
        &came,
    );
    assert_eq!(ask(&workload, "/metrics").await, ["taken"]);
    let came = arrived(&workload, &collector, Signal::Metrics, 13).await;
    assert_same(
        "metrics",
        &message(Signal::Metrics, &emitted::metrics().encode_to_vec()),
        &came,
    );
    assert_eq!(ask(&workload, "/spans?300").await, ["300 ended"]);
    arrived(&workload, &collector, Signal::Traces, 302).await;
}

#[tokio::test]
async fn spans_that_are_not_sampled_or_not_valid_are_not_exported() {
    let (workload, collector) = recorded();
    // An unsampled span is the current one all the same.
    assert_eq!(
        ask(&workload, "/odd-spans").await,
        ["current 00000000000000b2 TraceFlags(0x0)"]
    );
    ask(&workload, "/metrics").await;
    assert!(
        collector
            .exports()
            .iter()
            .all(|export| export.signal == Signal::Metrics)
    );
    assert_eq!(
        said(&workload).matches("no valid ids").count(),
        1,
        "{}",
        said(&workload)
    );
}

#[tokio::test]
async fn without_a_sidecar_telemetry_is_dropped_which_is_said_once_and_costs_nothing() {
    let workload = alone();
    let began = Instant::now();
    assert_eq!(ask(&workload, "/spans?1000").await, ["1000 ended"]);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let lines = ask(&workload, "/metrics").await;
    assert!(
        lines[0].starts_with("not taken: the sidecar at 127.0.0.1:4318: no connection"),
        "{lines:?}"
    );
    // One line of each instance.
    assert_eq!(
        said(&workload).matches("telemetry is dropped").count(),
        2,
        "{}",
        said(&workload)
    );
}

#[tokio::test]
async fn a_sidecar_that_does_not_answer_is_waited_for_once_and_not_long() {
    let workload = alone();
    let silent = TcpListener::bind((workload.loopback(), 4318)).await.unwrap();
    let began = Instant::now();
    assert_eq!(ask(&workload, "/spans?100").await, ["100 ended"]);
    let took = began.elapsed();
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(10),
        "{took:?}"
    );
    assert!(
        said(&workload).contains("no answer in time; telemetry is dropped"),
        "{}",
        said(&workload)
    );
    drop(silent);
}

#[tokio::test]
async fn who_is_no_sidecar_is_found_out() {
    let workload = alone();
    let stranger = TcpListener::bind((workload.loopback(), 4318)).await.unwrap();
    let greet = async {
        loop {
            let (stream, _) = stranger.accept().await.unwrap();
            stream.writable().await.unwrap();
            stream.try_write(b"220 mail.example.com ESMTP\r\n").unwrap();
            std::mem::forget(stream);
        }
    };
    let asked = async {
        let lines = ask(&workload, "/metrics").await;
        assert_eq!(
            lines,
            ["not taken: the sidecar at 127.0.0.1:4318: it does not speak OTLP over HTTP/1.1"]
        );
    };
    tokio::select! {
        () = greet => {}
        () = asked => {}
    }
}

#[tokio::test]
async fn telemetry_flows_again_when_the_sidecar_is_back() {
    let workload = alone();
    let asked = ask(&workload, "/metrics-until-taken");
    let back = async {
        let first = workload.stdout().unwrap().wait_for("first: not taken", DEADLINE).await;
        first.unwrap();
        Collector::in_place_of_the_sidecar(workload.loopback().into()).unwrap()
    };
    let (lines, collector) = tokio::join!(asked, back);
    assert_eq!(lines[1], "taken", "{lines:?}");
    assert_eq!(collector.exports().len(), 1);
    let said = said(&workload);
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.contains("answers again; "), "{said}");
}

#[tokio::test]
async fn a_connection_that_is_closed_before_the_answer_is_made_anew() {
    let (workload, collector) = recorded();
    let mut first = true;
    collector.answer(move |_| {
        if std::mem::take(&mut first) {
            Answer::Close
        } else {
            Answer::Accept
        }
    });
    assert_eq!(ask(&workload, "/metrics").await, ["taken"]);
    assert_eq!(collector.exports().len(), 1);
    assert_eq!(said(&workload), "");
}

#[tokio::test]
async fn what_the_sidecar_does_not_take_is_told() {
    let (workload, collector) = recorded();
    for (answer, expected) in [
        (Answer::full(Some(Duration::from_secs(3))), "status 429: full"),
        (Answer::bad("no such thing"), "status 400: no such thing"),
        (
            Answer::Partial {
                rejected: 2,
                message: "too old".to_owned(),
            },
            "2 rejected: too old",
        ),
    ] {
        collector.answer(move |_| answer.clone());
        let lines = ask(&workload, "/metrics").await;
        assert_eq!(lines, [format!("not taken: the sidecar at 127.0.0.1:4318: {expected}")]);
        ask(&workload, "/spans?50").await;
    }
    // Once an instance, of which there were two for each answer.
    assert_eq!(said(&workload).lines().count(), 6, "{}", said(&workload));
}

#[tokio::test]
async fn a_tick_of_cron_is_the_parent_of_what_its_job_does() {
    let workload = common::service("cron")
        .environment("CRON_SCHEDULE", "@every 1s")
        .component("test/otel-job")
        .component("otel-client")
        .start();
    let collector = Collector::in_place_of_the_sidecar(workload.loopback().into()).unwrap();
    let exports = collector
        .wait_for(DEADLINE, |exports| !exports.is_empty())
        .await
        .unwrap();
    let request = exports[0].traces().unwrap();
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    assert!(span.name.starts_with("job@20"), "{span:?}");
    let hexadecimal = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let parent = format!(
        "tick 00-{}-{}-01",
        hexadecimal(&span.trace_id),
        hexadecimal(&span.parent_span_id)
    );
    let printed = workload.stdout().unwrap().text();
    assert!(printed.lines().any(|line| line == parent), "{parent} in\n{printed}");
}
