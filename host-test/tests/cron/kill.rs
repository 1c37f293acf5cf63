//! kill -9 of the host, 200 times at random instants under load: no tick is lost, and none that is over runs again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::common;
use crate::common::process::HostProcess;

/// Of hosts whose cron has begun.
const KILLS: usize = 200;

/// With runs of 20 ms more than one is under way at any instant.
const JOBS: usize = 60;

/// How long cron may be at work before its host is killed.
const AT_WORK: Duration = Duration::from_millis(500);

/// What cron says when it begins.
const BEGUN: &str = "schedules are loaded";

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
              CRON_PAYLOAD: slower
              CRON_RETRY_MIN: 100ms
              CRON_RETRY_MAX: 1s
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

/// The run that a line of the component says has begun.
fn begun(line: &str) -> Option<&str> {
    Some(line.strip_prefix("run ")?.split_once(" attempt=")?.0)
}

/// The run that a line of the log says is over, and how it ended.
fn ended(line: &str) -> Option<(String, &str)> {
    let (job, scheduled) = (field(line, "job")?, field(line, "scheduled")?);
    Some((
        format!("{job}@{}", scheduled.replace("+00:00", "Z")),
        field(line, "outcome")?,
    ))
}

/// Whether runs had begun and were not over when the log broke off.
fn is_any_under_way(log: &str) -> bool {
    let over: BTreeSet<String> = log.lines().filter_map(ended).map(|(id, _)| id).collect();
    log.lines().filter_map(begun).any(|id| !over.contains(id))
}

#[test]
fn two_hundred_kills_lose_no_tick_and_repeat_none_that_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let (path, log) = (folder.path().join("workload.yaml"), folder.path().join("log"));
    let state = folder.path().join("state");
    std::fs::create_dir(&state).unwrap();
    std::fs::write(&path, manifest(&state)).unwrap();

    let first = HostProcess::start(&path, &log, &[]);
    first.wait_for("ready");
    drop(first);
    // Again, now that the components are compiled, and with nothing to make up.
    std::fs::remove_dir_all(&state).unwrap();
    std::fs::create_dir(&state).unwrap();
    let began = Instant::now();
    std::fs::write(&log, "").unwrap();
    let second = HostProcess::start(&path, &log, &[]);
    second.wait_for(BEGUN);
    let up = began.elapsed();
    drop(second);

    let seed = rand::random();
    println!("seed {seed}, up after {up:?}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut text = std::fs::read_to_string(&log).unwrap();
    let (mut kills, mut hits) = (0, 0);
    while kills < KILLS {
        // A log of its own, so that there is not more and more of it to look at.
        std::fs::write(&log, "").unwrap();
        let mut host = HostProcess::start(&path, &log, &[]);
        if random.random_bool(0.1) {
            // While the host or cron itself begins.
            std::thread::sleep(up.mul_f64(random.random()));
        } else {
            host.wait_for(BEGUN);
            std::thread::sleep(AT_WORK.mul_f64(random.random()));
        }
        host.kill();
        let life = host.log();
        kills += usize::from(life.contains(BEGUN));
        hits += usize::from(is_any_under_way(&life));
        text.push_str(&life);
        // The last line may be torn off.
        text.push('\n');
    }
    std::fs::write(&log, "").unwrap();
    let status = HostProcess::start(&path, &log, &["--for", "8s"]).wait();
    assert!(status.success());
    text.push_str(&std::fs::read_to_string(&log).unwrap());

    let keep = || {
        let kept = common::target().join("cron-kill.log");
        std::fs::write(&kept, &text).unwrap();
        format!("seed {seed}, see {}", kept.display())
    };
    let mut done: BTreeMap<String, u32> = BTreeMap::new();
    let mut over: BTreeSet<String> = BTreeSet::new();
    for line in text.lines() {
        if let Some(id) = begun(line) {
            assert!(!over.contains(id), "{id} runs again after it was over; {}", keep());
        } else if let Some(id) = line.strip_prefix("done ") {
            *done.entry(id.to_owned()).or_default() += 1;
        } else if let Some((id, outcome)) = ended(line) {
            assert_eq!(outcome, "succeeded", "{line}; {}", keep());
            over.insert(id);
        }
    }
    assert!(hits > KILLS / 2, "only {hits} of {KILLS} kills hit a run; {}", keep());
    let interrupted = text
        .lines()
        .filter(|line| line.starts_with("run ") && !line.contains("attempt=1"))
        .count();
    let repeated = done.values().filter(|times| **times > 1).count();
    println!(
        "{kills} kills, {hits} of them hit runs, {} runs, {interrupted} attempts after an interruption, {repeated} of them \
         after an end that nobody knew of",
        done.len()
    );
    // What ended in the turn that a kill cut off, and most kills come at another time.
    assert!(
        repeated <= KILLS && repeated < interrupted,
        "{repeated} of {interrupted}; {}",
        keep()
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
