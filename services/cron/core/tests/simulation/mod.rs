//! A world for the engine: clocks that do as they are told, jobs that take as long as a scenario says, a disk that
//! keeps what was written, and crashes.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use mainstay_cron_core::action::{Action, Start};
use mainstay_cron_core::journal;
use mainstay_cron_core::{End, Engine, Job, JobId, Limits, Moment, Now, Outcome, RunKey, run_id};

/// How a job behaves when it is called.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// How long an attempt takes.
    pub takes: Duration,
    /// The outcomes of its attempts, one after the other; the last goes for all that follow.
    pub outcomes: Vec<Outcome>,
}

/// Something that happens to the service.
#[derive(Clone, Debug)]
pub enum Step {
    /// The wall clock is set forward, or the machine sleeps.
    Forward(Duration),
    /// The wall clock is set back.
    Back(Duration),
    /// The service dies, and starts again after a while.
    Crash(Duration),
    Suspend(String),
    Resume(String),
    RunNow(String),
    Backfill(String, Moment, Moment),
}

pub struct World {
    pub engine: Engine,
    jobs: Vec<Job>,
    behaviours: HashMap<String, Behaviour>,
    limits: Limits,
    /// The journal, as it is on the disk.
    pub disk: Vec<u8>,
    steady: Duration,
    wall: Moment,
    /// Attempts that are going on: when they end, and when they began.
    attempts: BTreeMap<(Duration, RunKey), Duration>,
    /// How many attempts each job was asked for.
    asked: HashMap<JobId, usize>,
    /// What was decided, one line each.
    pub trace: String,
    /// How often each run ended, and how, as the disk has it.
    pub ended: BTreeMap<String, Vec<End>>,
    /// The service dies at its next write, of which so much gets to the disk: a number to take a share by.
    pub dies_writing: Option<usize>,
    begun: bool,
}

impl World {
    pub fn new(limits: Limits, jobs: Vec<Job>, behaviours: HashMap<String, Behaviour>, start: Moment) -> Self {
        let now = Now {
            wall: start,
            steady: Duration::ZERO,
        };
        let (engine, _) = Engine::new(limits, jobs.clone(), None, true, now);
        let disk = engine.snapshot();
        Self {
            engine,
            jobs,
            behaviours,
            limits,
            disk,
            steady: Duration::ZERO,
            wall: start,
            attempts: BTreeMap::new(),
            asked: HashMap::new(),
            trace: String::new(),
            ended: BTreeMap::new(),
            dies_writing: None,
            begun: false,
        }
    }

    fn now(&self) -> Now {
        Now {
            wall: self.wall,
            steady: self.steady,
        }
    }

    /// Lets time pass until `until` of the steady clock, as a service does: it wakes when something is due, when an
    /// attempt ends, and once a second in any case. Returns early, and true, if the service dies.
    pub fn run_until(&mut self, until: Duration) -> bool {
        if !self.begun {
            self.begun = true;
            if !self.turn() {
                return true;
            }
        }
        while self.steady < until {
            let wake = self
                .engine
                .next_wake(self.now())
                .unwrap_or(Duration::MAX)
                .min(Duration::from_secs(1));
            let mut next = self.steady.saturating_add(wake.max(Duration::from_nanos(1)));
            if let Some(((end, _), _)) = self.attempts.first_key_value() {
                next = next.min(*end);
            }
            self.pass(next.clamp(self.steady, until) - self.steady);
            if !self.turn() {
                return true;
            }
        }
        false
    }

    /// How long the world has gone on.
    #[allow(dead_code, reason = "one test of those that share this asks for it")]
    pub fn elapsed(&self) -> Duration {
        self.steady
    }

    fn pass(&mut self, duration: Duration) {
        self.steady += duration;
        self.wall = self.wall.plus(duration);
    }

