//! The loop of a replica that runs the jobs only while it leads.
//!
//! It differs from that of a service alone in one thing: what the engine decides is written to the lease, and waits for
//! the server to confirm it, before it is done. A replica that was deposed is refused there, so it starts nothing.

use std::cell::Cell;
use std::convert::Infallible;

use mainstay_cron_core::{Engine, Job, Limits};
use mainstay_runtime::Error;
use tokio::sync::watch;

use crate::component::Component;
use crate::election::{Election, Term};
use crate::service::{Cron, say_what_begins};

/// What a replica needs to lead, and whether it does.
pub(crate) struct Elected<E> {
    election: E,
    jobs: Vec<Job>,
    limits: Limits,
    leading: Cell<bool>,
    /// How often something was asked for beside the loop.
    asked: Cell<u64>,
    /// How much of that is written.
    written: watch::Sender<u64>,
}

impl<E: Election> Elected<E> {
    pub(crate) fn new(election: E, jobs: Vec<Job>, limits: Limits) -> Self {
        Self {
            election,
            jobs,
            limits,
            leading: Cell::new(false),
            asked: Cell::new(0),
            written: watch::Sender::new(0),
        }
    }

    /// Why this replica runs no jobs; nothing if it does.
    pub(crate) fn standby(&self) -> Option<String> {
        if self.leading.get() {
            return None;
        }
        Some(match self.election.leader() {
            Some(leader) => format!("this replica stands by, {leader} runs the jobs"),
            None => "no replica is known to run the jobs".to_owned(),
        })
    }

    /// Something was asked for: the next turn writes it.
    pub(crate) fn ask(&self) {
        self.asked.set(self.asked.get() + 1);
    }

    /// Waits until all that was asked for is written; whether this replica still leads.
    pub(crate) async fn written(&self) -> bool {
        let asked = self.asked.get();
        // The sender lives as long as the service.
        let _ = self.written.subscribe().wait_for(|written| *written >= asked).await;
        self.leading.get()
    }
}

impl<C: Component, E: Election> Cron<C, E> {
    /// Leads whenever this replica is elected, for ever.
    pub(crate) async fn run_elected(&self, elected: &Elected<E>) -> Result<(), Error> {
        loop {
            let mut term = elected.election.win().await;
            let Err(lost) = self.lead(elected, &mut term).await;
            elected.election.lost(&lost);
            elected.leading.set(false);
            self.attempts.cancel_all().await;
            let inner = &mut *self.inner.borrow_mut();
            inner.engine = Engine::new(elected.limits, elected.jobs.clone(), None, true, self.clock.now()).0;
            inner.report.forget();
            // Nobody who waits for a turn shall wait for the next term's.
            elected.written.send_replace(elected.asked.get());
        }
    }

    async fn lead(&self, elected: &Elected<E>, term: &mut E::Term) -> Result<Infallible, <E::Term as Term>::Lost> {
        let loaded = term.load().await?;
        let (engine, recovered) = Engine::new(elected.limits, elected.jobs.clone(), loaded, true, self.clock.now());
        term.begin(engine.snapshot()).await?;
        say_what_begins(&engine, elected.jobs.len(), &recovered, true);
        self.inner.borrow_mut().engine = engine;
        elected.leading.set(true);
        elected.election.began(term);
        loop {
            // What is asked for later, while this turn is written, is the next one's.
            let asked = elected.asked.get();
            let actions = self.decide();
            let batch = self.inner.borrow_mut().engine.take_journal();
            if !batch.lines.is_empty() || term.due_in().is_zero() {
                term.keep(&batch, || self.inner.borrow().engine.snapshot()).await?;
            }
            // A machine may have slept since.
            term.check()?;
            let wait = self.act(&actions).min(term.due_in());
            elected.written.send_replace(asked);
            self.wait(wait).await;
        }
    }
}
