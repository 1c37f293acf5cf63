//! Three replicas in one process, each on a thread of its own, and a real server: leaders are dropped in the middle of
//! whatever they do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mainstay_cron::component::Component;
use mainstay_cron::config::Configuration;
use mainstay_cron::service::serve_elected;
use mainstay_cron::{events, gate, job, schedule};
use mainstay_cron_elected::config::{self, Election};
use mainstay_cron_elected::election::NatsElection;
use mainstay_peers::NatsServer;
use mainstay_runtime::Context;
use mainstay_runtime::config::Settings;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

const DEADLINE: Duration = Duration::from_secs(60);
const JOBS: usize = 4;

/// What happens to runs, in the order of its happening, in all replicas.
#[derive(Clone, Debug)]
enum Event {
    Start { run: String, attempt: u32 },
    Done { run: String },
    Over { run: String, outcome: String },
}

type Ledger = Arc<Mutex<Vec<Event>>>;

/// A component whose runs take 5 ms.
struct Recorder(Ledger);

impl Recorder {
    fn record(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Component for Recorder {
    fn run(&self, tick: job::Tick) -> impl Future<Output = Result<(), job::JobError>> + 'static {
        let recorder = Self(self.0.clone());
        async move {
            let (run, attempt) = (tick.run_id, tick.attempt);
            recorder.record(Event::Start {
                run: run.clone(),
                attempt,
            });
            tokio::time::sleep(Duration::from_millis(5)).await;
            recorder.record(Event::Done { run });
            Ok(())
        }
    }

    fn jobs(&self) -> impl Future<Output = Result<Vec<schedule::Definition>, String>> + 'static {
        std::future::ready(Ok(Vec::new()))
    }

    fn gate_enabled(&self) -> impl Future<Output = bool> + 'static {
        std::future::ready(false)
    }

    fn check(&self, _: gate::Candidate) -> impl Future<Output = Result<(), String>> + 'static {
        std::future::ready(Ok(()))
    }

    fn events_wanted(&self) -> impl Future<Output = events::Kinds> + 'static {
        std::future::ready(events::Kinds::FINISHED | events::Kinds::MISSED)
    }

    fn deliver(&self, events: Vec<events::Event>) -> impl Future<Output = ()> + 'static {
        for event in events {
            let (run, outcome) = match event {
                events::Event::Finished(finished) => (finished.run_id, format!("{:?}", finished.outcome)),
                other => (format!("{other:?}"), "missed".to_owned()),
            };
            self.record(Event::Over { run, outcome });
        }
        std::future::ready(())
    }
}

