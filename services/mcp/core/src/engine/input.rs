//! Questions to the client in the middle of a call.
//!
//! A component that needs input says so and is called again with the answers. Up to 2025-11-25 the server asks by
//! requests of its own while the client's request waits; from 2026-07-28 on the client's request ends, and the client
//! makes it again with the answers. The component sees no difference.
//!
//! A component may also ask in the middle of a call and wait. Then the call goes on while the client asks again.

use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::call::{Call, CallId, Gathering, Target};
use super::peer::Question;
use super::{Action, AskId, Engine, PeerId};
use crate::error::{INVALID_REQUEST, RpcError};
use crate::jsonrpc::message::Params;
use crate::jsonrpc::{Id, write};
use crate::model::{Ask, NeedsInput};
use crate::object::{self, Object};
use crate::revision::Revision;

/// The key of a question that a component waits for.
const WAITED_FOR: &str = "input";

impl Question {
    fn call(&self) -> CallId {
        match self {
            Self::Round(call, _) | Self::Ask(call, _) => *call,
        }
    }
}

impl Engine {
    /// A component cannot go on without the client's answers.
    pub(super) fn needs_input(&mut self, id: CallId, needs: NeedsInput) {
        if let Err(error) = self.ask_round(id, needs) {
            self.conclude(id, Err(error));
        }
    }

    fn ask_round(&mut self, id: CallId, needs: NeedsInput) -> Result<(), RpcError> {
        let Some(call) = self.calls.get(&id) else { return Ok(()) };
        if needs.asks.is_empty() && needs.state.is_none() {
            return Err(RpcError::internal("the component needs input, and asks for none"));
        }
        if call.rounds >= self.settings.rounds {
            return Err(RpcError::internal(format!(
                "no end after {} rounds of questions",
                call.rounds
            )));
        }
        let revision = call.request.caller.revision;
        for (_, ask) in &needs.asks {
            permitted(ask, &call.request.caller.capabilities, revision)?;
        }
        if revision.is_stateless() && call.task.is_none() {
            let state = needs.state.as_deref().map(|state| (format!("s{state}"), call));
            let state = state.map(|(state, call)| self.sealed(&state, call));
            let result = self.input_required(&needs.asks, state.as_deref());
            self.conclude(id, Ok(result));
            return Ok(());
        }
        let gathering = Gathering {
            until: self.now.saturating_add(self.settings.state_ttl),
            missing: needs.asks.len(),
            state: needs.state,
            ..Gathering::default()
        };
        let Some(call) = self.calls.get_mut(&id) else {
            return Ok(());
        };
        call.rounds += 1;
        call.gathering = Some(gathering);
        if let Some(task) = call.task.clone() {
            let round = call.rounds;
            self.ask_in_task(&task, round, needs.asks);
            self.next_round(id);
            return Ok(());
        }
        for (key, ask) in needs.asks {
            self.ask_legacy(id, &ask, |call| Question::Round(call, key))?;
        }
        self.next_round(id);
        Ok(())
    }

    /// `InputRequiredResult`
    fn input_required(&self, asks: &[(String, Ask)], state: Option<&str>) -> String {
        let mut object = Object::new().with("resultType", "input_required");
        if !asks.is_empty() {
            let requests = asks.iter().fold(Object::new(), |requests, (key, ask)| {
                let (method, params) = request_of(ask, Revision::LATEST);
                let request = Object::new().with("method", method).raw("params", &params);
                requests.raw(key, &request.end())
            });
            object = object.raw("inputRequests", &requests.end());
        }
        object
            .with_some("requestState", state)
            .raw("_meta", &self.result_meta(None).end())
            .end()
    }

    fn sealed(&self, state: &str, call: &Call) -> String {
        let expires = self.now.saturating_add(self.settings.state_ttl);
        self.seal.seal(state, &call.request.purpose(), expires)
    }

    /// Sends a question as a request, on the stream of the request that it belongs to.
    fn ask_legacy(&mut self, id: CallId, ask: &Ask, question: impl FnOnce(CallId) -> Question) -> Result<(), RpcError> {
        let number = i64::try_from(self.next_id()).unwrap_or_default();
        let gone = || RpcError::internal("the client is gone");
        let call = self.calls.get(&id).ok_or_else(gone)?;
        let (target, revision) = (call.target.clone().ok_or_else(gone)?, call.request.caller.revision);
        let peer = self.peers.get_mut(&target.peer).ok_or_else(gone)?;
        peer.asked.insert(number, question(id));
        let (method, params) = request_of(ask, revision);
        self.push(
            target.channel,
            write::request(&Id::Number(number), method, &params),
            200,
        );
        Ok(())
    }

