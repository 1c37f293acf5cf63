//! The protocol, in both its eras: messages in, calls and messages out. It does no I/O and knows no clock.
//!
//! Its parts, from the outside in:
//! - [`settings`]: what a server says of itself, and its bounds
//! - [`peer`]: a connection, a session or a single request, and what is remembered of it
//! - [`call`]: what components are asked to do
//! - `dispatch`: a message finds its era and its method
//! - `legacy`, `modern`: the methods that only one of the eras has
//! - `methods`: those that both have
//! - `answer`: results, as each revision wants them
//! - `input`: questions to the client in the middle of a call
//! - `tasks`: calls that the client comes back for
//! - `notify`: progress, logs, changes
//! - `session`: sessions and streams of HTTP before 2026-07-28

mod answer;
pub mod call;
mod dispatch;
mod input;
mod legacy;
mod methods;
mod modern;
mod notify;
pub mod peer;
mod session;
pub mod settings;
mod tasks;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;

use serde_json::Value;

use crate::catalogue::{Catalogue, Offer, Problem};
use crate::channel::{Channel, ChannelId, Next};
use crate::error::RpcError;
use crate::seal::Seal;

pub use call::{CallId, CallRequest, Caller, Identity, Operation, Reference};
pub use notify::Changed;
pub use peer::{PeerId, ReaderId, Transport};
pub use session::{SessionError, Taken};
pub use settings::Settings;

use call::Call;
use peer::Peer;
use tasks::Task;

/// What is too old is looked for this often, in milliseconds.
const SWEEP: u64 = 1000;

/// Which question to a client.
pub type AskId = u64;

/// The protocol of one server, with all of its clients.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    catalogue: Catalogue,
    seal: Seal,
    /// Milliseconds since 1970.
    now: u64,
    last_id: u64,
    peers: BTreeMap<PeerId, Peer>,
    sessions: HashMap<String, PeerId>,
    channels: HashMap<ChannelId, Channel>,
    calls: BTreeMap<CallId, Call>,
    tokens: HashMap<String, CallId>,
    tasks: BTreeMap<String, Task>,
    /// When it was last looked for what is too old.
    swept: u64,
    batches: HashMap<u64, Batch>,
    actions: VecDeque<Action>,
    touched: Vec<ChannelId>,
}

/// The answers to a batch, gathered.
#[derive(Debug, Default)]
struct Batch {
    missing: usize,
    answers: Vec<String>,
}

/// What is to be done outside of the protocol.
#[derive(Debug)]
pub enum Action {
    /// Ask the components, and hand what they answer to [`Engine::finish`].
    Call(CallId, Box<CallRequest>),
    /// Nobody waits for this call any more: drop it.
    Cancel(CallId),
    /// A question of [`Engine::ask`] has its answer, the result as JSON.
    Answered(AskId, Result<String, RpcError>),
    /// Something that components may want to know.
    Event(Event),
    /// Count: a request was refused, as too many go on.
    Refused,
    /// Count: so many news of changes were lost, as their clients do not read.
    Lost(u64),
}

/// What happened to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A client has introduced itself (up to 2025-11-25): its name and version.
    Connected(PeerId, String, String),
    /// A client wants to be told when a resource changes.
    Subscribed(PeerId, String),
    /// It does not any more.
    Unsubscribed(PeerId, String),
    /// A client is gone.
    Closed(PeerId),
}

impl Engine {
    /// A server with nothing to offer yet.
    pub fn new(settings: Settings, seal: Seal) -> Self {
        Self {
            settings,
            catalogue: Catalogue::default(),
            seal,
            now: 0,
            last_id: 0,
            peers: BTreeMap::new(),
            sessions: HashMap::new(),
            channels: HashMap::new(),
            calls: BTreeMap::new(),
            tokens: HashMap::new(),
            tasks: BTreeMap::new(),
            swept: 0,
            batches: HashMap::new(),
            actions: VecDeque::new(),
            touched: Vec::new(),
        }
    }

    /// Tells the time, in milliseconds since 1970. Now and then, ends sessions that were idle for too long, tasks whose time is
    /// over, and calls whose clients do not answer.
    pub fn tick(&mut self, now: u64) {
        self.now = now;
        if now.abs_diff(self.swept) >= SWEEP {
            self.swept = now;
            self.expire_sessions();
            self.expire_tasks();
            self.expire_rounds();
        }
    }

