//! A connection, a session or a single request, and what is remembered of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use serde_json::Value;

use super::call::{CallId, Identity};
use crate::channel::ChannelId;
use crate::error::RpcError;
use crate::jsonrpc::Id;
use crate::model::LogLevel;
use crate::revision::Revision;

/// Bytes of each text that is kept for a client beyond a call: its name, its capabilities, what it subscribes to.
const TEXT: usize = 4 << 10;

/// Which client, as far as it can be told apart.
pub type PeerId = u64;

/// Which of the readers of a session's own stream, one after the other.
pub type ReaderId = u64;

/// How long a client lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// As long as a connection: stdio, TCP.
    Connection,
    /// As long as a session of HTTP, up to 2025-11-25.
    Session,
    /// As long as one request of HTTP, from 2026-07-28 on.
    Single,
}

/// What is remembered of a client.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) transport: Transport,
    pub(super) identity: Option<Rc<Identity>>,
    /// What was agreed on by `initialize`.
    pub(super) legacy: Option<Legacy>,
    /// The id of a session.
    pub(super) session: Option<String>,
    /// Where messages go that belong to no request.
    pub(super) general: Option<ChannelId>,
    /// Who reads from `general`, if somebody does. Connections always do.
    pub(super) reader: Option<ReaderId>,
    /// The responses of a session's requests, oldest first, as long as they can be asked for again.
    pub(super) streams: Vec<ChannelId>,
    pub(super) in_flight: HashMap<Id, CallId>,
    /// Streams of `subscriptions/listen`.
    pub(super) listens: BTreeMap<Id, Listen>,
    /// Questions that this client has been asked, by the id of the request that asks.
    pub(super) asked: HashMap<i64, Question>,
    /// Milliseconds since 1970.
    pub(super) seen: u64,
}

/// What was agreed on by `initialize`.
#[derive(Debug)]
pub(super) struct Legacy {
    pub(super) revision: Revision,
    pub(super) capabilities: Rc<Value>,
    pub(super) client: (String, String),
    pub(super) log_level: LogLevel,
    /// Resources of whose changes the client wants to be told.
    pub(super) subscribed: BTreeSet<String>,
}

/// A stream of notifications.
#[derive(Clone, Debug)]
pub(super) struct Listen {
    pub(super) channel: ChannelId,
    pub(super) tools: bool,
    pub(super) prompts: bool,
    pub(super) resources: bool,
    pub(super) uris: BTreeSet<String>,
}

/// Who waits for the answer to a question.
#[derive(Clone, Debug)]
pub(super) enum Question {
    /// A call that needs it before it goes on, under this key.
    Round(CallId, String),
    /// A component in the middle of a call.
    Ask(CallId, super::AskId),
}

impl Peer {
    pub(super) fn new(transport: Transport, identity: Option<Rc<Identity>>, now: u64) -> Self {
        Self {
            transport,
            identity,
            legacy: None,
            session: None,
            general: None,
            reader: (transport == Transport::Connection).then_some(0),
            streams: Vec::new(),
            in_flight: HashMap::new(),
            listens: BTreeMap::new(),
            asked: HashMap::new(),
            seen: now,
        }
    }

    pub(super) fn revision(&self) -> Option<Revision> {
        self.legacy.as_ref().map(|legacy| legacy.revision)
    }

    /// Whether another request may begin.
    pub(super) fn check(&self, id: &Id, calls: usize) -> Result<(), RpcError> {
        if let Id::Text(text) = id {
            check_text("\"id\"", text).map_err(|wrong| RpcError::request(wrong.message))?;
        }
        if self.in_flight.contains_key(id) || self.listens.contains_key(id) {
            return Err(RpcError::request(format!("id {id} is in use")));
        }
        if self.in_flight.len() >= calls {
            return Err(RpcError::internal(format!(
                "{calls} requests are in progress, the most at once"
            )));
        }
        Ok(())
    }
}

/// Whether a text is short enough to be kept for a client.
pub(super) fn check_text(what: &str, text: &str) -> Result<(), RpcError> {
    if text.len() > TEXT {
        let length = text.len();
        return Err(RpcError::params(format!("{what} has {length} bytes: {TEXT} at most")));
    }
    Ok(())
}
