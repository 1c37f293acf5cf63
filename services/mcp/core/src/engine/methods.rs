//! Methods that both eras have: lists, and those that components answer.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::call::{Call, CallRequest, Caller, Operation, Progress, Reference, Target};
use super::dispatch::Reply;
use super::tasks::{knows_tasks, needs_tasks};
use super::{Action, Engine};
use crate::catalogue::Kind;
use crate::error::RpcError;
use crate::headers::RequestHeaders;
use crate::jsonrpc::Id;
use crate::jsonrpc::message::Params;
use crate::model::{Content, LogLevel, ToolResult};
use crate::object::Object;
use crate::revision::Revision;
use crate::trace;

/// What a request stands in: by its own metadata, or by the handshake before it.
pub(super) struct Context {
    pub(super) revision: Revision,
    pub(super) capabilities: Rc<Value>,
    pub(super) client: Option<(String, String)>,
    pub(super) log_level: Option<LogLevel>,
}

/// A request that has been looked at.
enum Checked {
    /// Components answer it.
    Call(Operation),
    /// This is the answer.
    Answer(String),
}

impl Engine {
    pub(super) fn method(
        &mut self,
        target: &Target,
        method: &str,
        params: &Params,
        context: Context,
        headers: Option<&RequestHeaders>,
    ) -> Result<Reply, RpcError> {
        let kind = Kind::of_method(method).filter(|kind| self.catalogue.offers(*kind));
        if let Some(kind) = kind {
            return self.list(kind, params, context.revision);
        }
        let checked = match method {
            "tools/call" => self.check_tool(params, &context, headers)?,
            "resources/read" if self.catalogue.offers(Kind::Resources) => Checked::Call(Operation::Resource {
                uri: text(params, "uri")?,
            }),
            "prompts/get" if self.catalogue.offers(Kind::Prompts) => self.check_prompt(params)?,
            "completion/complete" if self.catalogue.offers_completions() => check_completion(params)?,
            _ if context.revision.is_stateless() => return Err(RpcError::method(method).with_status(404)),
            _ => return Err(RpcError::method(method)),
        };
        match checked {
            Checked::Answer(result) => Ok(Reply::Now(result)),
            Checked::Call(operation) => self.begin(target, operation, params, context),
        }
    }

    fn list(&self, kind: Kind, params: &Params, revision: Revision) -> Result<Reply, RpcError> {
        let cursor = match params.get("cursor") {
            None => None,
            Some(Value::String(cursor)) => Some(cursor.as_str()),
            Some(_) => return Err(RpcError::params("\"cursor\" must be a string")),
        };
        let page = self.catalogue.page(kind, cursor, self.settings.page, revision)?;
        let object = Object::new()
            .raw(kind.member(), &page.items)
            .with_some("nextCursor", page.next.as_ref());
        Ok(Reply::Now(if revision.is_stateless() {
            self.complete(self.settings.list_hints(object), None)
        } else {
            object.end()
        }))
    }

    fn check_tool(
        &self,
        params: &Params,
        context: &Context,
        headers: Option<&RequestHeaders>,
    ) -> Result<Checked, RpcError> {
        let name = text(params, "name")?;
        let tool = self.catalogue.tool(&name);
        let tool = tool.ok_or_else(|| RpcError::params(format!("there is no tool {name:?}")))?;
        if tool.needs_tasks && context.revision.is_stateless() && !knows_tasks(&context.capabilities) {
            return Err(needs_tasks());
        }
        let arguments = match params.get("arguments") {
            None => Value::Object(Map::new()),
            Some(arguments @ Value::Object(_)) => arguments.clone(),
            Some(_) => return Err(RpcError::params("\"arguments\" must be an object")),
        };
        if let Some(headers) = headers {
            headers.check_arguments(&tool.repeated, &arguments)?;
        }
        match tool.input.check(&arguments) {
            Ok(()) => Ok(Checked::Call(Operation::Tool {
                name,
                arguments: arguments.to_string(),
            })),
            // SEP-1303: a language model can mend its arguments if it sees what is wrong with them.
            Err(wrong) if context.revision >= Revision::V2025_11_25 => {
                let result = ToolResult {
                    content: vec![Content::text(format!("invalid arguments: {wrong}"))],
                    is_error: true,
                    ..ToolResult::default()
                };
                Ok(Checked::Answer(self.tool_result(&result, context.revision)))
            }
            Err(wrong) => Err(RpcError::params(format!("invalid arguments: {wrong}"))),
        }
    }

