//! The callbacks in flight.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use mainstay_cron_core::action::Start;
use mainstay_cron_core::trace::Traces;
use mainstay_cron_core::{Job, Outcome, RunKey, run_id};
use mainstay_runtime::callback::{CallbackError, Callbacks};
use mainstay_runtime::spans::{Attribute, Span, Spans};
use tokio::sync::{Notify, oneshot};

use crate::component::{Component, gate_instant, job_instant};
use crate::{gate, job};

/// An attempt that is over.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) key: RunKey,
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
}

/// What traces know of attempts.
pub(crate) struct Told {
    /// Each attempt is a span, which the job is given as its parent.
    pub(crate) traces: Traces,
    /// Where they are sent.
    pub(crate) spans: Option<Spans>,
}

/// Starts callbacks, cancels them, and collects what becomes of them.
pub(crate) struct Attempts<C> {
    component: Rc<C>,
    callbacks: Callbacks,
    /// Whether the gate is asked.
    gated: bool,
    told: Told,
    cancels: RefCell<HashMap<RunKey, oneshot::Sender<()>>>,
    done: Rc<RefCell<Vec<Done>>>,
    in_flight: Rc<Cell<usize>>,
    /// Told when there is something in `done`.
    wake: Rc<Notify>,
}

impl<C: Component> Attempts<C> {
    pub(crate) fn new(component: Rc<C>, in_flight: usize, gated: bool, told: Told, wake: Rc<Notify>) -> Self {
        Self {
            component,
            callbacks: Callbacks::new(in_flight),
            gated,
            told,
            cancels: RefCell::default(),
            done: Rc::default(),
            in_flight: Rc::default(),
            wake,
        }
    }

    /// Calls the gate, if there is one, and the job.
    pub(crate) fn start(&self, start: &Start, job: &Job) {
        let (key, timeout) = (start.key, start.timeout);
        let run_id = run_id(&job.name, key.scheduled);
        let candidate = self.gated.then(|| gate::Candidate {
            job: job.name.to_string(),
            run_id: run_id.clone(),
            scheduled: gate_instant(key.scheduled),
            attempt: start.attempt,
        });
        let tick = job::Tick {
            job: job.name.to_string(),
            scheduled: job_instant(key.scheduled),
            actual: job_instant(start.actual),
            last_success: start.last_success.map(job_instant),
            attempt: start.attempt,
            missed: start.missed,
            zone: job.zone.name().to_owned(),
            payload: job.payload.to_vec(),
            traceparent: self.told.traces.traceparent(&run_id, start.attempt),
            run_id,
        };
        let span = self.told.spans.clone().map(|spans| (spans, span(&tick)));
        let (cancel, cancelled) = oneshot::channel();
        self.cancels.borrow_mut().insert(key, cancel);
        let call = attempt(self.component.clone(), candidate, tick);
        let callbacks = self.callbacks.clone();
        let (done, in_flight, wake) = (self.done.clone(), self.in_flight.clone(), self.wake.clone());
        in_flight.set(in_flight.get() + 1);
        tokio::task::spawn_local(async move {
            let began = Instant::now();
            let outcome = tokio::select! {
                biased;
                Ok(()) = cancelled => Outcome::Cancelled,
                result = callbacks.call(timeout, call) => match result {
                    Ok(outcome) => outcome,
                    Err(CallbackError::TimedOut) => Outcome::TimedOut,
                    Err(CallbackError::Cancelled) => Outcome::Cancelled,
                },
            };
            let took = began.elapsed();
            // A job that the gate kept from being called has no span.
            if let Some((spans, span)) = span
                && !matches!(outcome, Outcome::Vetoed(_))
            {
                spans.push(ended(span, &outcome, took));
            }
            done.borrow_mut().push(Done { key, outcome, took });
            in_flight.set(in_flight.get().saturating_sub(1));
            wake.notify_one();
        });
    }

    /// Cancels an attempt, if it is still in flight.
    pub(crate) fn cancel(&self, key: RunKey) {
        if let Some(cancel) = self.cancels.borrow_mut().remove(&key) {
            // An attempt that has just ended does not listen any more.
            let _ = cancel.send(());
        }
    }

    /// Cancels all that are in flight, and waits until they are gone. What became of them is nobody's business any more.
    pub(crate) async fn cancel_all(&self) {
        for (_, cancel) in self.cancels.borrow_mut().drain() {
            // An attempt that has just ended does not listen any more.
            let _ = cancel.send(());
        }
        while self.in_flight.get() > 0 {
            self.wake.notified().await;
        }
        self.take_done();
    }

    /// How many attempts are over since [`Attempts::take_done`] was called.
    pub(crate) fn done(&self) -> usize {
        self.done.borrow().len()
    }

    /// The attempts that are over since the last call, in the order of their ends.
    pub(crate) fn take_done(&self) -> Vec<Done> {
        let done = std::mem::take(&mut *self.done.borrow_mut());
        let mut cancels = self.cancels.borrow_mut();
        for attempt in &done {
            cancels.remove(&attempt.key);
        }
        done
    }
}

async fn attempt<C: Component>(component: Rc<C>, candidate: Option<gate::Candidate>, tick: job::Tick) -> Outcome {
    if let Some(candidate) = candidate
        && let Err(reason) = component.check(candidate).await
    {
        return Outcome::Vetoed(reason);
    }
    match component.run(tick).await {
        Ok(()) => Outcome::Succeeded,
        Err(job::JobError::Retry(error)) => Outcome::Retry(error),
        Err(job::JobError::Reject(error)) => Outcome::Reject(error),
    }
}

/// The span of an attempt that begins now.
fn span(tick: &job::Tick) -> Span {
    let text = |text: &str| Attribute::Text(text.to_owned());
    Span {
        name: format!("cron {}", tick.job),
        traceparent: tick.traceparent.clone(),
        began: SystemTime::now(),
        took: Duration::ZERO,
        attributes: vec![
            ("faas.trigger", text("timer")),
            ("faas.invocation_id", text(&tick.run_id)),
            ("mainstay.cron.job", text(&tick.job)),
            ("mainstay.cron.attempt", Attribute::Number(tick.attempt.into())),
        ],
        error: None,
    }
}

fn ended(span: Span, outcome: &Outcome, took: Duration) -> Span {
    let error = match outcome {
        Outcome::Succeeded | Outcome::Vetoed(_) => None,
        Outcome::Retry(error) | Outcome::Reject(error) => Some(error.clone()),
        Outcome::TimedOut => Some("no result within the timeout".to_owned()),
        Outcome::Cancelled => Some("cancelled".to_owned()),
    };
    Span { took, error, ..span }
}
