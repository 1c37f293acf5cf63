//! kill -9 of the host, 200 times at random instants under load: no tick is lost, and none that is over runs again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::common;
use crate::common::process::HostProcess;

const KILLS: usize = 200;
const JOBS: usize = 12;

/// How long a host may be at work before it is killed.
const AT_WORK: Duration = Duration::from_millis(500);

/// A workload with jobs that are due every second, each at a time of its own, and that make up what they missed.
fn manifest(folder: &Path) -> String {
    let (cron, recorder) = (
        common::component_path("cron"),
        common::component_path("test/cron-recorder"),
    );
    let jobs: String = (0..JOBS)
        .map(|number| format!("                [[job]]\n                name = \"job-{number}\"\n                schedule = \"* * * * * *\"\n"))
        .collect();
    format!(
        r#"apiVersion: runtime.wasmcloud.dev/v1alpha1
kind: WorkloadDeployment
metadata:
  name: kill
spec:
  template:
    spec:
      volumes:
        - name: state
          hostPath:
            path: {state}
      service:
        image: {cron}
        localResources:
          volumeMounts:
            - name: state
              mountPath: /state
          environment:
            config:
              CRON_STATE: /state
              CRON_MISFIRE: all
              CRON_JITTER: 900ms
              CRON_PAYLOAD: slow
              CRON_JOBS: |
{jobs}
      components:
        - name: recorder
          image: {recorder}
"#,
        state = folder.display(),
        cron = cron.display(),
        recorder = recorder.display(),
    )
}

/// The value of a field of a log line: `job="job-1"`.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let start = line.find(&format!(" {name}=\""))? + name.len() + 3;
    line[start..].split('"').next()
}

#[test]
fn two_hundred_kills_lose_no_tick_and_repeat_none_that_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let (path, log) = (folder.path().join("workload.yaml"), folder.path().join("log"));
    std::fs::create_dir(folder.path().join("state")).unwrap();
    std::fs::write(&path, manifest(&folder.path().join("state"))).unwrap();

    let first = HostProcess::start(&path, &log, &[]);
    first.wait_for("ready");
    drop(first);
    // Again, now that the components are compiled.
    let began = Instant::now();
    std::fs::write(&log, "").unwrap();
    let second = HostProcess::start(&path, &log, &[]);
    second.wait_for("ready");
    let up = began.elapsed();
    drop(second);

    let seed = rand::random();
    println!("seed {seed}, up after {up:?}");
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..KILLS {
        let mut host = HostProcess::start(&path, &log, &[]);
        // From before the service is up to well after: what is killed is the host, at whatever it does.
        std::thread::sleep(up.mul_f64(random.random_range(0.5..1.0)) + AT_WORK.mul_f64(random.random()));
        host.kill();
    }
    let status = HostProcess::start(&path, &log, &["--for", "8s"]).wait();
    assert!(status.success());

    let text = std::fs::read_to_string(&log).unwrap();
    let keep = || {
        let kept = common::target().join("cron-kill.log");
        std::fs::write(&kept, &text).unwrap();
        format!("seed {seed}, see {}", kept.display())
    };
    let mut done: BTreeMap<String, u32> = BTreeMap::new();
    let mut over: BTreeSet<String> = BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("run ") {
            let id = rest.split(' ').next().unwrap();
            assert!(!over.contains(id), "{id} runs again after it was over; {}", keep());
        } else if let Some(id) = line.strip_prefix("done ") {
            *done.entry(id.to_owned()).or_default() += 1;
        } else if let (Some(job), Some(scheduled), Some(outcome)) =
            (field(line, "job"), field(line, "scheduled"), field(line, "outcome"))
        {
            assert_eq!(outcome, "succeeded", "{line}; {}", keep());
            over.insert(format!("{job}@{}", scheduled.replace("+00:00", "Z")));
        }
    }
    let starts = text.matches("schedules are loaded").count();
    assert!(
        starts > KILLS / 4,
        "only {starts} of {KILLS} hosts were up when they were killed; {}",
        keep()
    );
    let interrupted = text
        .lines()
        .filter(|line| line.starts_with("run ") && !line.contains("attempt=1"))
        .count();
    assert!(interrupted > 0, "no kill hit a run; {}", keep());
    let repeated = done.values().filter(|times| **times > 1).count();
    println!(
        "{starts} starts, {} runs, {interrupted} attempts after an interruption, {repeated} of them after an end that \
         nobody knew of",
        done.len()
    );
    assert!(!text.contains(": missed "), "{}", keep());
    for number in 0..JOBS {
        let prefix = format!("job-{number}@");
        let seconds: Vec<i64> = done
            .keys()
            .filter_map(|id| second_of(id.strip_prefix(&prefix)?))
            .collect();
        assert!(seconds.len() > KILLS / 10, "{prefix} ran at {seconds:?}; {}", keep());
        // In the order of the clock, as text is.
        let gap = seconds.windows(2).find(|pair| pair[1] != pair[0] + 1);
        assert_eq!(gap, None, "{prefix} lost ticks; {}", keep());
    }
}

/// The second of `2026-11-22T12:00:05Z`, counted from 1970.
fn second_of(scheduled: &str) -> Option<i64> {
    let scheduled: jiff::Timestamp = scheduled.parse().ok()?;
    Some(scheduled.as_second())
}