    /// A client answered a question.
    pub(super) fn answered(&mut self, peer: PeerId, id: &Id, outcome: Result<Value, RpcError>) {
        let Id::Number(number) = id else { return };
        let question = self.peers.get_mut(&peer).and_then(|peer| peer.asked.remove(number));
        match question {
            // Late, or nobody's: nothing of ours waits for it.
            None => {}
            Some(Question::Ask(_, ask)) => {
                let outcome = outcome.map(|result| result.to_string());
                self.actions.push_back(Action::Answered(ask, outcome));
            }
            Some(Question::Round(call, key)) => match outcome {
                Ok(result) => self.gathered(call, key, result.to_string()),
                Err(error) => {
                    let message = format!("the client answers {key:?} with an error: {error}");
                    self.conclude(call, Err(RpcError::internal(message)));
                }
            },
        }
    }

    /// A component does not wait any more for the answer to a question of [`Engine::ask`].
    pub fn withdraw(&mut self, token: &str, ask: AskId) {
        let Some(call) = self.call_of(token).ok().and_then(|id| self.calls.get(&id)) else {
            return;
        };
        let (target, task) = (call.target.clone(), call.task.clone());
        if let Some(target) = target {
            self.take_back(
                &target,
                |question| matches!(question, Question::Ask(_, other) if *other == ask),
            );
        }
        if let Some(task) = task {
            self.withdraw_in_task(&task, ask);
        }
    }

    /// A call has ended: nobody waits for the answers to its questions.
    pub(super) fn end_questions(&mut self, id: CallId, call: &Call) {
        let asked = match &call.target {
            Some(target) => self.take_back(target, |question| question.call() == id),
            None => Vec::new(),
        };
        let asks = asked.into_iter().filter_map(|question| match question {
            Question::Ask(_, ask) => Some(ask),
            Question::Round(..) => None,
        });
        for ask in asks.chain(call.suspended) {
            self.unanswered(ask);
        }
    }

    /// A component waits for an answer that will not come.
    pub(super) fn unanswered(&mut self, ask: AskId) {
        let error = RpcError::request("the call has ended");
        self.actions.push_back(Action::Answered(ask, Err(error)));
    }

    /// Forgets questions of a request, and tells the client that they need no answer.
    fn take_back(&mut self, target: &Target, which: impl Fn(&Question) -> bool) -> Vec<Question> {
        let Some(peer) = self.peers.get_mut(&target.peer) else {
            return Vec::new();
        };
        let taken: Vec<(i64, Question)> = peer.asked.extract_if(|_, question| which(question)).collect();
        for (number, _) in &taken {
            let params = Object::new().with("requestId", number);
            self.push(
                target.channel,
                write::notification("notifications/cancelled", params),
                200,
            );
        }
        taken.into_iter().map(|(_, question)| question).collect()
    }

    /// One more answer of a round is there.
    pub(super) fn gathered(&mut self, id: CallId, key: String, answer: String) {
        if let Some(gathering) = self.calls.get_mut(&id).and_then(|call| call.gathering.as_mut()) {
            gathering.missing = gathering.missing.saturating_sub(1);
            gathering.answers.insert(key, answer);
        }
        self.next_round(id);
    }

    /// Calls the component again if every question has its answer.
    fn next_round(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.gathering.as_ref().is_none_or(|gathering| gathering.missing > 0) {
            return;
        }
        let gathering = call.gathering.take().unwrap_or_default();
        call.request.input = gathering.answers.into_iter().collect();
        call.request.state = gathering.state;
        self.actions.push_back(Action::Call(id, Box::new(call.request.clone())));
    }

    /// Ends calls whose clients did not answer in time. Tasks have a time of their own.
    pub(super) fn expire_rounds(&mut self) {
        let late = |call: &Call| {
            let gathering = call.gathering.as_ref().filter(|_| call.task.is_none());
            gathering.is_some_and(|gathering| gathering.until < self.now)
        };
        let late: Vec<CallId> = self
            .calls
            .iter()
            .filter(|(_, call)| late(call))
            .map(|(id, _)| *id)
            .collect();
        for call in late {
            let message = format!("the client has not answered within {} ms", self.settings.state_ttl);
            self.conclude(call, Err(RpcError::internal(message)));
        }
    }

    /// Takes what a request brings from the round before. Whether that lets another call go on, instead of this one.
    pub(super) fn retried(&mut self, target: &Target, call: &mut Call, params: &Params) -> Result<bool, RpcError> {
        let responses = match params.get("inputResponses") {
            None => Map::new(),
            Some(Value::Object(responses)) if responses.values().all(Value::is_object) => responses.clone(),
            Some(_) => return Err(RpcError::params("\"inputResponses\" must be an object of objects")),
        };
        let sealed = match params.get("requestState") {
            None => None,
            Some(Value::String(sealed)) => Some(sealed),
            Some(_) => return Err(RpcError::params("\"requestState\" must be a string")),
        };
        if let Some(sealed) = sealed {
            let opened = self.seal.open(sealed, &call.request.purpose(), self.now);
            let opened = opened.map_err(|broken| RpcError::params(format!("\"requestState\" {broken}")))?;
            match opened.split_at_checked(1) {
                Some(("s", state)) => call.request.state = Some(state.to_owned()),
                Some(("c", token)) => return self.rejoin(target, call, token, &responses).map(|()| true),
                _ => return Err(RpcError::params("\"requestState\" was not given out for this request")),
            }
        }
        let responses = responses.into_iter().map(|(key, value)| (key, value.to_string()));
        call.request.input = responses.collect();
        Ok(false)
    }

