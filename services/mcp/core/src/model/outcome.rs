//! What became of a call.

use super::{Content, Json, ResourceContents, Role};
use crate::error::RpcError;

/// What a component answers.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is done.
    Done(Done),
    /// The client has to be asked first.
    NeedsInput(NeedsInput),
    /// There is no such tool, resource or prompt.
    NotMine,
    /// The call failed, and not as a tool fails: its caller made a mistake, or something broke.
    Failed(RpcError),
}

/// The result of a call.
#[derive(Clone, Debug)]
pub enum Done {
    /// Of `tools/call`.
    Tool(ToolResult),
    /// Of `resources/read`.
    Resource(Vec<ResourceContents>),
    /// Of `prompts/get`.
    Prompt(PromptResult),
    /// Of `completion/complete`.
    Completion(Completion),
}

/// What a tool brought.
#[derive(Clone, Debug, Default)]
pub struct ToolResult {
    /// For language models.
    pub content: Vec<Content>,
    /// For programs, by the tool's output schema.
    pub structured: Option<Json>,
    /// The tool failed, and `content` says how.
    pub is_error: bool,
    /// `_meta`.
    pub meta: Option<Json>,
}

/// A prompt, filled in.
#[derive(Clone, Debug, Default)]
pub struct PromptResult {
    /// What it is for.
    pub description: Option<String>,
    /// The conversation.
    pub messages: Vec<PromptMessage>,
    /// `_meta`.
    pub meta: Option<Json>,
}

/// A message of a prompt.
#[derive(Clone, Debug)]
pub struct PromptMessage {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: Content,
}

/// How an argument may go on.
#[derive(Clone, Debug, Default)]
pub struct Completion {
    /// The best values, at most 100.
    pub values: Vec<String>,
    /// How many there are in all.
    pub total: Option<u64>,
    /// Whether there are more than these.
    pub has_more: Option<bool>,
}

/// What the client is to be asked before a call can go on.
#[derive(Clone, Debug)]
pub struct NeedsInput {
    /// The questions by the component's own keys.
    pub asks: Vec<(String, Ask)>,
    /// What the component wants to be told when it is called again.
    pub state: Option<String>,
}

/// A question to the client.
#[derive(Clone, Debug)]
pub enum Ask {
    /// A form for the user: message and schema.
    Form(String, Json),
    /// A page for the user: message and URL.
    Page(String, String),
    /// The parameters of `sampling/createMessage`.
    Sample(Json),
    /// The client's roots.
    Roots,
}
