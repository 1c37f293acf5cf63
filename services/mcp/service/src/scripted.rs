//! Components for tests: what they answer is a test's own.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, ready};
use std::rc::Rc;

use futures::future::LocalBoxFuture;
use mainstay_mcp_core::engine::{CallRequest, Engine, Settings};
use mainstay_mcp_core::model::{Content, Done, Outcome, ToolResult};
use mainstay_mcp_core::seal::Seal;
use mainstay_runtime::callback::Callbacks;
use serde_json::{Value, json};

use crate::component::Components;
use crate::hub::Hub;
use crate::offer::Asker;
use crate::types::Failure;
use crate::{events, prompts, resources, tools};

/// What comes of a call.
type Answer = Box<dyn Fn(CallRequest) -> LocalBoxFuture<'static, Outcome>>;

/// Components with one tool, `here`.
pub(crate) struct Scripted {
    /// Failures of `list-tools`, before it succeeds.
    pub(crate) failures: RefCell<VecDeque<Failure>>,
    pub(crate) answer: Answer,
}

impl Scripted {
    pub(crate) fn new<Answered: Future<Output = Outcome> + 'static>(
        answer: impl Fn(CallRequest) -> Answered + 'static,
    ) -> Self {
        Self {
            failures: RefCell::default(),
            answer: Box::new(move |request| Box::pin(answer(request))),
        }
    }
}

impl Components for Scripted {
    fn list_tools(&self) -> impl Future<Output = Result<Vec<tools::Tool>, Failure>> + 'static {
        let tool = tools::Tool {
            name: "here".to_owned(),
            title: None,
            description: None,
            input_schema: r#"{"type":"object"}"#.to_owned(),
            output_schema: None,
            hints: None,
            icons: Vec::new(),
            meta: None,
            needs_tasks: false,
        };
        ready(match self.failures.borrow_mut().pop_front() {
            Some(failure) => Err(failure),
            None => Ok(vec![tool]),
        })
    }

    fn list_resources(&self) -> impl Future<Output = Result<Option<resources::Listing>, Failure>> + 'static {
        ready(Ok(None))
    }

    fn list_prompts(&self) -> impl Future<Output = Result<Option<Vec<prompts::Prompt>>, Failure>> + 'static {
        ready(Ok(None))
    }

    fn completes(&self) -> impl Future<Output = bool> + 'static {
        ready(false)
    }

    fn wants_events(&self) -> impl Future<Output = bool> + 'static {
        ready(false)
    }

    fn deliver(&self, _events: Vec<events::Event>) -> impl Future<Output = ()> + 'static {
        ready(())
    }

    fn call(&self, request: CallRequest) -> impl Future<Output = Outcome> + 'static {
        (self.answer)(request)
    }
}

/// A text, as a tool answers it.
pub(crate) fn text(text: &str) -> Outcome {
    Outcome::Done(Done::Tool(ToolResult {
        content: vec![Content::text(text)],
        ..ToolResult::default()
    }))
}

/// A server that offers what these components have.
pub(crate) async fn offered(components: &Rc<Scripted>) -> (Rc<Hub>, Rc<Asker<Scripted>>) {
    let hub = Hub::new(Engine::new(Settings::default(), Seal::random()), 1 << 20);
    let timeout = std::time::Duration::from_secs(1);
    let asker = Asker::new(Rc::clone(&hub), Rc::clone(components), Callbacks::new(1), timeout);
    asker.ask().await.unwrap();
    (hub, Rc::new(asker))
}

/// `initialize`, of a client that has roots.
pub(crate) fn initialize() -> Value {
    let client = json!({"name": "test", "version": "1"});
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {"roots": {}}, "clientInfo": client});
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
}

/// A call of the tool.
pub(crate) fn call(id: u64) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "here"}})
}
