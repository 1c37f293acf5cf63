//! Results, as each revision wants them.

use serde_json::Value;

use super::call::{CallRequest, Operation};
use super::{CallId, Engine};
use crate::error::RpcError;
use crate::jsonrpc::write;
use crate::model::{Content, Done, Outcome, PromptResult, ResourceContents, Role, ToolResult};
use crate::object::{self, Object};
use crate::revision::Revision;

/// 2026-07-28 §CompleteResult: no more values than these.
const VALUES: usize = 100;

impl Engine {
    /// Takes what components answered to a call.
    pub fn finish(&mut self, id: CallId, outcome: Outcome) {
        let Some(call) = self.calls.get(&id) else { return };
        let request = &call.request;
        let result = match outcome {
            Outcome::NeedsInput(needs) => {
                self.needs_input(id, needs);
                return;
            }
            Outcome::Done(done) => self.result(request, &done),
            Outcome::NotMine => Err(nobody(request)),
            Outcome::Failed(error) => Err(error),
        };
        self.conclude(id, result);
    }

    /// Answers a call and forgets it.
    pub(super) fn conclude(&mut self, id: CallId, result: Result<String, RpcError>) {
        let Some(call) = self.end_call(id) else { return };
        if let Some(task) = &call.task {
            self.end_task(task, result);
            return;
        }
        let Some(target) = call.target else { return };
        match result {
            Ok(result) => self.settle(&target, write::result(&target.id, &result), 200),
            Err(error) => self.fail(&target, &error),
        }
    }

    fn result(&self, request: &CallRequest, done: &Done) -> Result<String, RpcError> {
        let revision = request.caller.revision;
        match (&request.operation, done) {
            (Operation::Tool { name, .. }, Done::Tool(result)) => {
                self.check_structured(name, result)?;
                Ok(self.tool_result(result, revision))
            }
            (Operation::Resource { uri }, Done::Resource(contents)) => {
                if contents.is_empty() {
                    return Err(RpcError::resource(uri, revision));
                }
                Ok(self.resource_result(contents, request))
            }
            (Operation::Prompt { .. }, Done::Prompt(result)) => Ok(self.prompt_result(result, revision)),
            (Operation::Completion { .. }, Done::Completion(completion)) => {
                let values: Vec<&String> = completion.values.iter().take(VALUES).collect();
                let more = (completion.values.len() > VALUES)
                    .then_some(true)
                    .or(completion.has_more);
                let total = completion.total;
                let inner = Object::new()
                    .with("values", &values)
                    .with_some("total", total.as_ref())
                    .with_some("hasMore", more.as_ref());
                Ok(self.decorated(Object::new().raw("completion", &inner.end()), revision, None))
            }
            _ => Err(RpcError::internal(
                "the component answered something else than it was asked",
            )),
        }
    }

    /// What a tool promised by its output schema it has to keep.
    fn check_structured(&self, name: &str, result: &ToolResult) -> Result<(), RpcError> {
        let schema = self.catalogue.tool(name).and_then(|tool| tool.output.as_ref());
        let Some(schema) = schema.filter(|_| !result.is_error) else {
            return Ok(());
        };
        let Some(structured) = &result.structured else {
            let message = format!("tool {name:?} has an output schema and brought no structured content");
            return Err(RpcError::internal(message));
        };
        let value: Value = serde_json::from_str(structured.get())
            .map_err(|error| RpcError::internal(format!("tool {name:?} brought no JSON: {error}")))?;
        schema
            .check(&value)
            .map_err(|wrong| RpcError::internal(format!("tool {name:?} does not keep to its output schema: {wrong}")))
    }

    pub(super) fn tool_result(&self, result: &ToolResult, revision: Revision) -> String {
        let mut content: Vec<String> = result.content.iter().map(|block| block.to_json(revision)).collect();
        let structured = result.structured.as_ref().map(|json| json.get());
        // 2025-06-18 §Structured Content: for clients that do not look there, the same as text.
        if content.is_empty()
            && let Some(structured) = structured
        {
            content.push(Content::text(structured).to_json(revision));
        }
        let content = object::list(content.iter().map(String::as_str));
        let mut object = Object::new().raw("content", &content);
        // Up to 2025-11-25 structured content is an object, from then on any JSON.
        let fits = |json: &&str| {
            revision.has_structured_content() && (revision.is_stateless() || json.trim_start().starts_with('{'))
        };
        if let Some(structured) = structured.filter(fits) {
            object = object.raw("structuredContent", structured);
        }
        object = object.with_some("isError", result.is_error.then_some(&true));
        self.decorated(object, revision, result.meta.as_ref().map(|meta| meta.get()))
    }

    fn resource_result(&self, contents: &[ResourceContents], request: &CallRequest) -> String {
        let revision = request.caller.revision;
        let mut object = Object::new().with("contents", contents);
        if revision.is_stateless() {
            object = self.settings.read_hints(object);
        }
        self.decorated(object, revision, None)
    }

    fn prompt_result(&self, result: &PromptResult, revision: Revision) -> String {
        let messages = result.messages.iter().map(|message| {
            let role = match message.role {
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            let content = message.content.to_json(revision);
            Object::new().with("role", role).raw("content", &content).end()
        });
        let messages: Vec<String> = messages.collect();
        let object = Object::new()
            .with_some("description", result.description.as_ref())
            .raw("messages", &object::list(messages.iter().map(String::as_str)));
        self.decorated(object, revision, result.meta.as_ref().map(|meta| meta.get()))
    }

    fn decorated(&self, object: Object, revision: Revision, meta: Option<&str>) -> String {
        if revision.is_stateless() {
            return self.complete(object, meta);
        }
        match meta {
            Some(meta) => object.raw("_meta", meta).end(),
            None => object.end(),
        }
    }
}

/// No component knows what is asked for.
fn nobody(request: &CallRequest) -> RpcError {
    match &request.operation {
        Operation::Tool { name, .. } => RpcError::params(format!("there is no tool {name:?}")),
        Operation::Resource { uri } => RpcError::resource(uri, request.caller.revision),
        Operation::Prompt { name, .. } => RpcError::params(format!("there is no prompt {name:?}")),
        Operation::Completion { argument, .. } => {
            RpcError::params(format!("nobody completes the argument {argument:?} of that"))
        }
    }
}