    /// A client asks again for a call that waits for an answer of it.
    fn rejoin(
        &mut self,
        target: &Target,
        retry: &mut Call,
        token: &str,
        responses: &Map<String, Value>,
    ) -> Result<(), RpcError> {
        let gone = || RpcError::params("\"requestState\" is of a call that has ended");
        let id = *self.tokens.get(token).ok_or_else(gone)?;
        let call = self.calls.get_mut(&id).ok_or_else(gone)?;
        let ask = call.suspended.ok_or_else(gone)?;
        let answer = responses.get(WAITED_FOR);
        let answer = answer.ok_or_else(|| RpcError::params(format!("the answer {WAITED_FOR:?} is missing")))?;
        call.suspended = None;
        call.target = Some(target.clone());
        call.progress = retry.progress.take();
        call.log_level = retry.log_level;
        call.request.caller.peer = target.peer;
        self.actions.push_back(Action::Answered(ask, Ok(answer.to_string())));
        if let Some(peer) = self.peers.get_mut(&target.peer) {
            peer.in_flight.insert(target.id.clone(), id);
        }
        Ok(())
    }

    /// A component asks the client in the middle of the call that `token` names. [`Action::Answered`] brings the answer.
    ///
    /// # Errors
    /// There is no such call, or the client cannot be asked that.
    pub fn ask(&mut self, token: &str, ask: &Ask) -> Result<AskId, RpcError> {
        let id = self.call_of(token)?;
        let number = self.next_id();
        let Some(call) = self.calls.get(&id) else {
            return Err(no_call());
        };
        let caller = &call.request.caller;
        permitted(ask, &caller.capabilities, caller.revision)?;
        if !caller.revision.is_stateless() {
            self.ask_legacy(id, ask, |call| Question::Ask(call, number))?;
            return Ok(number);
        }
        if let Some(task) = call.task.clone() {
            self.wait_in_task(&task, ask, number);
            return Ok(number);
        }
        if call.suspended.is_some() || call.target.is_none() {
            return Err(RpcError::request(
                "the client is being asked already: one question after the other",
            ));
        }
        let state = self.sealed(&format!("c{token}"), call);
        let questions = [(WAITED_FOR.to_owned(), ask.clone())];
        let result = self.input_required(&questions, Some(&state));
        let Some(call) = self.calls.get_mut(&id) else {
            return Err(no_call());
        };
        call.suspended = Some(number);
        if let Some(target) = call.target.take() {
            self.settle(&target, write::result(&target.id, &result), 200);
        }
        Ok(number)
    }

    /// The call that a component speaks of.
    pub(super) fn call_of(&self, token: &str) -> Result<CallId, RpcError> {
        self.tokens.get(token).copied().ok_or_else(no_call)
    }
}

fn no_call() -> RpcError {
    RpcError::request("there is no such call, or it has ended")
}

/// Whether a client can be asked this.
fn permitted(ask: &Ask, capabilities: &Rc<Value>, revision: Revision) -> Result<(), RpcError> {
    let (name, required) = match ask {
        Ask::Form(..) => ("elicitation", json!({ "elicitation": {} })),
        Ask::Page(..) => ("elicitation/url", json!({ "elicitation": { "url": {} } })),
        Ask::Sample(_) => ("sampling", json!({ "sampling": {} })),
        Ask::Roots => ("roots", json!({ "roots": {} })),
    };
    // A client that names neither of the two modes has forms (2025-11-25 §Elicitation, Capabilities).
    let only_pages = matches!(ask, Ask::Form(..))
        && Engine::declares(capabilities, "elicitation/url")
        && !Engine::declares(capabilities, "elicitation/form");
    if Engine::declares(capabilities, name) && !only_pages {
        return Ok(());
    }
    if revision.is_stateless() {
        return Err(RpcError::capability(name, required));
    }
    let message = format!("the client has not declared the capability {name:?}, which this request needs");
    Err(RpcError::new(INVALID_REQUEST, message))
}

/// Method and parameters of a question.
pub(super) fn request_of(ask: &Ask, revision: Revision) -> (&'static str, String) {
    // Forms have no mode before there was another one.
    let mode = |mode: &'static str| (revision >= Revision::V2025_11_25).then_some(mode);
    match ask {
        Ask::Form(message, schema) => {
            let params = Object::new().with_some("mode", mode("form")).with("message", message);
            ("elicitation/create", params.with("requestedSchema", schema).end())
        }
        Ask::Page(message, url) => {
            let mut params = Object::new()
                .with_some("mode", mode("url"))
                .with("message", message)
                .with("url", url);
            if revision == Revision::V2025_11_25 {
                params = params.with("elicitationId", &format!("{:032x}", rand::random::<u128>()));
            }
            ("elicitation/create", params.end())
        }
        Ask::Sample(params) => ("sampling/createMessage", object::text(params)),
        Ask::Roots => ("roots/list", "{}".to_owned()),
    }
}
