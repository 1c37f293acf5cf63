//! Calls that the client comes back for: the extension `io.modelcontextprotocol/tasks` (SEP-2663), from 2026-07-28 on.
//!
//! A call becomes a task when its component says that it takes long ([`Engine::pause`]) and its client knows tasks. The
//! request then has its answer, the task; the call goes on, and what comes of it is kept until the client asks.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::call::{CallId, Identity, Operation, Target};
use super::dispatch::Reply;
use super::input::request_of;
use super::methods::Context;
use super::{Action, AskId, Engine};
use crate::error::RpcError;
use crate::jsonrpc::message::Params;
use crate::jsonrpc::write;
use crate::model::Ask;
use crate::object::{self, Object};
use crate::revision::Revision;

/// The extension's name.
pub(super) const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// How often clients should ask, in milliseconds.
const POLL: u64 = 500;

/// Issuer and subject of a token.
type Owner = (String, String);

/// A call that goes on without a request.
#[derive(Debug)]
pub(super) struct Task {
    /// Whose it is: nobody else is told of it.
    owner: Option<Owner>,
    /// Milliseconds since 1970.
    created: u64,
    updated: u64,
    state: State,
    /// Questions that the client has to answer, by keys that are never used again.
    pending: BTreeMap<String, Pending>,
}

#[derive(Debug)]
enum State {
    /// The call goes on.
    Working(CallId),
    /// Its result, a JSON object.
    Completed(String),
    /// Its error, a JSON object.
    Failed(String),
    Cancelled,
}

/// A question of a task.
#[derive(Debug)]
struct Pending {
    ask: Ask,
    who: Who,
}

/// Who waits for the answer.
#[derive(Debug)]
enum Who {
    /// The next round of the call, under the component's own key.
    Round(String),
    /// A component in the middle of the call.
    Component(AskId),
}

impl Task {
    fn status(&self) -> &'static str {
        match &self.state {
            State::Working(_) if !self.pending.is_empty() => "input_required",
            State::Working(_) => "working",
            State::Completed(_) => "completed",
            State::Failed(_) => "failed",
            State::Cancelled => "cancelled",
        }
    }
}

