//! Twenty thousand jobs due at one instant, of which 256 are called at a time: none is lost, and each job's runs start in
//! the order of their ticks.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use mainstay_host_test::workload::{Phase, Workload};

use crate::common::{DEADLINE, service};
use crate::support::metrics;

const JOBS: usize = 20_000;

/// How often each job is due.
const TICKS: usize = 2;

#[tokio::test]
async fn twenty_thousand_jobs_due_together_lose_no_run_and_keep_each_job_s_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut jobs = format!("max_runs = {TICKS}\nmisfire = \"all\"\n");
    for number in 0..JOBS {
        writeln!(jobs, "[[job]]\nname = \"job-{number}\"\nschedule = \"*/2 * * * * *\"").unwrap();
    }
    fs::write(folder.path().join("cron.toml"), jobs).unwrap();
    let workload = service("cron")
        .component_with("test/faulty-job", |component| component.pool_size = 256)
        .volume(folder.path(), "/cron")
        .environment("CRON_CONFIG", "/cron/cron.toml")
        .environment("CRON_STATE", "/cron/state")
        .environment("CRON_IN_FLIGHT", "256")
        .environment("MAINSTAY_LOG", "warn")
        .start();
    succeeded(&workload, JOBS * TICKS).await;
    let metrics = metrics(&workload).await;
    let said = workload.stdout().unwrap().text();
    let status = workload.stop().await;
    assert_eq!((status.state, status.restarts), (Phase::Completed, 0));
    for line in ["cron_in_flight 0", "cron_waiting 0", "cron_state_failing 0"] {
        assert!(metrics.lines().any(|shown| shown == line), "{metrics}");
    }

    let mut runs: HashMap<&str, Vec<&str>> = HashMap::new();
    for line in said.lines() {
        let run = line.strip_prefix("faulty-job ").expect(line);
        let (id, attempt) = run.split_once(" attempt ").expect(line);
        assert_eq!(attempt, "1: ", "{line}");
        let (job, scheduled) = id.split_once('@').expect(line);
        runs.entry(job).or_default().push(scheduled);
    }
    assert_eq!(runs.len(), JOBS);
    for (job, ticks) in runs {
        // RFC 3339 sorts as time does.
        assert!(
            ticks.len() == TICKS && ticks.is_sorted_by(|a, b| a < b),
            "{job}: {ticks:?}"
        );
    }
}

/// Waits until so many runs have succeeded, and no more than those.
async fn succeeded(workload: &Workload, runs: usize) {
    let began = Instant::now();
    loop {
        let metrics = metrics(workload).await;
        let name = "cron_finished_total{job=\"*\",outcome=\"succeeded\"} ";
        let shown = metrics.lines().find_map(|line| line.strip_prefix(name));
        let done: usize = shown.expect("so many jobs have a series together").parse().unwrap();
        if done >= runs {
            assert_eq!(done, runs);
            return;
        }
        assert!(began.elapsed() < DEADLINE, "{done} of {runs}:\n{metrics}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