    pub fn step(&mut self, step: &Step) {
        match step {
            Step::Forward(by) => {
                self.note(&format!("clock set forward by {by:?}"));
                self.wall = self.wall.plus(*by);
            }
            Step::Back(by) => {
                self.note(&format!("clock set back by {by:?}"));
                self.wall = self.wall.minus(*by);
            }
            Step::Crash(down) => self.crash(*down),
            Step::Suspend(job) => {
                self.note(&format!("suspend {job}"));
                self.engine.suspend(self.id(job));
            }
            Step::Resume(job) => {
                let resumed = self.engine.resume(self.id(job), self.now());
                self.note_result(&format!("resume {job}"), resumed.map_err(|error| error.to_string()));
            }
            Step::RunNow(job) => {
                let run = self.engine.run_now(self.id(job), self.now());
                self.note_result(
                    &format!("run {job}"),
                    run.map(|_| ()).map_err(|error| error.to_string()),
                );
            }
            Step::Backfill(job, from, to) => {
                let ticks = self.engine.backfill(self.id(job), *from, *to, self.now());
                let ticks = ticks.map(|ticks| self.note(&format!("backfill of {ticks} ticks")));
                self.note_result(
                    &format!("backfill {job} {from} to {to}"),
                    ticks.map_err(|error| error.to_string()),
                );
            }
        }
        self.turn();
    }

    /// The service dies: attempts vanish, lines that were not written too. It starts again `down` later.
    pub fn crash(&mut self, down: Duration) {
        self.note(&format!("crash, down for {down:?}"));
        self.attempts.clear();
        self.pass(down);
        let loaded = journal::decode(&self.disk).expect("a journal that was just written is sound");
        assert_eq!(loaded.damaged, 0);
        let (engine, recovered) = Engine::new(self.limits, self.jobs.clone(), Some(loaded), true, self.now());
        self.engine = engine;
        self.disk = self.engine.snapshot();
        self.note(&format!(
            "start: {} jobs known, {} runs interrupted",
            recovered.known, recovered.interrupted
        ));
    }

    /// One turn of the service: report attempts that ended, poll, write, act. False if it died writing.
    fn turn(&mut self) -> bool {
        let mut actions = Vec::new();
        while let Some(entry) = self.attempts.first_entry().filter(|entry| entry.key().0 <= self.steady) {
            let ((_, key), began) = entry.remove_entry();
            let outcome = self.outcome(key.job);
            let took = self.steady - began;
            self.engine.finished(key, outcome, took, self.now(), &mut actions);
        }
        self.engine.poll(self.now(), &mut actions);
        if !self.write(&actions) {
            return false;
        }
        let replaced = self.act(actions);
        for key in replaced {
            let mut actions = Vec::new();
            let now = self.now();
            self.engine
                .finished(key, Outcome::Cancelled, Duration::ZERO, now, &mut actions);
            self.engine.poll(now, &mut actions);
            if !self.write(&actions) {
                return false;
            }
            assert!(self.act(actions).is_empty());
        }
        true
    }

    /// Writes what the engine wants to have written. False if the service died of it.
    fn write(&mut self, actions: &[Action]) -> bool {
        let lines = self.engine.take_journal().lines;
        let share = self.dies_writing.take_if(|_| !lines.is_empty());
        let written = share.map_or(lines.len(), |share| share % (lines.len() + 1));
        self.disk.extend_from_slice(&lines[..written]);
        if share.is_none() {
            return true;
        }
        // Nobody is told of these ends any more, but the disk knows them.
        let kept = journal::decode(&self.disk).expect("a sound journal").state;
        for action in actions {
            if let Action::Finished(over) = action
                && kept.job(over.key.job).expect("a job").run(over.key.scheduled).is_none()
            {
                self.ended.entry(self.run_id(over.key)).or_default().push(over.end);
            }
        }
        false
    }

    /// Takes the actions; returns the attempts that were cancelled.
    fn act(&mut self, actions: Vec<Action>) -> Vec<RunKey> {
        let mut cancelled = Vec::new();
        for action in actions {
            let line = self.describe(&action);
            self.note(&line);
            match action {
                Action::Finished(over) => self.ended.entry(self.run_id(over.key)).or_default().push(over.end),
                Action::Start(start) => self.start(&start),
                Action::Cancel(key) => {
                    self.attempts.retain(|(_, running), _| *running != key);
                    cancelled.push(key);
                }
                _ => {}
            }
        }
        cancelled
    }

