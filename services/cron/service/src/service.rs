//! Start, and the loop that turns the engine.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use mainstay_cron_core::engine::Recovered;
use mainstay_cron_core::trace::Traces;
use mainstay_cron_core::{Action, Engine, Job, Moment, Now};
use mainstay_runtime::callback::Callbacks;
use mainstay_runtime::config::ConfigError;
use mainstay_runtime::spans::Spans;
use mainstay_runtime::{Context, Error, listener};
use tokio::sync::Notify;

use crate::admin;
use crate::attempts::{Attempts, Told};
use crate::component::Component;
use crate::config::Configuration;
use crate::deliver::Deliver;
use crate::disk::Disk;
use crate::elected::Elected;
use crate::election::{Alone, Election};
use crate::events::Kinds;
use crate::meters::Meters;
use crate::report::Report;
use crate::schedule::Definition;

/// The wall clock may be set at any time, and nobody tells: what is due by that is so late at most, which is within the
/// grace of a job unless it is told to have less. Each sleep wakes the service up to three times, as tokio's timers go from
/// coarse to fine.
const LOOK_AT_THE_CLOCK: Duration = Duration::from_secs(4);

/// With so many attempts in flight another one is over soon: outcomes are then written, and their places filled, many
/// at a time. Each turn costs a write to the journal.
const BUSY: usize = 32;

/// How long an outcome waits for others at most.
const GATHER: Duration = Duration::from_millis(1);

/// Interruptions that end a run after a restart within the same host, of which wash grants a few in all and gives none back:
/// what took the service down was most likely in flight each time. Whoever restarts a whole process has more patience, and
/// kills it for reasons of its own.
const INTERRUPTIONS_IN_PLACE: u32 = 3;

/// How long the component may take to answer what it is asked at start.
const ASKING: Duration = Duration::from_secs(30);

/// Runs the service for as long as it lives.
///
/// # Errors
/// A setting is wrong, or the state folder cannot be used.
pub async fn start<C: Component>(context: Context, component: C) -> Result<(), Error> {
    let configuration = Configuration::read()?;
    serve(context, configuration, component).await
}

/// [`start`] with a configuration that is read already.
///
/// # Errors
/// As [`start`].
pub async fn serve<C: Component>(context: Context, configuration: Configuration, component: C) -> Result<(), Error> {
    serve_elected::<C, Alone>(context, configuration, component, None).await
}

/// [`serve`] as one of several replicas, if there is an election.
///
/// # Errors
/// As [`start`].
pub async fn serve_elected<C: Component, E: Election>(
    context: Context,
    mut configuration: Configuration,
    component: C,
    election: Option<E>,
) -> Result<(), Error> {
    let component = Rc::new(component);
    let pages = configuration.admin.or(configuration.health);
    if pages.is_some_and(listener::is_taken) {
        configuration.limits.interruptions = INTERRUPTIONS_IN_PLACE;
    }
    context.serve_health(configuration.health);
    let asked = ask(&*component).await?;
    let (jobs, configuration) = configuration.complete(asked.definitions)?;
    let admin = configuration.admin;
    let cron = Rc::new(Cron::new(
        &context,
        configuration,
        jobs,
        component,
        asked.gated,
        asked.events,
        election,
    )?);
    if let Some(address) = admin {
        admin::start(cron.clone(), address);
    }
    match &cron.elected {
        Some(elected) => cron.run_elected(elected).await,
        None => {
            context.health.ready();
            cron.run().await
        }
    }
}

/// What the component says at start.
struct Asked {
    definitions: Vec<Definition>,
    gated: bool,
    events: Kinds,
}