/// A replica on a thread of its own; it and all that it has open are dropped with it, at whatever they are.
struct Replica {
    leads: Arc<AtomicBool>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Replica {
    fn start(url: &str, ledger: &Ledger, misfire: &'static str) -> Self {
        let jobs: String = (0..JOBS)
            .map(|number| format!("[[job]]\nname = \"job-{number}\"\nschedule = \"* * * * * *\"\n"))
            .collect();
        Self::with(
            url,
            ledger,
            &[
                ("CRON_JOBS", &jobs),
                ("CRON_JITTER", "900ms"),
                ("CRON_MISFIRE", misfire),
                ("CRON_ADMIN", "off"),
                ("CRON_ELECTION_TTL", "1s"),
            ],
        )
    }

    fn with(url: &str, ledger: &Ledger, settings: &[(&'static str, &str)]) -> Self {
        let always = [
            ("CRON_HEALTH", "off"),
            ("CRON_ELECTION", "nats"),
            ("CRON_ELECTION_ENSURE", "true"),
            ("NATS_URL", url),
        ];
        let environment: Vec<(&'static str, String)> = settings
            .iter()
            .chain(&always)
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        let leads = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = oneshot::channel();
        let (ledger, shown) = (ledger.clone(), leads.clone());
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let tasks = LocalSet::new();
            tasks.block_on(&runtime, async {
                tokio::select! {
                    ended = replica(environment, ledger, shown) => panic!("ended: {ended:?}"),
                    _ = stopped => {}
                }
            });
        });
        Self {
            leads,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn leads(&self) -> bool {
        self.leads.load(Ordering::SeqCst)
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
        self.thread.take().unwrap().join().unwrap();
    }
}

async fn replica(
    environment: Vec<(&'static str, String)>,
    ledger: Ledger,
    leads: Arc<AtomicBool>,
) -> Result<(), String> {
    let read = |settings: &mut Settings| Configuration::with(settings, Election::read);
    let (configuration, election) = Settings::read_from("CRON_", environment, read).map_err(|e| e.to_string())?;
    let (configuration, election) = config::join(configuration, election).map_err(|e| e.to_string())?;
    let context = Context::new("cron");
    let metrics = context.metrics.clone();
    tokio::task::spawn_local(async move {
        loop {
            leads.store(metrics.render().contains("cron_leading 1\n"), Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let election = election.map(|settings| NatsElection::new(&context, settings));
    let served = serve_elected(context, configuration, Recorder(ledger), election).await;
    served.map_err(|error| error.to_string())
}

fn wait_for_a_leader(replicas: &[Replica]) -> usize {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(leader) = replicas.iter().position(Replica::leads) {
            return leader;
        }
        assert!(Instant::now() < deadline, "nobody leads");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Runs in all; those that were interrupted; those that were done twice because nobody knew that they were done.
fn check(ledger: &Ledger) -> (usize, usize, usize) {
    let events = ledger.lock().unwrap();
    let mut attempts: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    let mut done: BTreeMap<&str, usize> = BTreeMap::new();
    let mut over: BTreeSet<&str> = BTreeSet::new();
    for event in events.iter() {
        match event {
            Event::Start { run, attempt } => {
                assert!(!over.contains(run.as_str()), "{run} runs again after it was over");
                attempts.entry(run).or_default().push(*attempt);
            }
            Event::Done { run } => *done.entry(run).or_default() += 1,
            Event::Over { run, outcome } => {
                assert_eq!(outcome, "Outcome::Succeeded", "{run}");
                assert!(over.insert(run), "{run} is over twice");
            }
        }
    }
    for (run, attempts) in &attempts {
        // One that was claimed by a leader that ended before it began leaves a gap.
        let ascending = attempts.is_sorted_by(|one, next| one < next);
        assert!(ascending, "{run} was started by two at once: {attempts:?}");
    }
    for number in 0..JOBS {
        let prefix = format!("job-{number}@");
        let seconds: BTreeSet<i64> = done
            .keys()
            .filter_map(|run| run.strip_prefix(&prefix))
            .map(|scheduled| scheduled.parse::<jiff::Timestamp>().unwrap().as_second())
            .collect();
        let (first, last) = (*seconds.first().unwrap(), *seconds.last().unwrap());
        let lost: Vec<i64> = (first..=last).filter(|second| !seconds.contains(second)).collect();
        assert!(lost.is_empty(), "{prefix} lost {lost:?}");
    }
    let interrupted = attempts.values().filter(|attempts| attempts.len() > 1).count();
    let twice = done.values().filter(|times| **times > 1).count();
    (done.len(), interrupted, twice)
}

#[test]
fn fifty_leaders_are_dropped_and_no_tick_is_lost_or_doubled() {
    const KILLS: usize = 50;
    let server = NatsServer::with_jetstream().unwrap();
    let ledger = Ledger::default();
    let mut replicas: Vec<Replica> = (0..3).map(|_| Replica::start(&server.url(), &ledger, "skip")).collect();
    let began = Instant::now();
    for kill in 0..KILLS {
        let leader = wait_for_a_leader(&replicas);
        // At another place of its turns each time.
        thread::sleep(Duration::from_millis(37 * kill as u64 % 700));
        replicas[leader] = Replica::start(&server.url(), &ledger, "skip");
    }
    wait_for_a_leader(&replicas);
    thread::sleep(Duration::from_secs(2));
    drop(replicas);
    let took = began.elapsed();
    let (runs, interrupted, twice) = check(&ledger);
    println!("{KILLS} leaders in {took:?}: {runs} runs, {interrupted} interrupted, {twice} of them after their end");
    assert!(runs > KILLS, "{runs}");
}

#[test]
fn a_server_that_is_killed_costs_no_tick() {
    let mut server = NatsServer::with_jetstream().unwrap();
    let ledger = Ledger::default();
    let replicas: Vec<Replica> = (0..3).map(|_| Replica::start(&server.url(), &ledger, "all")).collect();
    // What is due while it is away for longer than a handover takes is a matter of policy.
    // Shorter than the lease, about as long, and longer.
    for down in [0, 600, 2000] {
        wait_for_a_leader(&replicas);
        server.kill();
        thread::sleep(Duration::from_millis(down));
        server.start_again().unwrap();
        thread::sleep(Duration::from_millis(2500));
    }
    wait_for_a_leader(&replicas);
    drop(replicas);
    check(&ledger);
}

#[test]
fn a_leader_without_work_answers_operators_at_once() {
    let server = NatsServer::with_jetstream().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let admin = address.to_string();
    let settings = [
        ("CRON_SCHEDULE", "@yearly"),
        ("CRON_ADMIN", admin.as_str()),
        // Nothing else wakes it.
        ("CRON_ELECTION_TTL", "1m"),
    ];
    let replicas = [Replica::with(&server.url(), &Ledger::default(), &settings)];
    wait_for_a_leader(&replicas);
    let began = Instant::now();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .write_all(b"GET /jobs HTTP/1.1\r\nhost: cron\r\nconnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    // Each used to wait for the loop's next look at the clock, a second later.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
