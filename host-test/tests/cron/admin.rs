//! What an operator asks of a service that runs, and what `host-test jobs` shows of it.

use std::process::Command;

use mainstay_host_test::workload::{Phase, Workload};
use serde_json::json;

use crate::common::service;
use crate::support::{admin, all, lines_of, logged};

/// The rows of `host-test jobs`, without the blanks between columns.
fn table(workload: &Workload) -> Vec<String> {
    let address = format!("{}:8082", workload.loopback());
    let output = Command::new(env!("CARGO_BIN_EXE_host-test"))
        .args(["jobs", &address])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}\n{}", all(workload));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[tokio::test]
async fn jobs_are_run_backfilled_suspended_resumed_and_shown_as_a_table() {
    let jobs = r#"
        [[job]]
        name = "bell"
        schedule = "0 30 9 24 12 * 2100"
        zone = "America/New_York"
        payload = "reject"

        [[job]]
        name = "report"
        schedule = "0 0 1 1 *"
    "#;
    let workload = service("cron")
        .component("test/faulty-job")
        .environment("CRON_JOBS", jobs)
        .start();
    let (status, body) = admin(
        &workload,
        "POST /jobs/report/backfill?from=2020-01-01T00:00:00Z&to=2022-12-31T00:00:00Z",
    )
    .await;
    assert_eq!((status, body), (202, json!({ "ticks": 3 })));
    let ran = lines_of(&workload, "faulty-job report@", 3).await;
    let expected = [2020, 2021, 2022].map(|year| format!("faulty-job report@{year}-01-01T00:00:00Z attempt 1: "));
    assert_eq!(ran, expected);
    logged(&workload, r#"job="report" scheduled="2022-"#).await;
    assert_eq!(admin(&workload, "POST /jobs/bell/run").await.0, 202);
    logged(&workload, r#"outcome="failed""#).await;
    assert_eq!(admin(&workload, "POST /jobs/report/suspend").await.0, 200);
    let rows = table(&workload);
    assert_eq!(
        rows,
        [
            "JOB SCHEDULE ZONE NEXT RUNNING LAST",
            "bell 0 30 9 24 12 * 2100 America/New_York 2100-12-24T09:30:00-05:00 0 failed: asked to be rejected",
            "report 0 0 1 1 * UTC suspended until it is resumed 0 succeeded, succeeded, succeeded",
        ]
    );
    let (status, report) = admin(&workload, "POST /jobs/report/resume").await;
    assert_eq!((status, &report["suspended"]), (200, &json!(null)));
    let (status, schedule) = admin(
        &workload,
        "GET /schedule?schedule=@daily&after=2026-11-22T12:00:00Z&count=1",
    )
    .await;
    assert_eq!((status, &schedule["words"]), (200, &json!("at 00:00, in UTC")));
    assert_eq!(schedule["next"], json!(["2026-11-23T00:00:00+00:00"]));
    assert_eq!(workload.stop().await.state, Phase::Completed);
}
