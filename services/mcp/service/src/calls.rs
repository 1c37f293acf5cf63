//! Calls of components: begun, dropped, answered.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use mainstay_mcp_core::engine::{Action, CallId};
use mainstay_mcp_core::error::RpcError;
use mainstay_mcp_core::model::Outcome;
use mainstay_runtime::callback::{CallbackError, Callbacks};
use tokio::task::AbortHandle;

use crate::component::Components;
use crate::hub::Hub;
use crate::report::Report;

/// Calls going on, so that they can be dropped.
type Running = Rc<RefCell<HashMap<CallId, AbortHandle>>>;

/// How long calls may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For room, and again for its answer.
    pub(crate) call: Duration,
    /// For the answer of one that has become a task.
    pub(crate) task: Duration,
}

/// Does what the protocol says is to be done, for ever.
pub(crate) async fn run<C: Components>(
    hub: Rc<Hub>,
    components: Rc<C>,
    callbacks: Callbacks,
    patience: Patience,
    report: Rc<Report>,
) {
    let running = Running::default();
    loop {
        match hub.action().await {
            Action::Call(id, request) => {
                let (hub, components, report) = (Rc::clone(&hub), Rc::clone(&components), Rc::clone(&report));
                let (callbacks, ended) = (callbacks.clone(), Rc::clone(&running));
                let task = tokio::task::spawn_local(async move {
                    let (began, what) = (Instant::now(), Report::kind(&request.operation));
                    let is_task = || hub.with(|engine| engine.is_task(id));
                    let outcome = call(components.call(*request), &callbacks, patience, is_task).await;
                    report.called(what, &outcome, began.elapsed());
                    ended.borrow_mut().remove(&id);
                    hub.with(|engine| engine.finish(id, outcome));
                });
                running.borrow_mut().insert(id, task.abort_handle());
            }
            Action::Cancel(id) => {
                if let Some(task) = running.borrow_mut().remove(&id) {
                    task.abort();
                    report.cancelled();
                }
            }
            Action::Answered(ask, answer) => hub.answered(ask, answer),
            Action::Event(event) => report.event(event),
            Action::Refused => report.refused(),
            Action::Lost(count) => report.lost(count),
        }
    }
}

async fn call(
    call: impl Future<Output = Outcome>,
    callbacks: &Callbacks,
    patience: Patience,
    is_task: impl Fn() -> bool,
) -> Outcome {
    let late = |after: Duration| Outcome::Failed(RpcError::internal(format!("no answer within {after:?}")));
    let answered = async {
        let mut call = pin!(call);
        match tokio::time::timeout(patience.call, &mut call).await {
            Ok(outcome) => outcome,
            Err(_) if is_task() => call.await,
            Err(_) => late(patience.call),
        }
    };
    let longest = patience.call.max(patience.task);
    let called = match tokio::time::timeout(patience.call, callbacks.room()).await {
        Ok(Ok(room)) => room.call(longest, answered).await,
        Ok(Err(closed)) => Err(closed),
        Err(_) => {
            let (within, most) = (patience.call, callbacks.limit());
            let message = format!("no room within {within:?}: {most} calls go on, the most at once");
            return Outcome::Failed(RpcError::internal(message));
        }
    };
    match called {
        Ok(outcome) => outcome,
        Err(CallbackError::TimedOut) => late(longest),
        Err(error @ CallbackError::Cancelled) => Outcome::Failed(RpcError::internal(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::scripted::text;

    const PATIENCE: Patience = Patience {
        call: Duration::from_secs(60),
        task: Duration::from_secs(540),
    };

    fn message(outcome: Outcome) -> String {
        match outcome {
            Outcome::Failed(error) => error.message,
            other => format!("{other:?}"),
        }
    }

    async fn after(seconds: u64) -> Outcome {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        text("late")
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_may_take_longer_than_a_call_and_not_for_ever() {
        let callbacks = Callbacks::new(1);
        let late = call(after(300), &callbacks, PATIENCE, || false).await;
        assert_eq!(message(late), "no answer within 60s");
        let done = call(after(300), &callbacks, PATIENCE, || true).await;
        assert!(matches!(done, Outcome::Done(_)), "{done:?}");
        let late = call(pending(), &callbacks, PATIENCE, || true).await;
        assert_eq!(message(late), "no answer within 540s");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_does_not_wait_for_room_for_ever_and_what_it_waited_is_not_its_answers() {
        let callbacks = Callbacks::new(1);
        let one = call(after(50), &callbacks, PATIENCE, || false);
        // It has room after 50 s, and is answered 50 s later.
        let two = call(after(50), &callbacks, PATIENCE, || false);
        let three = call(after(1), &callbacks, PATIENCE, || false);
        let (one, two, three) = tokio::join!(one, two, three);
        assert!(matches!((one, two), (Outcome::Done(_), Outcome::Done(_))));
        assert_eq!(message(three), "no room within 60s: 1 calls go on, the most at once");
    }
}