    fn check_prompt(&self, params: &Params) -> Result<Checked, RpcError> {
        let name = text(params, "name")?;
        if !self.catalogue.has_prompt(&name) {
            return Err(RpcError::params(format!("there is no prompt {name:?}")));
        }
        let arguments = texts(params.get("arguments"), "arguments")?;
        Ok(Checked::Call(Operation::Prompt { name, arguments }))
    }

    fn begin(
        &mut self,
        target: &Target,
        operation: Operation,
        params: &Params,
        context: Context,
    ) -> Result<Reply, RpcError> {
        let meta = params.get("_meta");
        let member = |name: &str| meta.and_then(|meta| meta.get(name));
        let progress = member("progressToken").map(|token| {
            let token = Id::from_value(token);
            token.ok_or_else(|| RpcError::params("\"progressToken\" must be a string or a whole number"))
        });
        let progress = progress.transpose()?.map(|token| Progress { token, last: None });
        let peer = self.peers.get(&target.peer);
        let request = CallRequest {
            operation,
            token: format!("{:032x}", rand::random::<u128>()),
            meta: meta
                .filter(|meta| meta.is_object())
                .map_or("{}".to_owned(), Value::to_string),
            traceparent: trace::child_of(member("traceparent").and_then(Value::as_str)),
            caller: Caller {
                peer: target.peer,
                revision: context.revision,
                client: context.client,
                capabilities: context.capabilities,
                identity: peer.and_then(|peer| peer.identity.clone()),
            },
            input: Vec::new(),
            state: None,
        };
        let mut call = Call {
            token: request.token.clone(),
            target: Some(target.clone()),
            request,
            progress,
            log_level: context.log_level,
            rounds: 1,
            gathering: None,
            task: None,
            suspended: None,
        };
        if context.revision.is_stateless() && self.retried(target, &mut call, params)? {
            return Ok(Reply::Later);
        }
        let most = self.settings.all_calls;
        if self.calls.len() >= most {
            self.actions.push_back(Action::Refused);
            let error = RpcError::internal(format!("{most} calls go on, the most of all clients: try again later"));
            return Err(error.with_status(503));
        }
        let id = self.next_id();
        if let Some(peer) = self.peers.get_mut(&target.peer) {
            peer.in_flight.insert(target.id.clone(), id);
        }
        self.tokens.insert(call.token.clone(), id);
        self.actions.push_back(Action::Call(id, Box::new(call.request.clone())));
        self.calls.insert(id, call);
        Ok(Reply::Later)
    }
}

fn check_completion(params: &Params) -> Result<Checked, RpcError> {
    let reference = params.get("ref").and_then(Value::as_object);
    let reference = reference.ok_or_else(|| RpcError::params("\"ref\" must be an object"))?;
    let of = match reference.get("type").and_then(Value::as_str) {
        Some("ref/prompt") => Reference::Prompt(text(reference, "name")?),
        Some("ref/resource") => Reference::Resource(text(reference, "uri")?),
        _ => {
            return Err(RpcError::params(
                "\"type\" of \"ref\" must be \"ref/prompt\" or \"ref/resource\"",
            ));
        }
    };
    let argument = params.get("argument").and_then(Value::as_object);
    let argument = argument.ok_or_else(|| RpcError::params("\"argument\" must be an object"))?;
    let known = params.get("context").and_then(|context| context.get("arguments"));
    Ok(Checked::Call(Operation::Completion {
        of,
        argument: text(argument, "name")?,
        value: text(argument, "value")?,
        known: texts(known, "arguments")?,
    }))
}

fn text(params: &Params, name: &str) -> Result<String, RpcError> {
    let value = params.get(name).and_then(Value::as_str);
    let value = value.ok_or_else(|| RpcError::params(format!("{name:?} must be a string")))?;
    Ok(value.to_owned())
}

/// An object whose values are texts.
fn texts(value: Option<&Value>, name: &str) -> Result<Vec<(String, String)>, RpcError> {
    let wrong = || RpcError::params(format!("{name:?} must be an object of strings"));
    match value {
        None => Ok(Vec::new()),
        Some(Value::Object(members)) => members
            .iter()
            .map(|(name, value)| Ok((name.clone(), value.as_str().ok_or_else(wrong)?.to_owned())))
            .collect(),
        Some(_) => Err(wrong()),
    }
}
