//! `examples/cron-jobs`: each of its jobs shows what its README says, and the README's requests are answered.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::DEADLINE;
use crate::common::process::HostProcess;

/// Waits for a line that holds all of these.
fn wait_for(host: &HostProcess, texts: &[&str]) {
    let deadline = Instant::now() + DEADLINE;
    while !host
        .log()
        .lines()
        .any(|line| texts.iter().all(|text| line.contains(text)))
    {
        assert!(Instant::now() < deadline, "never: {texts:?}\n{}", host.log());
        thread::sleep(Duration::from_millis(20));
    }
}

/// Asks the admin pages on the workload's loopback; status line and body.
fn ask(loopback: &str, request: &str) -> String {
    let mut stream = TcpStream::connect((loopback, 8082)).unwrap();
    let request = format!("{request} HTTP/1.1\r\nhost: cron\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn each_job_of_the_example_shows_its_policy() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/cron-jobs/workload.yaml");
    let host = HostProcess::start(&manifest, &folder.path().join("log"), &[]);
    for line in [
        &["heartbeat: done with heartbeat@"][..],
        &["job=\"import\"", "reason=\"overlap\"", "missed"],
        &["thumbnails: done with thumbnails@"],
        &["job=\"search-index\"", "outcome=\"replaced\""],
        &["job=\"upload\"", "attempt failed", "retry_in="],
        &["job=\"upload\"", "outcome=\"succeeded\"", "attempt=3"],
        &["job=\"report\"", "outcome=\"failed\""],
        &["job=\"report\"", "suspended after a failure"],
    ] {
        wait_for(&host, line);
    }

    let log = host.log();
    let (_, rest) = log.split_once("its 127.0.0.1 is ").unwrap();
    let loopback = rest.split(' ').next().unwrap();
    let run = ask(loopback, "POST /jobs/opening-bell/run");
    assert!(run.starts_with("HTTP/1.1 202 "), "{run}");
    wait_for(&host, &["opening-bell: done with opening-bell@"]);
    let billing = ask(loopback, "GET /jobs/billing");
    assert!(
        billing.starts_with("HTTP/1.1 200 ") && billing.contains("\"billing\""),
        "{billing}"
    );
    let report = ask(loopback, "POST /jobs/report/resume");
    assert!(
        report.starts_with("HTTP/1.1 200 ") && report.contains("\"suspended\":null"),
        "{report}"
    );
}