    fn start(&mut self, start: &Start) {
        let running = self.attempts.keys().any(|(_, key)| *key == start.key);
        assert!(!running, "{} is started while it runs", self.run_id(start.key));
        let ended = self.ended.get(&self.run_id(start.key));
        assert!(ended.is_none(), "{} is started after it ended", self.run_id(start.key));
        let behaviour = self.behaviour(start.key.job);
        let takes = behaviour.takes.min(start.timeout);
        self.attempts.insert((self.steady + takes, start.key), self.steady);
    }

    fn behaviour(&self, job: JobId) -> Behaviour {
        self.behaviours[&*self.engine.job(job).expect("a job").name].clone()
    }

    fn outcome(&mut self, job: JobId) -> Outcome {
        let behaviour = self.behaviour(job);
        let timeout = self.engine.job(job).expect("a job").policy.timeout;
        let asked = self.asked.entry(job).or_default();
        *asked += 1;
        if behaviour.takes > timeout {
            return Outcome::TimedOut;
        }
        let position = (*asked - 1).min(behaviour.outcomes.len() - 1);
        behaviour.outcomes[position].clone()
    }

    fn id(&self, job: &str) -> JobId {
        self.engine.find(job).unwrap_or_else(|| panic!("no job {job:?}"))
    }

    fn run_id(&self, key: RunKey) -> String {
        run_id(&self.engine.job(key.job).expect("a job").name, key.scheduled)
    }

    fn note_result(&mut self, what: &str, result: Result<(), String>) {
        match result {
            Ok(()) => self.note(what),
            Err(error) => self.note(&format!("{what}: {error}")),
        }
    }

    fn note(&mut self, line: &str) {
        let _ = writeln!(self.trace, "{} {line}", self.wall);
    }

    fn describe(&self, action: &Action) -> String {
        let name = |job: &JobId| self.engine.job(*job).expect("a job").name.to_string();
        match action {
            Action::Start(start) => {
                let mut line = format!("start {} attempt {}", self.run_id(start.key), start.attempt);
                let lag = start.actual.since(start.due);
                if !lag.is_zero() {
                    let _ = write!(line, ", {lag:?} late");
                }
                if start.missed > 0 {
                    let _ = write!(line, ", {} missed before", start.missed);
                }
                if let Some(last) = start.last_success {
                    let _ = write!(line, ", last success {last}");
                }
                line
            }
            Action::Cancel(key) => format!("cancel {}", self.run_id(*key)),
            Action::Retrying {
                key,
                attempt,
                delay,
                error,
            } => {
                format!(
                    "retry {} in {delay:.1?} after attempt {attempt}: {error}",
                    self.run_id(*key)
                )
            }
            Action::Finished(finished) => {
                let mut line = format!("{} {}", finished.end.as_str(), self.run_id(finished.key));
                if finished.attempt > 1 {
                    let _ = write!(line, " at attempt {}", finished.attempt);
                }
                if let Some(error) = &finished.error {
                    let _ = write!(line, ": {error}");
                }
                let _ = match finished.next {
                    Some(next) => write!(line, ", next {next}"),
                    None => write!(line, ", no next"),
                };
                line
            }
            Action::Missed {
                job,
                scheduled,
                count,
                reason,
            } => {
                format!(
                    "missed {count} of {} up to {scheduled} ({})",
                    name(job),
                    reason.as_str()
                )
            }
            Action::Suspended { job, why } => format!("suspended {} ({why:?})", name(job)),
            Action::ClockBack { by, resumes: None } => format!("the clock went back by {by:?}: ticks are due at once"),
            Action::ClockBack { by, resumes: Some(at) } => {
                format!("the clock went back by {by:?}: nothing is due until {at}")
            }
        }
    }

    /// What is on the disk tells the same as what is in memory.
    pub fn check_the_disk(&self) {
        let loaded = journal::decode(&self.disk).expect("a sound journal");
        assert_eq!((loaded.damaged, loaded.torn), (0, false));
        for (kept, (id, _)) in loaded.state.jobs.iter().zip(self.engine.jobs()) {
            let mut known = self.engine.job_state(id).expect("a job").clone();
            let mut kept = kept.clone();
            // How far a run is in this process is not kept; that it is running, and how often it failed, is.
            for run in known.active.iter_mut().chain(&mut kept.active) {
                run.phase = mainstay_cron_core::run::Phase::Queued;
            }
            assert_eq!(kept, known);
        }
    }
}
