//! Jobs that take the service down, hang or fail, and a service that comes back: what was claimed is run.

use std::fs;
use std::time::Duration;

use mainstay_host_test::workload::{Phase, Workload};
use serde_json::json;

use crate::common::{self, service};
use crate::support::{admin, all, lines, lines_of, logged, metrics, said};

/// Cron with the faulty job and a state folder.
fn faulty(folder: &std::path::Path, jobs: &str) -> Workload {
    service("cron")
        .component("test/faulty-job")
        .volume(folder, "/state")
        .environment("CRON_STATE", "/state")
        .environment("CRON_JOBS", jobs)
        .max_restarts(20)
        .start()
}

#[tokio::test]
async fn a_trapping_job_is_restarted_and_loses_no_tick() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = r#"
        [[job]]
        name = "traps"
        schedule = "0 0 1 1 *"
        payload = "until 1 trap"
    "#;
    let workload = faulty(folder.path(), jobs);
    let (status, run) = admin(&workload, "POST /jobs/traps/run").await;
    assert_eq!(status, 202, "{run}");
    let id = run["run"].as_str().unwrap().to_owned();
    said(&workload, &format!("faulty-job {id} attempt 2: succeed")).await;
    logged(&workload, r#"outcome="succeeded""#).await;
    let log = all(&workload);
    let status = workload.stop().await;
    assert_eq!((status.state, status.restarts), (Phase::Completed, 1), "{log}");
}