async fn ask<C: Component>(component: &C) -> Result<Asked, Error> {
    let callbacks = Callbacks::new(1);
    let late = |what: &str| Error::start(format!("the component's {what} gave no answer within {ASKING:?}"));
    let definitions = callbacks
        .call(ASKING, component.jobs())
        .await
        .map_err(|_| late("mainstay:cron/schedule"))?;
    let definitions =
        definitions.map_err(|error| ConfigError::new(format!("the component cannot tell its jobs: {error}")))?;
    let gated = callbacks
        .call(ASKING, component.gate_enabled())
        .await
        .map_err(|_| late("mainstay:cron/gate"))?;
    let events = callbacks
        .call(ASKING, component.events_wanted())
        .await
        .map_err(|_| late("mainstay:cron/events"))?;
    Ok(Asked {
        definitions,
        gated,
        events,
    })
}

/// The running service. All of it is one thread's; nothing borrowed is held over an `await`.
pub(crate) struct Cron<C, E> {
    pub(crate) inner: RefCell<Inner>,
    pub(crate) attempts: Attempts<C>,
    wake: Rc<Notify>,
    pub(crate) clock: Clock,
    /// None for a service alone, which always runs its jobs.
    elected: Option<Elected<E>>,
}

pub(crate) struct Inner {
    pub(crate) engine: Engine,
    disk: Option<Disk>,
    deliver: Option<Deliver>,
    meters: Meters,
    pub(crate) report: Report,
}

impl<C: Component, E: Election> Cron<C, E> {
    fn new(
        context: &Context,
        configuration: Configuration,
        jobs: Vec<Job>,
        component: Rc<C>,
        gated: bool,
        events: Kinds,
        election: Option<E>,
    ) -> Result<Self, Error> {
        let clock = Clock::new();
        let (mut disk, loaded) = match &configuration.state {
            None => (None, None),
            Some(folder) => {
                let (disk, loaded) = Disk::open(folder, &context.metrics).map_err(Error::start)?;
                (Some(disk), loaded)
            }
        };
        let meters = Meters::new(&context.metrics, &jobs);
        let count = jobs.len();
        let elected = election.map(|election| Elected::new(election, jobs.clone(), configuration.limits));
        let (engine, recovered) = Engine::new(configuration.limits, jobs, loaded, disk.is_some(), clock.now());
        if let Some(disk) = &mut disk {
            disk.begin(&engine.snapshot()).map_err(Error::start)?;
        }
        // One that is elected begins when it is.
        if elected.is_none() {
            say_what_begins(&engine, count, &recovered, disk.is_some());
        }
        let wake = Rc::new(Notify::new());
        let traces = Traces::new(rand::random());
        let deliver = Deliver::start(component.clone(), events, traces, &context.metrics);
        let spans = configuration.spans.map(|receiver| Spans::start(receiver, context));
        let told = Told { traces, spans };
        let attempts = Attempts::new(component, configuration.limits.in_flight, gated, told, wake.clone());
        let inner = Inner {
            engine,
            disk,
            deliver,
            meters,
            report: Report::new(traces),
        };
        Ok(Self {
            inner: RefCell::new(inner),
            attempts,
            wake,
            clock,
            elected,
        })
    }

    async fn run(&self) -> Result<(), Error> {
        loop {
            let wait = self.turn();
            self.wait(wait).await;
        }
    }

    /// Waits until an attempt is over, and for no longer than this.
    pub(crate) async fn wait(&self, at_most: Duration) {
        let due = tokio::time::Instant::now() + at_most;
        tokio::select! {
            () = tokio::time::sleep_until(due) => {}
            () = self.wake.notified() => self.gather(due).await,
        }
    }

    /// Waits a little for more outcomes, if many are to be expected and nothing is due meanwhile.
    async fn gather(&self, due: tokio::time::Instant) {
        let in_flight = self.inner.borrow().engine.in_flight();
        if in_flight < BUSY {
            return;
        }
        // With a part of the places empty the others keep the component busy.
        let enough = async {
            while self.attempts.done() < in_flight / 4 {
                self.wake.notified().await;
            }
        };
        let until = due.min(tokio::time::Instant::now() + GATHER);
        // Late or not: what there is is enough then.
        let _ = tokio::time::timeout_at(until, enough).await;
    }

    /// Why this replica runs no jobs; nothing if it does.
    pub(crate) fn standby(&self) -> Option<String> {
        self.elected.as_ref()?.standby()
    }

