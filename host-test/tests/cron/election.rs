//! Three replicas of cron that elect one of them: the leader is killed fifty times, and no tick is lost, and none starts
//! twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use mainstay_peers::NatsServer;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

use crate::common;
use crate::common::process::HostProcess;

const REPLICAS: usize = 3;
const KILLS: usize = 50;
const JOBS: usize = 6;

const LEADS: &str = "this replica runs the jobs from now on";
const LEADS_NO_MORE: &str = "this replica runs no jobs any more";

/// A workload with jobs that are due every second, each at a time of its own. `ledger` is a folder that all replicas
/// write to.
fn manifest(port: u16, ledger: &Path, misfire: &str) -> String {
    let jobs: String = (0..JOBS)
        .map(|number| format!("                [[job]]\n                name = \"job-{number}\"\n                schedule = \"* * * * * *\"\n"))
        .collect();
    format!(
        r#"apiVersion: runtime.wasmcloud.dev/v1alpha1
kind: WorkloadDeployment
metadata:
  name: election
spec:
  template:
    spec:
      volumes:
        - name: ledger
          hostPath:
            path: {ledger}
      service:
        image: {cron}
        localResources:
          environment:
            config:
              NATS_URL: nats://host.wasmcloud.internal:{port}
              CRON_ELECTION: nats
              CRON_ELECTION_ENSURE: "true"
              CRON_ELECTION_TTL: 1s
              CRON_JITTER: 900ms
              CRON_MISFIRE: {misfire}
              CRON_PAYLOAD: slow
              CRON_JOBS: |
{jobs}
          allowedHosts: ["*"]
          allowedIpNameLookups: [host.wasmcloud.internal]
          allowedHostLoopbackPorts: ["{port}"]
      components:
        - name: recorder
          image: {recorder}
          localResources:
            environment:
              config:
                RECORDER_LEDGER: /ledger/ledger
            volumeMounts:
              - name: ledger
                mountPath: /ledger
"#,
        ledger = ledger.display(),
        cron = common::component_path("cron-elected").display(),
        recorder = common::component_path("test/cron-recorder").display(),
    )
}

/// The replicas, and what they write.
struct Replicas {
    folder: TempDir,
    hosts: Vec<HostProcess>,
}

impl Replicas {
    /// Replicas whose jobs make up by this policy what is older than a handover.
    fn start(server: &NatsServer, misfire: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("shared");
        fs::create_dir(&ledger).unwrap();
        fs::write(
            folder.path().join("workload.yaml"),
            manifest(server.port(), &ledger, misfire),
        )
        .unwrap();
        let mut replicas = Self {
            folder,
            hosts: Vec::new(),
        };
        // One first: what it has compiled the others find.
        for number in 0..REPLICAS {
            let host = replicas.host(number);
            host.wait_for(if number == 0 { LEADS } else { "ready" });
            replicas.hosts.push(host);
        }
        replicas
    }

    fn host(&self, number: usize) -> HostProcess {
        let log = self.folder.path().join(format!("log-{number}"));
        HostProcess::start(&self.folder.path().join("workload.yaml"), &log, &[])
    }

    /// The replica that says that it leads.
    fn leader(&self) -> Option<usize> {
        self.hosts.iter().position(|host| leads(&host.log()))
    }

