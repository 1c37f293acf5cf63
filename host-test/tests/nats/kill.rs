//! Broker, service and component are killed a hundred times at random instants under 100,000 messages of JetStream: all
//! are handled, none twice but for a kill, and exactly those become dead letters that the handler does not take.
//!
//! `MAINSTAY_KILL_MESSAGES` sets another number of messages.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::{self, consumer, stream};
use futures::StreamExt;
use futures::future::join_all;
use mainstay_peers::NatsServer;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::common::process::HostProcess;
use crate::{common, support};

const KILLS: usize = 100;
const MESSAGES: usize = 100_000;

/// How long everything may be at work before the next kill.
const AT_WORK: Duration = Duration::from_millis(400);

/// Deliveries before a message is given up: more than kills can use up of one that is innocent.
const MAX_DELIVER: usize = 20;

/// How many messages the service holds at most.
const HELD: usize = 128;

/// After the last kill the rest has to be handled within this.
const REST: Duration = Duration::from_secs(180);

fn manifest(port: u16) -> String {
    format!(
        r#"apiVersion: runtime.wasmcloud.dev/v1alpha1
kind: WorkloadDeployment
metadata:
  name: kill
spec:
  template:
    spec:
      service:
        image: {service}
        maxRestarts: 1000
        localResources:
          environment:
            config:
              NATS_URL: nats://host.wasmcloud.internal:{port}
              NATS_NAME: orders
              NATS_STREAM: ORDERS
              NATS_CONSUMER: worker
              NATS_ENSURE: "true"
              NATS_ACK_WAIT: 3s
              NATS_BACK_OFF: 10ms
              NATS_MAX_DELIVER: "{MAX_DELIVER}"
              NATS_DEAD_LETTER: dead.orders
              NATS_MAX_MESSAGES: "{HELD}"
              NATS_RECONNECT_MAX: 500ms
              NATS_LISTEN: "off"
          allowedHosts: ["*"]
          allowedIpNameLookups: [host.wasmcloud.internal]
          allowedHostLoopbackPorts: ["{port}"]
      components:
        - name: handler
          image: {handler}
"#,
        service = common::component_path("nats").display(),
        handler = common::component_path("test/nats-handler").display(),
    )
}

/// What the handler makes of a message, which is the last token of its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Good,
    /// Handled at the second attempt.
    Retry,
    Reject,
    /// Fails until it is given up.
    Fail,
    /// The handler traps at the first attempt, and takes the service down.
    Trap,
}

impl Fate {
    fn of(number: usize) -> Self {
        match number {
            _ if number % 100 == 7 => Self::Reject,
            _ if number % 500 == 23 => Self::Fail,
            _ if number % 50 == 41 => Self::Retry,
            _ => Self::Good,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Retry => "retry",
            Self::Reject => "reject",
            Self::Fail => "fail",
            Self::Trap => "trap",
        }
    }

    fn action(self) -> Option<&'static str> {
        match self {
            Self::Good => None,
            Self::Retry => Some("retry 10"),
            Self::Reject => Some("reject"),
            Self::Fail => Some("fail no stock"),
            Self::Trap => Some("trap"),
        }
    }

    /// Why a message ends as a dead letter, if it does.
    fn reason(self) -> Option<&'static str> {
        match self {
            Self::Reject => Some("rejected by the handler"),
            Self::Fail => Some("no stock"),
            _ => None,
        }
    }
}

/// Publishes until the server has confirmed each message; it keeps one of each id.
async fn publish(context: &jetstream::Context, messages: impl IntoIterator<Item = (String, Fate)>) {
    let mut left: Vec<(String, Fate)> = messages.into_iter().collect();
    while !left.is_empty() {
        let attempts = left.into_iter().map(async |(id, fate)| {
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", id.as_str());
            headers.insert("Tag", format!("tag-{id}"));
            if let Some(action) = fate.action() {
                headers.insert("Do", action);
            }
            if matches!(fate, Fate::Trap | Fate::Retry) {
                headers.insert("Until", "1");
            }
            let subject = format!("orders.{}", fate.name());
            let published = context.publish_with_headers(subject, headers, id.clone().into()).await;
            let stored = match published {
                Ok(acknowledged) => acknowledged.await.is_ok(),
                Err(_) => false,
            };
            (!stored).then_some((id, fate))
        });
        left = join_all(attempts).await.into_iter().flatten().collect();
    }
}

/// What is killed, and how often.
struct Killer<'a> {
    server: NatsServer,
    host: HostProcess,
    manifest: &'a Path,
    log: &'a Path,
    brokers: usize,
    services: usize,
}