    /// What an operator asks for; done and written down when this returns. Nothing if another replica was elected
    /// meanwhile.
    pub(crate) async fn operate<T>(&self, operate: impl FnOnce(&mut Engine, Now) -> T) -> Option<T> {
        let answer = operate(&mut self.inner.borrow_mut().engine, self.clock.now());
        match &self.elected {
            Some(elected) => elected.ask(),
            None => {
                self.turn();
            }
        }
        // The loop waits for what was next before.
        self.wake.notify_one();
        match &self.elected {
            Some(elected) => elected.written().await.then_some(answer),
            None => Some(answer),
        }
    }

    /// Decides, writes that down, and does it. Returns how long there is nothing to do, unless an attempt ends.
    fn turn(&self) -> Duration {
        let actions = self.decide();
        self.inner.borrow_mut().write();
        self.act(&actions)
    }

    /// Reports what is over, and asks the engine what to do now. It has to be written down before it is done.
    pub(crate) fn decide(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        let inner = &mut *self.inner.borrow_mut();
        let now = self.clock.now();
        for done in self.attempts.take_done() {
            inner
                .engine
                .finished(done.key, done.outcome, done.took, now, &mut actions);
        }
        inner.engine.poll(now, &mut actions);
        actions
    }

    /// Does what was decided. Returns how long there is nothing to do, unless an attempt ends.
    pub(crate) fn act(&self, actions: &[Action]) -> Duration {
        let inner = &mut *self.inner.borrow_mut();
        for action in actions {
            inner.tell(action);
            match action {
                Action::Start(start) => {
                    if let Some(job) = inner.engine.job(start.key.job) {
                        self.attempts.start(start, job);
                    }
                }
                Action::Cancel(key) => self.attempts.cancel(*key),
                _ => {}
            }
        }
        inner.meters.show(&inner.engine);
        let wait = inner.engine.next_wake(self.clock.now()).unwrap_or(LOOK_AT_THE_CLOCK);
        wait.min(LOOK_AT_THE_CLOCK)
    }
}

impl Inner {
    fn write(&mut self) {
        let batch = self.engine.take_journal();
        if let Some(disk) = &mut self.disk
            && (!batch.lines.is_empty() || disk.wants_retry())
        {
            disk.append(&batch, || self.engine.snapshot());
        }
    }

    fn tell(&mut self, action: &Action) {
        self.meters.count(action);
        self.report.tell(action, &self.engine);
        if let Some(deliver) = &self.deliver {
            deliver.tell(action, &self.engine);
        }
    }
}

/// Both clocks.
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    fn new() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn now(&self) -> Now {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let wall = Moment::from_nanoseconds(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
        Now {
            wall,
            steady: self.start.elapsed(),
        }
    }
}

pub(crate) fn say_what_begins(engine: &Engine, jobs: usize, recovered: &Recovered, kept: bool) {
    let Recovered {
        known,
        interrupted,
        dropped,
    } = recovered;
    let next = engine
        .next_due()
        .map_or_else(|| "never".to_owned(), |next| next.to_string());
    if kept {
        tracing::info!(jobs, known, interrupted, next, "schedules are loaded");
    } else {
        tracing::info!(
            jobs,
            next,
            "schedules are loaded; CRON_STATE is not set, so a restart forgets runs in flight"
        );
    }
    for gone in dropped {
        let runs: HashSet<String> = gone.runs.iter().map(ToString::to_string).collect();
        tracing::warn!(
            job = &*gone.job,
            ?runs,
            "no longer configured, its unfinished runs are dropped"
        );
    }
    for (id, job) in engine.jobs() {
        let idle = engine.next_tick(id).is_none() && !job.schedule.is_startup();
        if idle && !job.policy.suspend && engine.job_state(id).is_some_and(|state| state.suspended.is_none()) {
            tracing::warn!(job = &*job.name, schedule = job.schedule.text(), "has no tick any more");
        }
    }
}
