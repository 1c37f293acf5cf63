//! What every service has from `mainstay-runtime`: its end, its log lines and its health pages, on a host.

use mainstay_host_test::workload::{Phase, Workload};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common;

const HEALTH_PORT: u16 = 8081;

fn probing(mode: &str) -> common::Builder {
    common::service("test/loop-probe")
        .component("test/loop-callee")
        .environment("PROBE_MODE", mode)
}

#[tokio::test]
async fn a_wrong_setting_ends_a_service_with_one_line_that_names_it() {
    let cases = [
        (
            ("PROBE_MODE", "idel"),
            "PROBE_MODE \"idel\": not one of overlap, completions, idle, waiting, surroundings, bench",
        ),
        (
            ("PROBE_SECONDS", "0"),
            "PROBE_SECONDS \"0\": not a whole number in 1-3600",
        ),
        (
            ("PROBE_SECOND", "1"),
            "PROBE_SECOND: no such setting, the nearest is PROBE_SECONDS",
        ),
        (
            ("MAINSTAY_LOG_FORMAT", "xml"),
            "MAINSTAY_LOG_FORMAT \"xml\": not one of text, json",
        ),
        (
            ("PROBE_CONFIG", "/config/none.toml"),
            "PROBE_CONFIG \"/config/none.toml\": not read: ",
        ),
    ];
    for ((name, value), message) in cases {
        let (status, stdout, stderr) = probing("idle").environment(name, value).run().await;
        assert_eq!((status.state, stdout.as_str()), (Phase::Error, ""), "{name}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(
            stderr.contains(&format!(" ERROR mainstay_runtime::service: {message}")),
            "{stderr}"
        );
    }
}

#[tokio::test]
async fn a_log_line_can_be_json() {
    let builder = probing("idel").environment("MAINSTAY_LOG_FORMAT", "json");
    let (_, _, stderr) = builder.run().await;
    let line: serde_json::Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!(
        (&line["level"], &line["service"]),
        (&"ERROR".into(), &"loop-probe".into())
    );
    let (date, time) = line["timestamp"].as_str().unwrap().split_once('T').unwrap();
    assert!(date.len() == 10 && time.ends_with('Z'), "{line}");
}

#[tokio::test]
async fn health_pages_answer_on_the_loopback_and_a_flood_of_connections_is_answered_in_turn() {
    let workload = probing("idle").environment("PROBE_SECONDS", "600").start();
    drop(common::connect(&workload, HEALTH_PORT).await);
    assert!(page(&workload, "/readyz").await.ends_with("\r\n\r\nok\n"));
    let metrics = page(&workload, "/metrics").await;
    assert!(
        metrics.contains("\n# TYPE mainstay_loop_wakeups_total counter\nmainstay_loop_wakeups_total "),
        "{metrics}"
    );

    let pages = (0..200).map(|_| page(&workload, "/healthz"));
    for page in futures::future::join_all(pages).await {
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    }
    assert_eq!(workload.stop().await.state, Phase::Completed);
}

async fn page(workload: &Workload, path: &str) -> String {
    let mut stream = common::connect(workload, HEALTH_PORT).await;
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}