    /// Whether [`Engine::tick`] has to be called though nothing else happens: something may come to its end by that.
    pub fn waits(&self) -> bool {
        !self.tasks.is_empty() || !self.calls.is_empty()
    }

    /// Takes what components offer now. What is wrong with it is left out and returned.
    pub fn offer(&mut self, offer: Offer) -> Vec<Problem> {
        // Cursors of an earlier life of the server are not taken either.
        let (catalogue, problems) = Catalogue::new(offer, rand::random());
        self.catalogue = catalogue;
        problems
    }

    /// What components offer.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// What a server says of itself, and its bounds.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What is to be done, in order.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The channels in which something is new since the last time.
    pub fn take_touched(&mut self) -> Vec<ChannelId> {
        std::mem::take(&mut self.touched)
    }

    /// The next message for a client, after number `after`. It is then on its way: see [`Channel`] for what is kept.
    pub fn take(&mut self, channel: ChannelId, after: u64) -> Next {
        let Some(found) = self.channels.get_mut(&channel) else {
            return Next::End;
        };
        let next = found.take(after);
        if found.is_done() && found.held() == 0 {
            self.channels.remove(&channel);
        }
        next
    }

    /// Bytes that wait for a client. Who reads from it had better not read on when they are many.
    pub fn backlog(&self, channel: ChannelId) -> usize {
        self.channels.get(&channel).map_or(0, Channel::backlog)
    }

    /// How many clients there are: connections and sessions.
    pub fn clients(&self) -> usize {
        let lasting = |peer: &&Peer| peer.transport != Transport::Single;
        self.peers.values().filter(lasting).count()
    }

    /// How many calls go on.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn push(&mut self, channel: ChannelId, json: String, status: u16) {
        if let Some(found) = self.channels.get_mut(&channel) {
            found.push(json, status);
            self.touched.push(channel);
        }
    }

    fn open_channel(&mut self, keep: usize) -> ChannelId {
        let id = self.next_id();
        self.channels.insert(id, Channel::new(keep));
        id
    }

    fn event(&mut self, event: Event) {
        self.actions.push_back(Action::Event(event));
    }

    /// A connection, as stdio is one: messages come and go until it is closed. Its channel.
    pub fn connect(&mut self, identity: Option<Rc<Identity>>) -> (PeerId, ChannelId) {
        let channel = self.open_channel(0);
        let peer = self.add_peer(Transport::Connection, identity);
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.general = Some(channel);
        }
        (peer, channel)
    }

    fn add_peer(&mut self, transport: Transport, identity: Option<Rc<Identity>>) -> PeerId {
        let id = self.next_id();
        self.peers.insert(id, Peer::new(transport, identity, self.now));
        id
    }

    /// A connection or a session is over: its calls are dropped, and what waits for it.
    pub fn disconnect(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let calls: Vec<CallId> = std::mem::take(&mut peer.in_flight).into_values().collect();
        let targets = calls.iter().filter_map(|call| self.calls.get(call)?.target.as_ref());
        let mut channels: Vec<ChannelId> = targets.map(|target| target.channel).collect();
        calls.into_iter().for_each(|call| self.drop_call(call));
        let Some(peer) = self.peers.remove(&id) else { return };
        if let Some(session) = &peer.session {
            self.sessions.remove(session);
        }
        channels.extend(peer.general.into_iter().chain(peer.streams.iter().copied()));
        channels.extend(peer.listens.values().map(|listen| listen.channel));
        for channel in channels {
            if let Some(mut gone) = self.channels.remove(&channel) {
                gone.end();
                self.touched.push(channel);
            }
        }
        if peer.transport != Transport::Single {
            self.event(Event::Closed(id));
        }
    }

    /// Forgets a call, and tells the one that works on it.
    fn drop_call(&mut self, id: CallId) {
        if self.end_call(id).is_some() {
            self.actions.push_back(Action::Cancel(id));
        }
    }

    /// Forgets a call, and what it has asked.
    fn end_call(&mut self, id: CallId) -> Option<Call> {
        let call = self.calls.remove(&id)?;
        self.tokens.remove(&call.token);
        self.end_questions(id, &call);
        Some(call)
    }

    /// The value of a client's capability, if it has declared it: `elicitation`, or `elicitation/url`.
    fn declares(capabilities: &Value, path: &str) -> bool {
        path.split('/')
            .try_fold(capabilities, |value, name| value.get(name))
            .is_some_and(Value::is_object)
    }
}