impl Killer<'_> {
    fn say(&self, what: &str) {
        let mut log = OpenOptions::new().append(true).open(self.log).unwrap();
        log.write_all(format!("KILL {what}\n").as_bytes()).unwrap();
    }

    fn kill_the_broker(&mut self) {
        // Before and after it: the service may connect in between, to the old one or to the new one.
        self.say("broker");
        self.server.restart().unwrap();
        self.say("broker, which is back");
        self.brokers += 1;
    }

    fn kill_the_service(&mut self) {
        self.host.kill();
        self.say("service");
        self.host = HostProcess::start(self.manifest, self.log, &[]);
        self.services += 1;
    }

    /// How often the handler has trapped.
    fn traps(&self) -> usize {
        self.host.log().matches("asked to trap").count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_lose_no_message_and_repeat_none_without_a_kill() {
    let messages = std::env::var("MAINSTAY_KILL_MESSAGES").map_or(MESSAGES, |text| text.parse().unwrap());
    let server = NatsServer::with_jetstream().unwrap();
    let mut context = jetstream::new(support::client(&server).await);
    context.set_timeout(Duration::from_secs(1));
    for (name, subject) in [("ORDERS", "orders.>"), ("DEAD", "dead.>")] {
        let config = stream::Config {
            name: name.to_owned(),
            subjects: vec![subject.to_owned()],
            ..stream::Config::default()
        };
        context.create_stream(config).await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let (path, log) = (folder.path().join("workload.yaml"), folder.path().join("log"));
    std::fs::write(&path, manifest(server.port())).unwrap();
    let host = HostProcess::start(&path, &log, &[]);
    host.wait_for("ready");

    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut killer = Killer {
        server,
        host,
        manifest: &path,
        log: &log,
        brokers: 0,
        services: 0,
    };
    let began = Instant::now();
    let mut asked = 0;
    for round in 0..KILLS {
        let part = (round * messages / KILLS)..((round + 1) * messages / KILLS);
        publish(&context, part.map(|number| (number.to_string(), Fate::of(number)))).await;
        tokio::time::sleep(AT_WORK.mul_f64(random.random())).await;
        match random.random_range(0..3) {
            0 => killer.kill_the_broker(),
            1 => killer.kill_the_service(),
            _ => {
                publish(&context, [(format!("trap-{asked}"), Fate::Trap)]).await;
                asked += 1;
            }
        }
    }
    // One whose first delivery met another kill did not trap.
    while killer.brokers + killer.services + killer.traps() < KILLS {
        let before = killer.traps();
        publish(&context, [(format!("trap-{asked}"), Fate::Trap)]).await;
        asked += 1;
        let deadline = Instant::now() + common::DEADLINE;
        while killer.traps() == before {
            assert!(Instant::now() < deadline, "no trap; {}", keep(&log, seed));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let killing = began.elapsed();
    wait_until_all_are_done(&context, &log, seed).await;
    let (brokers, services, traps) = (killer.brokers, killer.services, killer.traps());
    killer.host.kill();

    let text = std::fs::read_to_string(&log).unwrap();
    let found = Found::read(&text, || keep(&log, seed));
    println!(
        "{messages} messages; {brokers} kills of the broker, {services} of the service, {traps} of the component in \
         {killing:?}, all done after {:?}; {} deliveries were repeated after a kill, {} of them of handled messages",
        began.elapsed(),
        found.repeated,
        found.repeated_after_their_end,
    );
    let expected = (0..messages).map(|number| (number.to_string(), Fate::of(number)));
    let expected: BTreeMap<String, Fate> = expected
        .chain((0..asked).map(|number| (format!("trap-{number}"), Fate::Trap)))
        .collect();
    let handled: BTreeSet<&String> = expected
        .iter()
        .filter(|(_, fate)| fate.reason().is_none())
        .map(|(id, _)| id)
        .collect();
    let lost: Vec<_> = handled.iter().filter(|id| !found.ended.contains(**id)).collect();
    assert!(lost.is_empty(), "{} lost: {lost:?}; {}", lost.len(), keep(&log, seed));
    assert_eq!(found.ended.len(), handled.len(), "{}", keep(&log, seed));
    let wanted: BTreeMap<String, Fate> = expected
        .into_iter()
        .filter(|(_, fate)| fate.reason().is_some())
        .collect();
    check_the_dead_letters(&context, &wanted).await;
}

/// Keeps the log for somebody to look at.
fn keep(log: &Path, seed: u64) -> String {
    let kept = common::target().join("nats-kill.log");
    std::fs::copy(log, &kept).unwrap();
    format!("seed {seed}, see {}", kept.display())
}

async fn wait_until_all_are_done(context: &jetstream::Context, log: &Path, seed: u64) {
    let deadline = Instant::now() + REST;
    loop {
        let consumer = context.get_consumer_from_stream::<consumer::pull::Config, _, _>("worker", "ORDERS");
        // The broker may have been started just now.
        if let Ok(consumer) = consumer.await {
            let info = consumer.cached_info();
            if info.num_pending == 0 && info.num_ack_pending == 0 {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{} messages to deliver and {} to acknowledge; {}",
                info.num_pending,
                info.num_ack_pending,
                keep(log, seed)
            );
        }
        assert!(
            Instant::now() < deadline,
            "the broker is not there; {}",
            keep(log, seed)
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What the log tells of deliveries.
#[derive(Default)]
struct Found {
    /// The messages whose handler came to its end.
    ended: BTreeSet<String>,
    /// Deliveries that repeat one that a kill has interrupted.
    repeated: usize,
    /// Those of them whose handler had come to its end.
    repeated_after_their_end: usize,
}

impl Found {
    /// Reads the log, and sees to it that what is repeated is repeated because of a kill: one that did not fail is begun
    /// again only if meanwhile something was killed and the service has connected again, and it connects again only if
    /// something was killed. The first to begin after that may have waited in the service since before, and then come from
    /// the new broker too; there are no more of them than the service holds.
    fn read(text: &str, keep: impl Fn() -> String) -> Self {
        let mut found = Self::default();
        let mut begun: HashMap<&str, (usize, usize)> = HashMap::new();
        // A broker that was killed may have forgotten deliveries, and then makes all of them again.
        let mut ended: HashMap<String, usize> = HashMap::new();
        let (mut connections, mut kills, mut since) = (0, 0, 0);
        for line in text.lines() {
            let mut words = line.split(' ');
            match words.next() {
                Some("KILL") => kills += 1,
                Some("begin") => {
                    let (Some(subject), Some(_), Some(id)) = (words.next(), words.next(), words.next()) else {
                        panic!("{line}; {}", keep());
                    };
                    if subject == "orders.trap" {
                        kills += 1;
                    }
                    since += 1;
                    let before = begun.insert(id, (connections, since));
                    let fails = matches!(subject, "orders.retry" | "orders.fail" | "orders.reject");
                    match before {
                        Some((before, place)) if before < connections || (connections > 1 && place <= HELD) => {
                            found.repeated += 1;
                            found.repeated_after_their_end += usize::from(found.ended.contains(id));
                        }
                        Some(_) => assert!(
                            fails && ended.get(id).is_none_or(|at| *at < connections),
                            "repeated without a kill: {line}; {}",
                            keep()
                        ),
                        None => {}
                    }
                }
                Some("end") => {
                    let id = words.nth(2).unwrap();
                    found.ended.insert(id.to_owned());
                    ended.insert(id.to_owned(), connections);
                }
                _ if line.contains(" connected server=") => {
                    connections += 1;
                    assert!(
                        connections == 1 || kills > 0,
                        "connected again without a kill: {line}; {}",
                        keep()
                    );
                    (kills, since) = (0, 0);
                }
                _ => {}
            }
        }
        found
    }
}

async fn check_the_dead_letters(context: &jetstream::Context, wanted: &BTreeMap<String, Fate>) {
    let mut stream = context.get_stream("DEAD").await.unwrap();
    let stored = stream.info().await.unwrap().state.messages;
    let config = consumer::pull::Config {
        ack_policy: consumer::AckPolicy::None,
        ..consumer::pull::Config::default()
    };
    let consumer = stream.create_consumer(config).await.unwrap();
    let letters = consumer.stream().messages().await.unwrap();
    let letters: Vec<_> = letters.take(stored as usize).collect().await;
    let mut found = BTreeSet::new();
    for letter in letters {
        let letter = letter.unwrap();
        let headers = letter.headers.as_ref().unwrap();
        let header = |name: &str| headers.get(name).map_or("", |value| value.as_str());
        let id = String::from_utf8(letter.payload.to_vec()).unwrap();
        let fate = wanted
            .get(&id)
            .unwrap_or_else(|| panic!("{id} is a dead letter: {headers:?}"));
        assert_eq!(header("Dead-Letter-Msg-Id"), id);
        assert_eq!(header("Tag"), format!("tag-{id}"), "the headers are the original's");
        assert_eq!(header("Do"), fate.action().unwrap());
        assert_eq!(header("Dead-Letter-Subject"), format!("orders.{}", fate.name()));
        let reason = header("Dead-Letter-Reason");
        // A kill during the last delivery leaves one that comes after the last, and a kill during that one another.
        let deliveries = reason
            .strip_prefix("not handled in ")
            .and_then(|rest| rest.strip_suffix(" deliveries"));
        let beyond = deliveries.is_some_and(|count| count.parse::<usize>().unwrap() >= MAX_DELIVER);
        let known = Some(reason) == fate.reason() || (*fate == Fate::Fail && beyond);
        assert!(known, "{id}: {reason}");
        assert!(found.insert(id.clone()), "{id} is two dead letters");
    }
    let missing: Vec<_> = wanted.keys().filter(|id| !found.contains(*id)).collect();
    assert!(missing.is_empty(), "no dead letters: {missing:?}");
}