    fn wait_for_a_leader(&self) -> usize {
        let deadline = Instant::now() + common::DEADLINE;
        loop {
            if let Some(leader) = self.leader() {
                return leader;
            }
            assert!(Instant::now() < deadline, "nobody leads; {}", self.keep());
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn kill(&mut self, number: usize) {
        self.hosts[number].kill();
        let log = self.folder.path().join(format!("log-{number}"));
        let text = fs::read_to_string(&log).unwrap();
        fs::write(&log, format!("{text}KILL\n")).unwrap();
        self.hosts[number] = self.host(number);
    }

    fn ledger(&self) -> String {
        fs::read_to_string(self.folder.path().join("shared/ledger")).unwrap_or_default()
    }

    fn logs(&self) -> String {
        self.hosts.iter().map(HostProcess::log).collect()
    }

    /// Keeps what was written for somebody to look at.
    fn keep(&self) -> String {
        let name = self.folder.path().file_name().unwrap();
        let kept: PathBuf = common::target().join("cron-election").join(name);
        fs::create_dir_all(&kept).unwrap();
        for (number, host) in self.hosts.iter().enumerate() {
            fs::write(kept.join(format!("log-{number}")), host.log()).unwrap();
        }
        fs::write(kept.join("ledger"), self.ledger()).unwrap();
        format!("see {}", kept.display())
    }
}

/// What the ledger and the logs tell of runs.
#[derive(Default)]
struct Runs {
    /// Attempts of each run, in the order of their starts.
    attempts: BTreeMap<String, Vec<u32>>,
    /// How often each run came to its end.
    done: BTreeMap<String, u32>,
    /// Runs that a leader knew to be over, and the number of the last attempt.
    over: BTreeMap<String, u32>,
}

impl Runs {
    fn read(replicas: &Replicas) -> Self {
        let mut runs = Self::default();
        for line in replicas.ledger().lines() {
            if let Some(rest) = line.strip_prefix("run ") {
                let (id, rest) = rest.split_once(" attempt=").unwrap();
                let attempt = rest.split(' ').next().unwrap().parse().unwrap();
                runs.attempts.entry(id.to_owned()).or_default().push(attempt);
            } else if let Some(id) = line.strip_prefix("done ") {
                *runs.done.entry(id.to_owned()).or_default() += 1;
            }
        }
        for line in replicas.logs().lines() {
            let field = |name: &str| {
                let (_, rest) = line.split_once(&format!(" {name}="))?;
                Some(rest.split(' ').next()?.trim_matches('"').to_owned())
            };
            if let (Some(job), Some(scheduled), Some(outcome), Some(attempt)) =
                (field("job"), field("scheduled"), field("outcome"), field("attempt"))
            {
                assert_eq!(outcome, "succeeded", "{line}; {}", replicas.keep());
                let id = format!("{job}@{}", scheduled.replace("+00:00", "Z"));
                let twice = runs.over.insert(id, attempt.parse().unwrap());
                assert_eq!(twice, None, "over twice: {line}; {}", replicas.keep());
            }
        }
        runs
    }

    /// No tick was lost, and none was doubled, though leaders were frozen at these times.
    fn check(&mut self, replicas: &Replicas, freezes: &[Timestamp]) {
        let keep = || replicas.keep();
        assert!(!replicas.logs().contains(": missed "), "{}", keep());
        for (id, attempts) in &mut self.attempts {
            // A call that was under way when its caller was frozen goes on when that thaws; what was due in the meantime
            // is not to start.
            let scheduled: Timestamp = id.rsplit_once('@').unwrap().1.parse().unwrap();
            if freezes
                .iter()
                .any(|freeze| (0..2).contains(&freeze.duration_since(scheduled).as_secs()))
            {
                attempts.sort_unstable();
            }
            // Two leaders at once would both start a first attempt, or both a second. One that was claimed by a leader that
            // ended before it began leaves a gap.
            let ascending = attempts.is_sorted_by(|one, next| one < next);
            assert!(ascending, "{id}: {attempts:?}; {}", keep());
            if let Some(last) = self.over.get(id) {
                assert_eq!(
                    attempts.last(),
                    Some(last),
                    "{id} ran again after it was over; {}",
                    keep()
                );
            }
        }
        for number in 0..JOBS {
            let prefix = format!("job-{number}@");
            let mine = self.done.keys().filter_map(|id| id.strip_prefix(&prefix));
            let seconds: Vec<Timestamp> = mine.map(|scheduled| scheduled.parse().unwrap()).collect();
            let seconds: BTreeSet<i64> = seconds.into_iter().map(Timestamp::as_second).collect();
            let (first, last) = (*seconds.first().unwrap(), *seconds.last().unwrap());
            let lost: Vec<i64> = (first..=last).filter(|second| !seconds.contains(second)).collect();
            assert!(lost.is_empty(), "{prefix} lost the ticks {lost:?}; {}", keep());
        }
    }
}

#[test]
fn fifty_leaders_are_killed_and_no_tick_is_lost_or_doubled() {
    let server = NatsServer::with_jetstream().unwrap();
    let mut replicas = Replicas::start(&server, "skip");
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let began = Instant::now();
    for _ in 0..KILLS {
        let leader = replicas.wait_for_a_leader();
        // From just after it was elected to well into its term.
        thread::sleep(Duration::from_millis(random.random_range(0..700)));
        replicas.kill(leader);
    }
    replicas.wait_for_a_leader();
    thread::sleep(Duration::from_secs(3));
    let took = began.elapsed();
    replicas.hosts.iter_mut().for_each(HostProcess::kill);

    let mut runs = Runs::read(&replicas);
    let repeated = runs.done.values().filter(|times| **times > 1).count();
    let interrupted = runs.attempts.values().filter(|attempts| attempts.len() > 1).count();
    let terms = replicas.logs().matches(LEADS).count();
    println!(
        "{KILLS} leaders killed in {took:?}, {terms} terms, {} runs, {interrupted} of them interrupted by a kill, \
         {repeated} after their end and before it was written",
        runs.done.len()
    );
    assert!(terms > KILLS, "{terms} terms; {}", replicas.keep());
    runs.check(&replicas, &[]);
    // At most those that were in flight when a leader was killed.
    assert!(
        interrupted <= KILLS * JOBS && repeated <= interrupted,
        "{}",
        replicas.keep()
    );
}

/// Sends a process a signal by name.
fn signal(id: u32, name: &str) {
    let sent = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(id.to_string())
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn a_leader_that_was_frozen_starts_nothing_when_it_thaws() {
    let server = NatsServer::with_jetstream().unwrap();
    let mut replicas = Replicas::start(&server, "skip");
    let mut freezes = Vec::new();
    for _ in 0..5 {
        let frozen = replicas.wait_for_a_leader();
        let id = replicas.hosts[frozen].id();
        let lost = |replicas: &Replicas| replicas.hosts[frozen].log().matches(LEADS_NO_MORE).count();
        let before = lost(&replicas);
        signal(id, "STOP");
        freezes.push(Timestamp::now());
        // Its log says that it leads, so the other one that says so is its successor.
        let deadline = Instant::now() + common::DEADLINE;
        while replicas.hosts.iter().filter(|host| leads(&host.log())).count() < 2 {
            assert!(Instant::now() < deadline, "nobody takes over; {}", replicas.keep());
            thread::sleep(Duration::from_millis(5));
        }
        signal(id, "CONT");
        while lost(&replicas) == before {
            assert!(Instant::now() < deadline, "it does not notice; {}", replicas.keep());
            thread::sleep(Duration::from_millis(5));
        }
    }
    thread::sleep(Duration::from_secs(2));
    replicas.hosts.iter_mut().for_each(HostProcess::kill);
    Runs::read(&replicas).check(&replicas, &freezes);
}

/// Whether a replica says that it leads, by what it and those before it have written.
fn leads(log: &str) -> bool {
    log.rfind(LEADS) > log.rfind(LEADS_NO_MORE).max(log.rfind("KILL"))
}

#[test]
fn the_broker_may_be_killed_as_well() {
    let mut server = NatsServer::with_jetstream().unwrap();
    // It may be away for longer than a handover takes; what was due meanwhile is a matter of policy.
    let mut replicas = Replicas::start(&server, "all");
    for down in [0, 300, 3000] {
        replicas.wait_for_a_leader();
        server.kill();
        thread::sleep(Duration::from_millis(down));
        server.start_again().unwrap();
        thread::sleep(Duration::from_secs(3));
    }
    replicas.wait_for_a_leader();
    thread::sleep(Duration::from_secs(2));
    replicas.hosts.iter_mut().for_each(HostProcess::kill);
    Runs::read(&replicas).check(&replicas, &[]);
}