#[tokio::test]
async fn a_job_that_always_traps_is_suspended_before_the_restarts_run_out_and_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = r#"
        [[job]]
        name = "poison"
        schedule = "@every 1s"
        payload = "trap"
        retry_min = "10ms"

        [[job]]
        name = "innocent"
        schedule = "@every 1s"
        misfire = "all"
    "#;
    let workload = service("cron")
        .component("test/faulty-job")
        .volume(folder.path(), "/state")
        .environment("CRON_STATE", "/state")
        .environment("CRON_JOBS", jobs)
        .max_restarts(10)
        // As wash does: however long the service has run, no restart is given back.
        .with_options(|options| options.restart.healthy_uptime = Duration::MAX)
        .start();
    // And the port of a service that failed stays taken.
    let left_behind = loop {
        if let Ok(listener) = std::net::TcpListener::bind((workload.loopback(), 8082)) {
            break listener;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    logged(&workload, r#"outcome="interrupted""#).await;
    logged(&workload, "suspended as it takes the service down, until it is resumed").await;
    drop(left_behind);
    let attempts = lines(&workload, "faulty-job poison@").len();
    // Many ticks of the poison go by.
    let ran = lines(&workload, "faulty-job innocent@").len();
    lines_of(&workload, "faulty-job innocent@", ran + 5).await;
    assert_eq!(lines(&workload, "faulty-job poison@").len(), attempts);
    let (_, job) = admin(&workload, "GET /jobs/poison").await;
    assert_eq!(job["last"][0]["outcome"], "interrupted");
    assert_eq!(job["last_error"], "the service ended during 3 attempts");
    assert_eq!(job["suspended"], "as it takes the service down, until it is resumed");
    let (status, refused) = admin(&workload, "POST /jobs/poison/run").await;
    assert_eq!(status, 409, "{refused}");
    let log = all(&workload);
    let status = workload.stop().await;
    assert_eq!(status.state, Phase::Completed, "{log}");
    assert!((3..=6).contains(&status.restarts), "{log}");
}

#[tokio::test]
async fn jobs_that_hang_spin_or_exit_do_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = r#"
        [[job]]
        name = "hangs"
        schedule = "@reboot"
        payload = "hang"
        timeout = "100ms"
        retries = 1
        retry_min = "10ms"

        [[job]]
        name = "spins"
        schedule = "@reboot"
        payload = "spin"
        timeout = "100ms"
        retries = 1
        retry_min = "10ms"

        [[job]]
        name = "exits"
        schedule = "0 0 1 1 *"
        payload = "until 1 exit"

        [[job]]
        name = "innocent"
        schedule = "@every 1s"
    "#;
    let workload = faulty(folder.path(), jobs);
    for job in ["hangs", "spins"] {
        let log = workload.stderr().unwrap();
        let is_given_up =
            |line: &str| line.contains(&format!("job=\"{job}\"")) && line.contains("outcome=\"timed-out\"");
        let began = std::time::Instant::now();
        while !log.text().lines().any(is_given_up) {
            assert!(began.elapsed() < common::DEADLINE, "{}", all(&workload));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(lines(&workload, &format!("faulty-job {job}@")).len(), 2);
    }
    let (_, run) = admin(&workload, "POST /jobs/exits/run").await;
    let id = run["run"].as_str().unwrap().to_owned();
    said(&workload, &format!("faulty-job {id} attempt 2: succeed")).await;
    let ran = lines(&workload, "faulty-job innocent@").len();
    lines_of(&workload, "faulty-job innocent@", ran + 2).await;
    assert_eq!(workload.stop().await.state, Phase::Completed);
}

#[tokio::test]
async fn a_job_that_takes_all_memory_takes_the_service_down_and_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = r#"
        [[job]]
        name = "hungry"
        schedule = "0 0 1 1 *"
        payload = "until 2 allocate"

        [[job]]
        name = "innocent"
        schedule = "@every 1s"
    "#;
    let workload = faulty(folder.path(), jobs);
    let (_, run) = admin(&workload, "POST /jobs/hungry/run").await;
    let id = run["run"].as_str().unwrap().to_owned();
    said(&workload, &format!("faulty-job {id} attempt 3: succeed")).await;
    let ran = lines(&workload, "faulty-job innocent@").len();
    lines_of(&workload, "faulty-job innocent@", ran + 2).await;
    let log = all(&workload);
    let status = workload.stop().await;
    assert_eq!((status.state, status.restarts), (Phase::Completed, 2), "{log}");
}

#[tokio::test]
async fn what_is_counted_and_shown_agrees_with_what_ran() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = r#"
        [[job]]
        name = "again"
        schedule = "0 0 1 1 *"
        payload = "until 2 retry"
        retry_min = "10ms"
    "#;
    let workload = faulty(folder.path(), jobs);
    admin(&workload, "POST /jobs/again/run").await;
    logged(&workload, r#"outcome="succeeded""#).await;
    let metrics = metrics(&workload).await;
    for line in [
        r#"cron_fired_total{job="again"} 3"#,
        r#"cron_retried_total{job="again"} 2"#,
        r#"cron_finished_total{job="again",outcome="succeeded"} 1"#,
        "cron_start_lag_seconds_count 1",
        "cron_in_flight 0",
        "cron_state_failing 0",
    ] {
        assert!(
            metrics.lines().any(|shown| shown == line),
            "{line} is not in\n{metrics}"
        );
    }
    let (status, job) = admin(&workload, "GET /jobs/again").await;
    assert_eq!((status, &job["last"][0]["attempt"]), (200, &json!(3)));
    let (status, schedule) = admin(&workload, "GET /schedule?schedule=61+*+*+*+*").await;
    assert_eq!(
        (status, &schedule["error"]),
        (400, &json!("schedule \"61 * * * *\": minute 61 is not in 0-59"))
    );
    assert_eq!(workload.stop().await.state, Phase::Completed);
}

#[tokio::test]
async fn a_suspension_and_the_last_outcomes_outlive_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = "[[job]]\nname = \"report\"\nschedule = \"@hourly\"";
    let workload = faulty(folder.path(), jobs);
    admin(&workload, "POST /jobs/report/run").await;
    logged(&workload, r#"outcome="succeeded""#).await;
    admin(&workload, "POST /jobs/report/suspend").await;
    let (_, before) = admin(&workload, "GET /jobs/report").await;
    workload.stop().await;
    assert!(
        fs::read_to_string(folder.path().join("cron.journal"))
            .unwrap()
            .contains("suspend 0 s")
    );

    let workload = faulty(folder.path(), jobs);
    let (_, after) = admin(&workload, "GET /jobs/report").await;
    assert_eq!(after["suspended"], "until it is resumed");
    assert_eq!(
        (&after["last"], &after["last_success"]),
        (&before["last"], &before["last_success"])
    );
    workload.stop().await;
}

#[tokio::test]
async fn a_clock_of_ticks_goes_on_where_it_was_after_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = "[[job]]\nname = \"report\"\nschedule = \"* * * * * *\"\nmisfire = \"all\"";
    let workload = faulty(folder.path(), jobs);
    let first = lines_of(&workload, "faulty-job report@", 2).await;
    let mut runs = lines(&workload, "faulty-job report@");
    assert!(runs.len() >= first.len());
    workload.stop().await;
    // Long enough to miss ticks for certain.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let workload = faulty(folder.path(), jobs);
    lines_of(&workload, "faulty-job report@", 4).await;
    runs.extend(lines(&workload, "faulty-job report@"));
    workload.stop().await;
    let seconds: Vec<u32> = runs.iter().map(|run| second(run)).collect();
    // The last run of the first life may have been cut off, and is then made again.
    let mut ticks = seconds.clone();
    ticks.dedup();
    let gaps: Vec<_> = ticks.windows(2).filter(|pair| (pair[0] + 1) % 60 != pair[1]).collect();
    assert!(gaps.is_empty(), "{runs:?}");
    assert!(seconds.len() - ticks.len() <= 1, "{runs:?}");
}

/// The second of the minute at which a run was scheduled: `faulty-job report@2026-11-22T12:00:05Z attempt 1: `.
fn second(run: &str) -> u32 {
    let scheduled = run.split('@').nth(1).unwrap();
    scheduled
        .split(['Z', '.'])
        .next()
        .unwrap()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap()
}
