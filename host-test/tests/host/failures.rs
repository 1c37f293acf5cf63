//! Callees and services that fail: what becomes of the workload, and what it says.

use std::time::{Duration, Instant};

use mainstay_host_test::workload::Phase;

use crate::common::{self, Builder, DEADLINE, service};

fn calling(arguments: &[&str]) -> Builder {
    service("test/link-caller")
        .component("test/link-callee")
        .arguments(arguments)
}

async fn reason(builder: Builder) -> String {
    let (status, stdout, stderr) = builder.run().await;
    assert_eq!(status.state, Phase::Error, "{stdout}\n{stderr}");
    status.reason.unwrap()
}

#[tokio::test]
async fn a_callee_that_traps_faults_the_service_and_is_named() {
    let reason = reason(calling(&["fail trap", "count 1"])).await;
    let expected = "test:link/concurrent@0.1.0.fail of component \"link-callee\" failed: wasm `unreachable`";
    assert!(reason.starts_with(expected), "{reason}");
}

#[tokio::test]
async fn a_blocking_callee_that_traps_faults_the_service_and_is_named() {
    let reason = reason(calling(&["blocking-fail trap"])).await;
    assert!(
        reason.contains("test:link/blocking@0.1.0.fail of component \"link-callee\" failed: "),
        "{reason}"
    );
}

#[tokio::test]
async fn a_warm_callee_that_traps_faults_the_service_and_is_named() {
    let builder = service("test/link-caller").component_with("test/link-callee", |callee| callee.pool_size = 1);
    let reason = reason(builder.arguments(&["count 1", "fail trap"])).await;
    assert!(
        reason.contains("component \"link-callee\" failed: wasm `unreachable`"),
        "{reason}"
    );
}

#[tokio::test]
async fn after_a_trap_a_warm_instance_is_replaced() {
    let builder = service("test/link-caller").component_with("test/link-callee", |callee| callee.pool_size = 1);
    let workload = builder.arguments(&["count 2", "fail trap"]).max_restarts(1).start();
    common::ended(&workload).await;
    assert_eq!(
        workload.stdout().unwrap().text(),
        "count 1\ncount 2\ncount 1\ncount 2\n"
    );
}

#[tokio::test]
async fn a_callee_that_exits_faults_the_service() {
    let reason = reason(calling(&["fail exit"])).await;
    assert!(reason.contains("failed: exit with code"), "{reason}");
}

#[tokio::test]
async fn a_callee_that_allocates_without_end_is_stopped_at_its_memory_limit() {
    let builder = service("test/link-caller").component_with("test/link-callee", |callee| {
        callee.resources.memory_limit = Some(32 << 20)
    });
    let reason = reason(builder.arguments(&["fail allocate"])).await;
    assert!(
        reason.contains("it was refused more than its memory limit of 32 MiB"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_service_that_allocates_without_end_is_stopped_at_its_memory_limit() {
    let builder = service("test/plain-cli")
        .arguments(&["allocate"])
        .with_service(|service| service.resources.memory_limit = Some(16 << 20));
    let reason = reason(builder).await;
    assert!(
        reason.contains("it was refused more than its memory limit of 16 MiB"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_callee_that_hangs_is_ended_at_the_deadline() {
    let deadline = |options: &mut mainstay_host_test::workload::Options| {
        options.deadlines.concurrent = Duration::from_millis(100);
    };
    let reason = reason(calling(&["fail hang"]).with_options(deadline)).await;
    assert!(reason.contains("failed: no answer within 100ms"), "{reason}");
}

#[tokio::test]
async fn a_callee_in_a_busy_loop_is_ended_at_the_deadline_while_the_service_goes_on() {
    let deadline = |options: &mut mainstay_host_test::workload::Options| {
        options.deadlines.concurrent = Duration::from_millis(500);
    };
    let workload = calling(&["fail-beside spin"]).with_options(deadline).start();
    let status = common::ended(&workload).await;
    assert!(status.reason.unwrap().contains("failed: no answer within 500ms"));
    // The service's own timers went on all the while.
    let stdout = workload.stdout().unwrap().text();
    assert!(stdout.contains("beside 5\n"), "{stdout}");
}

#[tokio::test]
async fn a_blocking_callee_in_a_busy_loop_is_ended_at_its_deadline() {
    let deadline = |options: &mut mainstay_host_test::workload::Options| {
        options.deadlines.blocking = Duration::from_millis(100);
    };
    let reason = reason(calling(&["blocking-fail spin"]).with_options(deadline)).await;
    assert!(reason.contains("failed: no answer within 100ms"), "{reason}");
}

#[tokio::test]
async fn a_busy_loop_freezes_no_other_workload_and_can_be_stopped() {
    let busy: Vec<_> = (0..4)
        .map(|_| service("test/plain-cli").arguments(&["spin"]).start())
        .collect();
    for each in &busy {
        each.stdout().unwrap().wait_for("spinning", DEADLINE).await.unwrap();
    }
    let (status, stdout, _) = calling(&["overlap 8 10", "count 1"]).run().await;
    assert_eq!(status.state, Phase::Completed, "{status}");
    assert!(stdout.ends_with("count 1\n"));
    let stopping = Instant::now();
    for each in busy {
        assert_eq!(each.stop().await.state, Phase::Completed);
    }
    assert!(stopping.elapsed() < DEADLINE / 2);
}

#[tokio::test]
async fn a_service_says_how_it_failed() {
    for (arguments, expected) in [
        (["trap"], "wasm `unreachable` instruction executed"),
        (["exit 3"], "exit with code"),
        (["error"], "its run function returned an error"),
    ] {
        let reason = reason(calling(&arguments)).await;
        assert!(reason.contains(expected), "{arguments:?}: {reason}");
    }
}

#[tokio::test]
async fn a_service_that_ends_well_is_completed_whether_it_returns_or_exits() {
    for arguments in [&["hello"][..], &["exit", "0"]] {
        let builder = service("test/plain-cli").arguments(arguments).max_restarts(3);
        let (status, _, _) = builder.run().await;
        assert_eq!((status.state, status.restarts), (Phase::Completed, 0));
    }
}