impl Engine {
    /// The answer of a call that becomes a task, if it can.
    pub(super) fn make_task(&mut self, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        let caller = &call.request.caller;
        let wanted = matches!(call.request.operation, Operation::Tool { .. })
            && caller.revision.is_stateless()
            && knows_tasks(&caller.capabilities)
            && call.task.is_none()
            && call.target.is_some();
        let owner = owner(caller.identity.as_deref());
        if !wanted || !self.has_room_for_a_task(owner.as_ref()) {
            return;
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        let name = format!("{:032x}", rand::random::<u128>());
        let task = Task {
            owner,
            created: self.now,
            updated: self.now,
            state: State::Working(id),
            pending: BTreeMap::new(),
        };
        call.task = Some(name.clone());
        let target = call.target.take();
        let described = self.describe(Object::new().with("resultType", "task"), &name, &task);
        let result = described.raw("_meta", &self.result_meta(None).end()).end();
        self.tasks.insert(name, task);
        if let Some(target) = target {
            self.settle(&target, write::result(&target.id, &result), 200);
        }
    }

    /// Whether another task may begin. None has to go for it: each is there for as long as its client was told.
    fn has_room_for_a_task(&self, owner: Option<&Owner>) -> bool {
        // Those whom no token names cannot be told apart, and share what there is.
        let own = |owner| {
            self.tasks
                .values()
                .filter(|task| task.owner.as_ref() == Some(owner))
                .count()
        };
        self.tasks.len() < self.settings.tasks && owner.is_none_or(|owner| own(owner) < self.settings.own_tasks)
    }

    /// Whether a call goes on as a task: then it may take longer than a request.
    pub fn is_task(&self, id: CallId) -> bool {
        self.calls.get(&id).is_some_and(|call| call.task.is_some())
    }

    fn describe(&self, object: Object, name: &str, task: &Task) -> Object {
        object
            .with("taskId", name)
            .with("status", task.status())
            .with("createdAt", &timestamp(task.created))
            .with("lastUpdatedAt", &timestamp(task.updated))
            .with("ttlMs", &self.settings.task_ttl)
            .with("pollIntervalMs", &POLL)
    }

    /// What became of a task's call is kept.
    pub(super) fn end_task(&mut self, name: &str, result: Result<String, RpcError>) {
        self.become_ended(
            name,
            match result {
                Ok(result) => State::Completed(result),
                Err(error) => State::Failed(object::text(&error)),
            },
        );
    }

    /// A task ends, and nobody waits for the answers to its questions.
    fn become_ended(&mut self, name: &str, state: State) {
        let now = self.now;
        let Some(task) = self.tasks.get_mut(name) else { return };
        task.updated = now;
        task.state = state;
        let pending = std::mem::take(&mut task.pending);
        self.no_answers(pending);
    }

    /// Components do not wait any more for answers to these questions.
    fn no_answers(&mut self, pending: BTreeMap<String, Pending>) {
        for pending in pending.into_values() {
            if let Who::Component(ask) = pending.who {
                self.unanswered(ask);
            }
        }
    }

    /// A component of a task's call does not wait for an answer any more.
    pub(super) fn withdraw_in_task(&mut self, name: &str, ask: AskId) {
        if let Some(task) = self.tasks.get_mut(name) {
            task.pending
                .retain(|_, pending| !matches!(pending.who, Who::Component(other) if other == ask));
        }
    }

    /// A round of questions of a task's call: the client sees them when it asks.
    pub(super) fn ask_in_task(&mut self, name: &str, round: u32, asks: Vec<(String, Ask)>) {
        let now = self.now;
        if let Some(task) = self.tasks.get_mut(name) {
            task.updated = now;
            for (key, ask) in asks {
                let who = Who::Round(key.clone());
                task.pending.insert(format!("{round}.{key}"), Pending { ask, who });
            }
        }
    }

    /// A component of a task's call waits for an answer.
    pub(super) fn wait_in_task(&mut self, name: &str, ask: &Ask, id: AskId) {
        let now = self.now;
        if let Some(task) = self.tasks.get_mut(name) {
            task.updated = now;
            let (ask, who) = (ask.clone(), Who::Component(id));
            task.pending.insert(format!("input.{id}"), Pending { ask, who });
        }
    }

    /// `tasks/get`, `tasks/update`, `tasks/cancel`.
    pub(super) fn task_method(
        &mut self,
        target: &Target,
        method: &str,
        params: &Params,
        context: &Context,
    ) -> Result<Reply, RpcError> {
        if !knows_tasks(&context.capabilities) {
            return Err(needs_tasks());
        }
        let name = params.get("taskId").and_then(Value::as_str);
        let name = name
            .ok_or_else(|| RpcError::params("\"taskId\" must be a string"))?
            .to_owned();
        let owner = owner(self.peers.get(&target.peer).and_then(|peer| peer.identity.as_deref()));
        let known = self.tasks.get(&name).is_some_and(|task| task.owner == owner);
        if !known {
            return Err(RpcError::params(format!("there is no task {name:?}")));
        }
        match method {
            "tasks/get" => Ok(Reply::Now(self.task(&name))),
            "tasks/update" => {
                let responses = match params.get("inputResponses") {
                    Some(Value::Object(responses)) if responses.values().all(Value::is_object) => responses,
                    _ => return Err(RpcError::params("\"inputResponses\" must be an object of objects")),
                };
                self.update_task(&name, responses);
                Ok(Reply::Now(self.complete(Object::new(), None)))
            }
            _ => {
                self.cancel_task(&name);
                Ok(Reply::Now(self.complete(Object::new(), None)))
            }
        }
    }

    fn task(&self, name: &str) -> String {
        let Some(task) = self.tasks.get(name) else {
            return self.complete(Object::new(), None);
        };
        let mut object = self.describe(Object::new(), name, task);
        if !task.pending.is_empty() {
            let requests = task.pending.iter().fold(Object::new(), |requests, (key, pending)| {
                let (method, params) = request_of(&pending.ask, Revision::LATEST);
                requests.raw(key, &Object::new().with("method", method).raw("params", &params).end())
            });
            object = object.raw("inputRequests", &requests.end());
        }
        match &task.state {
            State::Completed(result) => object = object.raw("result", result),
            State::Failed(error) => object = object.raw("error", error),
            State::Working(_) | State::Cancelled => {}
        }
        self.complete(object, None)
    }

    fn update_task(&mut self, name: &str, responses: &Map<String, Value>) {
        let now = self.now;
        let Some(task) = self.tasks.get_mut(name) else { return };
        let State::Working(call) = task.state else { return };
        task.updated = now;
        // Others were never asked, or are answered already.
        let answered = responses
            .iter()
            .filter_map(|(key, value)| Some((task.pending.remove(key)?, value.to_string())));
        let answered: Vec<(Pending, String)> = answered.collect();
        for (pending, answer) in answered {
            match pending.who {
                Who::Component(ask) => self.actions.push_back(Action::Answered(ask, Ok(answer))),
                Who::Round(key) => self.gathered(call, key, answer),
            }
        }
    }

    fn cancel_task(&mut self, name: &str) {
        let state = self.tasks.get(name).map(|task| &task.state);
        if let Some(&State::Working(call)) = state {
            self.become_ended(name, State::Cancelled);
            self.drop_call(call);
        }
    }

    /// Forgets tasks whose time is over, and drops the calls of those that still go on.
    pub(super) fn expire_tasks(&mut self) {
        let oldest = self.now.saturating_sub(self.settings.task_ttl);
        let old = self.tasks.extract_if(.., |_, task| task.created < oldest);
        for (_, task) in old.collect::<Vec<_>>() {
            self.no_answers(task.pending);
            if let State::Working(call) = task.state {
                self.drop_call(call);
            }
        }
    }
}

fn owner(identity: Option<&Identity>) -> Option<Owner> {
    identity.map(|identity| (identity.issuer.clone(), identity.subject.clone()))
}

/// Whether a client can come back for a call.
pub(super) fn knows_tasks(capabilities: &Value) -> bool {
    let extensions = capabilities.get("extensions");
    extensions
        .and_then(|extensions| extensions.get(EXTENSION))
        .is_some_and(Value::is_object)
}

/// The client cannot come back, and has to.
pub(super) fn needs_tasks() -> RpcError {
    RpcError::capability(EXTENSION, json!({ "extensions": { EXTENSION: {} } }))
}

/// RFC 3339, in UTC.
fn timestamp(milliseconds: u64) -> String {
    let (seconds, milliseconds) = (milliseconds / 1000, milliseconds % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's civil_from_days, for days after 1970: years begin in March, so that leap days come last.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn instants_are_told_as_rfc_3339_does() {
        for (milliseconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_785_196_800_123, "2026-07-28T00:00:00.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(timestamp(milliseconds), text);
        }
    }
}
