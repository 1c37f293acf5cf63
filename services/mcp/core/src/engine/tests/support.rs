//! A server that a test speaks to.

use std::rc::Rc;

use serde_json::{Value, json};

use crate::catalogue::Offer;
use crate::channel::{ChannelId, Next};
use crate::engine::{Action, CallId, CallRequest, Engine, Identity, PeerId, Settings};
use crate::jsonrpc::Line;
use crate::model::{self, Content, Done, Outcome, Prompt, Resource, Tool, ToolResult};
use crate::seal::Seal;

/// A connection to a server of two tools, a resource and a prompt.
pub(super) struct Conversation {
    pub(super) engine: Engine,
    pub(super) peer: PeerId,
    pub(super) channel: ChannelId,
    taken: u64,
}

pub(super) fn tool(name: &str, input: &Value, output: Option<Value>) -> Tool {
    Tool {
        name: name.to_owned(),
        title: None,
        description: None,
        input_schema: model::json(input.to_string()).unwrap(),
        output_schema: output.map(|schema| model::json(schema.to_string()).unwrap()),
        annotations: None,
        icons: Vec::new(),
        meta: None,
        needs_tasks: false,
    }
}

pub(super) fn offer() -> Offer {
    let number = json!({"type": "number"});
    let add = json!({"type": "object", "properties": {"a": number, "b": number}, "required": ["a", "b"]});
    let sum = json!({"type": "object", "properties": {"sum": number}, "required": ["sum"]});
    Offer {
        tools: vec![
            tool("add", &add, Some(sum)),
            tool("ask", &json!({"type": "object"}), None),
        ],
        resources: Some((vec![Resource::new("test://a", "a")], Vec::new())),
        prompts: Some(vec![Prompt {
            name: "greet".to_owned(),
            title: None,
            description: None,
            arguments: Vec::new(),
            icons: Vec::new(),
            meta: None,
        }]),
        completions: true,
    }
}

pub(super) fn sum(value: f64) -> Outcome {
    Outcome::Done(Done::Tool(ToolResult {
        structured: Some(model::json(json!({ "sum": value }).to_string()).unwrap()),
        ..ToolResult::default()
    }))
}

pub(super) fn text(text: &str) -> Outcome {
    Outcome::Done(Done::Tool(ToolResult {
        content: vec![Content::text(text)],
        ..ToolResult::default()
    }))
}

/// `_meta` of 2026-07-28 with these capabilities.
pub(super) fn meta(capabilities: Value) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    })
}

impl Conversation {
    /// One that has not begun.
    pub(super) fn new() -> Self {
        Self::set(Settings::default())
    }

    /// One with a server of these settings that has not begun.
    pub(super) fn set(settings: Settings) -> Self {
        let mut engine = Engine::new(settings, Seal::random());
        engine.tick(1_000_000);
        assert_eq!(engine.offer(offer()), Vec::<String>::new());
        let (peer, channel) = engine.connect(None);
        Self {
            engine,
            peer,
            channel,
            taken: 0,
        }
    }

    /// One that began with the handshake.
    pub(super) fn of(revision: &str, capabilities: Value) -> Self {
        Self::with(Settings::default(), revision, capabilities)
    }

    /// One with a server of these settings that began with the handshake.
    pub(super) fn with(settings: Settings, revision: &str, capabilities: Value) -> Self {
        let mut conversation = Self::set(settings);
        let info = json!({"name": "test", "version": "1"});
        let params = json!({"protocolVersion": revision, "capabilities": capabilities, "clientInfo": info});
        let answer = conversation.request("init", "initialize", params);
        assert_eq!(answer["result"]["protocolVersion"], revision, "{answer}");
        conversation.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        while let Some(Action::Event(_)) = conversation.engine.next_action() {}
        conversation
    }

    /// Another connection to the same server.
    pub(super) fn reconnect(&mut self) {
        self.reconnect_as(None);
    }

    /// Another connection to the same server, of somebody who is known.
    pub(super) fn reconnect_as(&mut self, identity: Option<Rc<Identity>>) {
        (self.peer, self.channel) = self.engine.connect(identity);
        self.taken = 0;
    }

    pub(super) fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string());
    }

    pub(super) fn send_text(&mut self, text: &str) {
        let line = Line::Whole(text.as_bytes().to_vec());
        self.engine.receive(self.peer, self.channel, &line);
    }

    /// The next message from the server.
    pub(super) fn next(&mut self) -> Option<Value> {
        Some(serde_json::from_str(&self.next_line()?).unwrap())
    }

    /// The next message from the server, as it is sent.
    pub(super) fn next_line(&mut self) -> Option<String> {
        match self.engine.take(self.channel, self.taken) {
            Next::Event(event) => {
                self.taken = event.number;
                Some(event.json.to_string())
            }
            Next::Wait | Next::End => None,
        }
    }

    /// Asks, and takes the one message that comes at once.
    pub(super) fn request(&mut self, id: &str, method: &str, params: Value) -> Value {
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let answer = self.next().expect("an answer at once");
        assert_eq!(self.next(), None, "after {answer}");
        answer
    }

    /// Asks for what components answer, and takes what they are asked.
    pub(super) fn begin(&mut self, id: &str, method: &str, params: Value) -> (CallId, CallRequest) {
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        self.call().unwrap_or_else(|| panic!("no call but {:?}", self.next()))
    }

    /// What components are asked next.
    pub(super) fn call(&mut self) -> Option<(CallId, CallRequest)> {
        match self.engine.next_action() {
            Some(Action::Call(id, request)) => Some((id, *request)),
            Some(other) => panic!("{other:?}"),
            None => None,
        }
    }

    pub(super) fn finish(&mut self, call: CallId, outcome: Outcome) -> Value {
        self.engine.finish(call, outcome);
        self.next().expect("an answer")
    }
}
