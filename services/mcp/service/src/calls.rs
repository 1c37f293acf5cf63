//! Calls of components: begun, dropped, answered.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use mainstay_mcp_core::engine::{Action, CallId, CallRequest};
use mainstay_mcp_core::error::RpcError;
use mainstay_mcp_core::model::Outcome;
use mainstay_runtime::callback::{CallbackError, Callbacks};
use tokio::task::AbortHandle;

use crate::component::Components;
use crate::hub::Hub;
use crate::report::Report;

/// Calls going on, so that they can be dropped.
type Running = Rc<RefCell<HashMap<CallId, AbortHandle>>>;

/// Does what the protocol says is to be done, for ever.
pub(crate) async fn run<C: Components>(
    hub: Rc<Hub>,
    components: Rc<C>,
    callbacks: Callbacks,
    timeout: Duration,
    report: Rc<Report>,
) {
    let running = Running::default();
    loop {
        match hub.action().await {
            Action::Call(id, request) => {
                let (hub, components, report) = (Rc::clone(&hub), Rc::clone(&components), Rc::clone(&report));
                let (callbacks, ended) = (callbacks.clone(), Rc::clone(&running));
                let task = tokio::task::spawn_local(async move {
                    let outcome = call(&*components, &callbacks, timeout, *request, &report).await;
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
        }
    }
}

async fn call<C: Components>(
    components: &C,
    callbacks: &Callbacks,
    timeout: Duration,
    request: CallRequest,
    report: &Report,
) -> Outcome {
    let (began, what) = (Instant::now(), Report::kind(&request.operation));
    let outcome = match callbacks.call(timeout, components.call(request)).await {
        Ok(outcome) => outcome,
        Err(CallbackError::TimedOut) => Outcome::Failed(RpcError::internal(format!("no answer within {timeout:?}"))),
        Err(error @ CallbackError::Cancelled) => Outcome::Failed(RpcError::internal(error.to_string())),
    };
    report.called(what, &outcome, began.elapsed());
    outcome
}
