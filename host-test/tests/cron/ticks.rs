//! Cron's ticks as components see them: one callback, all of them, an unmodified component, no workload at all.

use mainstay_host_test::workload::Phase;

use crate::common::service;
use crate::support::{lines, lines_of, logged, said};

#[tokio::test]
async fn a_component_is_called_at_each_tick_and_told_all_about_it() {
    let workload = service("cron-open")
        .component("test/cron-recorder")
        .environment("CRON_NAME", "report")
        .environment("CRON_SCHEDULE", "* * * * * *")
        .environment("CRON_ZONE", "Asia/Tokyo")
        .environment("CRON_PAYLOAD", "hello")
        .start();
    lines_of(&workload, "done ", 3).await;
    logged(&workload, "next=").await;
    let runs = lines(&workload, "run ");
    assert_eq!(workload.stop().await.state, Phase::Completed);
    let mut before: Option<i64> = None;
    for run in runs.iter().take(3) {
        let fields: Vec<&str> = run.split(' ').collect();
        assert!(fields[1].starts_with("report@20"), "{run}");
        assert_eq!(
            fields[2..6],
            ["attempt=1", "missed=0", "zone=Asia/Tokyo", "payload=hello"],
            "{run}"
        );
        let trace = fields[7].strip_prefix("traceparent=00-").expect(run);
        assert!(trace.len() == 52 && trace.ends_with("-01"), "{run}");
        // The run before this one, a second earlier.
        let last: i64 = fields[6].strip_prefix("last=").expect(run).parse().unwrap();
        match before {
            None => assert_eq!(last, 0, "{run}"),
            Some(0) => {}
            Some(before) => assert_eq!(last, before + 1, "{run}"),
        }
        before = Some(last);
    }
}

#[tokio::test]
async fn a_component_with_a_job_alone_fits_the_closed_service() {
    let workload = service("cron")
        .component("example-cron")
        .environment("CRON_SCHEDULE", "@every 1s")
        .start();
    said(&workload, "hello, world (job@").await;
    assert_eq!(workload.stop().await.state, Phase::Completed);
}

#[tokio::test]
async fn an_unmodified_component_joins_by_the_adapter() {
    let workload = service("cron")
        .component("cron-invoke-adapter")
        .component("example-cron-invoke")
        .environment("CRON_SCHEDULE", "@every 1s")
        .start();
    said(&workload, "invoked").await;
    logged(&workload, r#"outcome="succeeded""#).await;
    assert_eq!(workload.stop().await.state, Phase::Completed);
}

#[tokio::test]
async fn a_component_brings_its_own_jobs_and_shuts_the_gate_on_some() {
    let workload = service("cron-open")
        .component_with("test/cron-recorder", |component| {
            let variables = &mut component.resources.environment;
            variables.insert("RECORDER_JOBS".to_owned(), "open @every 1s\nshut @every 1s".to_owned());
            variables.insert("RECORDER_VETO".to_owned(), "shut".to_owned());
            variables.insert("RECORDER_EVENTS".to_owned(), "all".to_owned());
        })
        .start();
    said(&workload, "event finished open@").await;
    said(&workload, "event missed shut count=1 Reason::Veto").await;
    let runs = lines(&workload, "run ");
    assert!(
        runs.iter()
            .all(|run| run.starts_with("run open@") && run.contains("payload=its own")),
        "{runs:?}"
    );
    let events = lines(&workload, "event ");
    let first = events
        .iter()
        .position(|event| event.starts_with("event started open@"))
        .unwrap();
    let id = events[first].split(' ').nth(2).unwrap();
    let end = events
        .iter()
        .position(|event| event.starts_with(&format!("event finished {id} ")))
        .unwrap();
    assert!(first < end, "events come in order: {events:?}");
    assert_eq!(workload.stop().await.state, Phase::Completed);
}

#[tokio::test]
async fn a_component_that_returns_errors_is_tried_again_or_not_as_it_says() {
    let jobs = r#"
        [[job]]
        name = "again"
        schedule = "@reboot"
        payload = "retry"
        retries = 2
        retry_min = "10ms"

        [[job]]
        name = "never"
        schedule = "@reboot"
        payload = "reject"

        [[job]]
        name = "late"
        schedule = "@reboot"
        payload = "hang"
        timeout = "50ms"
        retries = 0
    "#;
    let workload = service("cron-open")
        .component_with("test/cron-recorder", |component| {
            component
                .resources
                .environment
                .insert("RECORDER_EVENTS".to_owned(), "all".to_owned());
        })
        .environment("CRON_JOBS", jobs)
        .start();
    for dead in ["again", "never", "late"] {
        said(&workload, &format!("event dead-letter {dead}@")).await;
    }
    let attempts = |job: &str| lines(&workload, &format!("run {job}@")).len();
    assert_eq!((attempts("again"), attempts("never"), attempts("late")), (3, 1, 1));
    let dead = |job: &str| {
        lines(&workload, &format!("event dead-letter {job}@"))[0]
            .split_once('=')
            .unwrap()
            .1
            .to_owned()
    };
    assert_eq!(dead("again"), "3 asked to be tried again");
    assert_eq!(dead("never"), "1 asked to be rejected");
    assert_eq!(dead("late"), "1 no result within 50ms");
    assert_eq!(workload.stop().await.state, Phase::Completed);
}

#[tokio::test]
async fn an_attempt_is_a_span_of_its_run_s_trace_to_the_job_the_events_and_the_log() {
    let workload = service("cron-open")
        .component_with("test/cron-recorder", |component| {
            let variables = &mut component.resources.environment;
            variables.insert("RECORDER_EVENTS".to_owned(), "all".to_owned());
        })
        .environment("CRON_SCHEDULE", "@reboot")
        .environment("CRON_PAYLOAD", "retry")
        .environment("CRON_RETRIES", "1")
        .environment("CRON_RETRY_MIN", "10ms")
        .start();
    said(&workload, "event finished job@").await;
    let log = workload.stderr().unwrap().text();
    let traceparents = |start: &str| -> Vec<String> {
        let lines = lines(&workload, start);
        lines
            .iter()
            .map(|line| line.rsplit_once("traceparent=").unwrap().1.to_owned())
            .collect()
    };
    let told = traceparents("run job@");
    assert_eq!(traceparents("event started job@"), told);
    assert_eq!(traceparents("event finished job@"), told[1..]);
    let [trace, other] = [&told[0], &told[1]].map(|each| each.split('-').nth(1).unwrap().to_owned());
    assert_eq!(trace, other, "one trace a run");
    assert_ne!(told[0], told[1], "one span an attempt");
    for line in ["attempt failed", "tick"] {
        let line = log
            .lines()
            .find(|logged| logged.contains(&format!(": {line} ")))
            .unwrap();
        assert!(line.contains(&format!("trace=\"{trace}\"")), "{line}");
    }
    assert_eq!(workload.stop().await.state, Phase::Completed);
}
