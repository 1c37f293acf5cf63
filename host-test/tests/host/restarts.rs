//! Restarts: a new store each time, a budget, back-off, and a status that tells.

use std::time::Duration;

use mainstay_host_test::workload::{Phase, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{self, DEADLINE, service};

#[tokio::test]
async fn a_restarted_service_has_a_new_store() {
    let builder = service("test/link-caller").component("test/link-callee");
    let (status, stdout, _) = builder
        .arguments(&["blocking-count 2", "trap"])
        .max_restarts(2)
        .run()
        .await;
    assert_eq!((status.state, status.restarts), (Phase::Error, 2));
    assert_eq!(stdout, "blocking-count 1\nblocking-count 2\n".repeat(3));
}

#[tokio::test]
async fn the_last_status_says_that_the_restarts_are_used_up() {
    let (status, _, _) = service("test/plain-cli")
        .arguments(&["fail"])
        .max_restarts(2)
        .run()
        .await;
    assert_eq!(status.state, Phase::Error);
    assert_eq!(
        status.reason.unwrap(),
        "its run function returned an error (restarts used up: 2 of 2)"
    );
}

#[tokio::test]
async fn a_service_is_starting_while_it_waits_for_its_restart_and_says_why() {
    let slowly = |options: &mut mainstay_host_test::workload::Options| {
        options.restart.backoff_min = Duration::from_secs(3600);
        options.restart.backoff_max = Duration::from_secs(3600);
    };
    let workload = service("test/plain-cli")
        .arguments(&["fail"])
        .max_restarts(2)
        .with_options(slowly)
        .start();
    let waiting = common::status(&workload, |status| status.reason.is_some()).await;
    assert_eq!(waiting.state, Phase::Starting);
    let reason = waiting.reason.unwrap();
    assert!(
        reason.starts_with("its run function returned an error (restart 1 of 2 in "),
        "{reason}"
    );
    // Stopped while it waits.
    assert_eq!(workload.stop().await.state, Phase::Completed);
}

#[tokio::test]
async fn every_status_on_the_way_can_be_watched() {
    let workload = service("test/plain-cli").arguments(&["spin"]).start();
    let running = common::status(&workload, |status| status.state == Phase::Running).await;
    assert_eq!(
        (running.workload.as_str(), running.reason, running.restarts),
        ("test", None, 0)
    );
    let mut watch = workload.watch();
    let stopped = workload.stop().await;
    assert_eq!(stopped.to_string(), "test: completed, stopped");
    assert!(watch.wait_for(Status::is_final).await.is_ok());
}

#[tokio::test]
async fn healthy_uptime_refills_the_budget() {
    let builder = service("test/plain-cli").arguments(&["fail"]).max_restarts(1);
    let builder = builder.with_options(|options| options.restart.healthy_uptime = Duration::ZERO);
    let workload = builder.start();
    common::status(&workload, |status| status.restarts >= 5).await;
    assert!(!workload.status().is_final());
}

#[tokio::test]
async fn the_ports_of_a_failed_service_are_free_again() {
    let workload = service("test/plain-cli")
        .arguments(&["serve", "7000"])
        .max_restarts(3)
        .start();
    for life in 0..3 {
        let mut stream = common::connect(&workload, 7000).await;
        stream.write_all(b"trap\n").await.unwrap();
        // Only the end of its store closes the connection.
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
        common::status(&workload, |status| {
            status.restarts > life && status.state == Phase::Running
        })
        .await;
    }
    let mut stream = common::connect(&workload, 7000).await;
    stream.write_all(b"still here\n").await.unwrap();
    let mut answer = [0; 11];
    tokio::time::timeout(DEADLINE, stream.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"still here\n");
}
