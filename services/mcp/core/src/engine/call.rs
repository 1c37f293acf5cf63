//! What components are asked to do.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::AskId;
use super::peer::PeerId;
use crate::channel::ChannelId;
use crate::jsonrpc::Id;
use crate::model::LogLevel;
use crate::revision::Revision;

/// Which call.
pub type CallId = u64;

/// A call, as components see it.
#[derive(Clone, Debug)]
pub struct CallRequest {
    /// What is to be done.
    pub operation: Operation,
    /// By which a component speaks to the client during the call. Nobody can guess it.
    pub token: String,
    /// `_meta` of the request, a JSON object.
    pub meta: String,
    /// The W3C trace context of the call.
    pub traceparent: String,
    /// Who asks.
    pub caller: Caller,
    /// The answers to the questions of the round before, as JSON by the component's keys.
    pub input: Vec<(String, String)>,
    /// The state that the component gave to the round before.
    pub state: Option<String>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `tools/call`
    Tool {
        /// Which tool.
        name: String,
        /// A JSON object.
        arguments: String,
    },
    /// `resources/read`
    Resource {
        /// Which resource.
        uri: String,
    },
    /// `prompts/get`
    Prompt {
        /// Which prompt.
        name: String,
        /// What it is filled with.
        arguments: Vec<(String, String)>,
    },
    /// `completion/complete`
    Completion {
        /// Of what the argument is one.
        of: Reference,
        /// The argument's name.
        argument: String,
        /// As far as it goes.
        value: String,
        /// The arguments that are known already.
        known: Vec<(String, String)>,
    },
}

/// What has arguments that can be completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A prompt, by its name.
    Prompt(String),
    /// A template of resources, by its URI template.
    Resource(String),
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The connection or session; of a single request nothing but itself.
    pub peer: PeerId,
    /// The revision that the client speaks.
    pub revision: Revision,
    /// The client's name and version, as it says.
    pub client: Option<(String, String)>,
    /// `ClientCapabilities`.
    pub capabilities: Rc<Value>,
    /// Who it is, if there was a token that says so.
    pub identity: Option<Rc<Identity>>,
}

/// Who somebody is, by a token that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `sub`
    pub subject: String,
    /// `iss`
    pub issuer: String,
    /// `scope`
    pub scopes: Vec<String>,
    /// All claims, a JSON object.
    pub claims: String,
}

/// A call in progress.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) token: String,
    /// Where the answer goes. None while the client has to ask again.
    pub(super) target: Option<Target>,
    pub(super) request: CallRequest,
    pub(super) progress: Option<Progress>,
    /// Log messages below it are not sent; none at all if there is none.
    pub(super) log_level: Option<LogLevel>,
    pub(super) rounds: u32,
    /// What the client still has to answer before the next round.
    pub(super) gathering: Option<Gathering>,
    /// The task that it has become.
    pub(super) task: Option<String>,
    /// A component waits for an answer that the client can give only by asking again.
    pub(super) suspended: Option<AskId>,
}

/// Where an answer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) peer: PeerId,
    pub(super) channel: ChannelId,
    pub(super) id: Id,
    pub(super) batch: Option<u64>,
}

/// What a client is told of a call's progress.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub(super) token: Id,
    /// Must grow.
    pub(super) last: Option<f64>,
}

/// The answers to a round of questions.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathering {
    /// Milliseconds since 1970. Then the client's time to answer is over.
    pub(super) until: u64,
    pub(super) missing: usize,
    pub(super) answers: BTreeMap<String, String>,
    pub(super) state: Option<String>,
}

impl CallRequest {
    /// What sealed state is good for: this caller, and this very request.
    pub(super) fn purpose(&self) -> String {
        let caller = self
            .caller
            .identity
            .as_ref()
            .map(|identity| (&identity.issuer, &identity.subject));
        format!("{caller:?} {:?}", self.operation)
    }
}
