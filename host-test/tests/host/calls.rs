//! Calls from one component into another: what runs where, and how much of it at a time.

use mainstay_host_test::workload::{Phase, Status};

use crate::common::{self, Builder, service};

fn caller(arguments: &[&str]) -> Builder {
    service("test/link-caller").arguments(arguments)
}

async fn output_of(builder: Builder) -> String {
    let (status, stdout, stderr) = builder.run().await;
    assert_eq!(status.state, Phase::Completed, "{status}\n{stderr}");
    stdout
}

#[tokio::test]
async fn every_kind_of_plain_value_crosses_there_and_back() {
    let stdout = output_of(caller(&["echo"]).component("test/link-callee")).await;
    assert_eq!(stdout, "echo is the same\n");
}

#[tokio::test]
async fn an_async_function_runs_in_a_fresh_instance_each_time() {
    let stdout = output_of(caller(&["count 3"]).component("test/link-callee")).await;
    assert_eq!(stdout, "count 1\ncount 1\ncount 1\n");
}

#[tokio::test]
async fn a_warm_instance_keeps_its_state_between_calls() {
    let builder = caller(&["count 3"]).component_with("test/link-callee", |callee| callee.pool_size = 1);
    assert_eq!(output_of(builder).await, "count 1\ncount 2\ncount 3\n");
}

#[tokio::test]
async fn a_warm_instance_is_thrown_away_after_its_last_invocation() {
    let builder = caller(&["count 5"]).component_with("test/link-callee", |callee| {
        callee.pool_size = 1;
        callee.max_invocations = 2;
    });
    assert_eq!(
        output_of(builder).await,
        "count 1\ncount 2\ncount 1\ncount 2\ncount 1\n"
    );
}

#[tokio::test]
async fn a_sync_function_runs_in_the_callers_store_which_keeps_its_state() {
    let stdout = output_of(caller(&["blocking-count 2", "count 1", "blocking-count 1"]).component("test/link-callee"));
    assert_eq!(
        stdout.await,
        "blocking-count 1\nblocking-count 2\ncount 1\nblocking-count 3\n"
    );
}

#[tokio::test]
async fn a_sync_function_sees_its_own_components_environment_and_not_its_callers() {
    let builder = caller(&["variable WHO", "variable WHO"])
        .environment("WHO", "the caller")
        .component_with("test/link-callee", |callee| {
            let who = ("WHO".to_owned(), "the callee".to_owned());
            callee.resources.environment.extend([who]);
        });
    assert_eq!(output_of(builder).await, "variable Some(\"the callee\")\n".repeat(2));
}

#[tokio::test]
async fn async_calls_overlap() {
    let workload = caller(&["overlap 32 300"]).component("test/link-callee").start();
    // All have started before the first has ended: a count, not a clock.
    loop {
        let calls = workload.status().calls;
        assert_eq!(calls.finished, 0, "{calls:?}");
        if calls.started == 32 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(common::ended(&workload).await.calls.finished, 32);
    assert_eq!(
        workload.stdout().unwrap().text(),
        format!("overlapped {:?}\n", vec![1; 32])
    );
}

#[tokio::test]
async fn more_calls_than_there_is_room_for_wait_for_each_other() {
    let (status, stdout, _) = caller(&["overlap 1500 50"]).component("test/link-callee").run().await;
    assert_eq!(
        (status.state, status.calls.finished),
        (Phase::Completed, 1500),
        "{status}"
    );
    assert_eq!(stdout, format!("overlapped {:?}\n", vec![1; 1500]));
}

#[tokio::test]
async fn calls_that_find_all_warm_instances_busy_have_instances_of_their_own() {
    let builder =
        caller(&["overlap 3 100", "count 1"]).component_with("test/link-callee", |callee| callee.pool_size = 1);
    // The one warm instance served one of the three, and then the last call.
    assert_eq!(output_of(builder).await, "overlapped [1, 1, 1]\ncount 2\n");
}

#[tokio::test]
async fn a_warm_instance_serves_as_many_calls_at_a_time_as_it_may() {
    let builder = caller(&["overlap 4 100"]).component_with("test/link-callee", |callee| {
        callee.pool_size = 1;
        callee.max_concurrency = 3;
    });
    assert_eq!(output_of(builder).await, "overlapped [1, 1, 2, 3]\n");
}

#[tokio::test]
async fn components_call_components() {
    let builder = caller(&["count 2", "blocking-count 3", "overlap 2 0"])
        .component("test/link-relay")
        .component("test/link-backend");
    // Async all the way: fresh each time. Blocking all the way: in the service's store. Blocking from a fresh
    // instance: in that one's store.
    let expected = "count 1\ncount 1\nblocking-count 1\nblocking-count 2\nblocking-count 3\noverlapped [2, 2]\n";
    assert_eq!(output_of(builder).await, expected);
}

#[tokio::test]
async fn a_call_given_up_by_its_caller_is_counted_as_such() {
    let workload = caller(&["fail hang"]).component("test/link-callee").start();
    let is_calling = |status: &Status| status.state == Phase::Running;
    common::status(&workload, is_calling).await;
    while workload.status().calls.started == 0 {
        tokio::task::yield_now().await;
    }
    let status = workload.stop().await;
    assert_eq!(
        (status.state, status.calls.cancelled, status.calls.failed),
        (Phase::Completed, 1, 0)
    );
}

#[tokio::test]
async fn a_stream_of_bytes_goes_through_a_component_and_back() {
    let expected = "streamed 10485760, all upper: true\nstreamed 1, all upper: true\nstreamed 0, all upper: true\n";
    let arguments = ["stream 10 1048576", "stream 1 1", "stream 0 0"];
    let fresh = caller(&arguments).component("test/link-callee");
    assert_eq!(output_of(fresh).await, expected);
    let warm = caller(&arguments).component_with("test/link-callee", |callee| callee.pool_size = 1);
    assert_eq!(output_of(warm).await, expected);
}

#[tokio::test]
async fn a_stream_is_not_held_back_until_it_is_full() {
    let stdout = output_of(caller(&["converse"]).component("test/link-callee")).await;
    assert_eq!(stdout, "heard ONE\nheard TWO\nheard THREE\n");
}

#[tokio::test]
async fn a_component_gives_back_the_stream_that_it_was_given() {
    let builder = caller(&["stream 3 1000"])
        .component("test/link-relay")
        .component("test/link-backend");
    assert_eq!(output_of(builder).await, "streamed 3000, all upper: false\n");
}

#[tokio::test]
async fn resources_are_held_by_one_component_and_live_in_another() {
    let stdout = output_of(service("test/link-keeper").component("test/link-shelf")).await;
    let expected = "one 1, one 2\n3 are there\ntwo+three 1, three 1, 3 are there\none 3, 1 is left, Some(\"no labels\")\n\
                    0 are left\n";
    assert_eq!(stdout, expected);
}
