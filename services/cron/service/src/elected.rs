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
    /// Counts the turns, so that others can wait for what they asked for to be written.
    turns: watch::Sender<u64>,
}

impl<E: Election> Elected<E> {
    pub(crate) fn new(election: E, jobs: Vec<Job>, limits: Limits) -> Self {
        Self {
            election,
            jobs,
            limits,
            leading: Cell::new(false),
            turns: watch::Sender::new(0),
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

    /// Waits until all that was asked for is written; whether this replica still leads.
    pub(crate) async fn written(&self) -> bool {
        let mut turns = self.turns.subscribe();
        let now = *turns.borrow_and_update();
        // One turn may be under way that does not know of it yet. The sender lives as long as the service.
        let _ = turns.wait_for(|turn| *turn >= now + 2).await;
        self.leading.get()
    }
}

impl<C: Component, E: Election> Cron<C, E> {
    /// Leads whenever this replica is elected, for ever.
    pub(crate) async fn run_elected(&self, elected: &Elected<E>) -> Result<(), Error> {
        loop {
            let mut term = elected.election.win().await;
            let Err(lost) = self.lead(elected, &mut term).await;
            elected.election.lost(&lost.to_string());
            elected.leading.set(false);
            self.attempts.cancel_all().await;
            let inner = &mut *self.inner.borrow_mut();
            inner.engine = Engine::new(elected.limits, elected.jobs.clone(), None, true, self.clock.now()).0;
            inner.report.forget();
            // Nobody who waits for a turn shall wait for the next term's.
            elected.turns.send_modify(|turns| *turns += 2);
        }
    }

    async fn lead<T: Term>(&self, elected: &Elected<E>, term: &mut T) -> Result<Infallible, T::Lost> {
        let loaded = term.load().await?;
        let (engine, recovered) = Engine::new(elected.limits, elected.jobs.clone(), loaded, true, self.clock.now());
        term.begin(engine.snapshot()).await?;
        say_what_begins(&engine, elected.jobs.len(), &recovered, true);
        self.inner.borrow_mut().engine = engine;
        elected.leading.set(true);
        loop {
            let actions = self.decide();
            let batch = self.inner.borrow_mut().engine.take_journal();
            if !batch.lines.is_empty() || term.due_in().is_zero() {
                term.keep(&batch, || self.inner.borrow().engine.snapshot()).await?;
            }
            // A machine may have slept since.
            term.check()?;
            let wait = self.act(&actions).min(term.due_in());
            elected.turns.send_modify(|turns| *turns += 1);
            self.wait(wait).await;
        }
    }
}
