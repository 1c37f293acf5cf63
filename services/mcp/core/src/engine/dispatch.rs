//! A message finds its era and its method.

use serde_json::Value;

use super::call::Target;
use super::{Batch, Engine, PeerId, Transport};
use crate::channel::ChannelId;
use crate::error::{PARSE_ERROR, RpcError};
use crate::headers::RequestHeaders;
use crate::jsonrpc::message::Params;
use crate::jsonrpc::{Id, Incoming, Line, Malformed, Message, parse, write};

/// What a method comes to.
pub(super) enum Reply {
    /// A result, a JSON object.
    Now(String),
    /// The answer comes later, or never.
    Later,
}

impl Engine {
    /// Takes a line of a connection.
    pub fn receive(&mut self, peer: PeerId, channel: ChannelId, line: &Line) {
        match line {
            Line::Whole(bytes) => self.accept(peer, channel, parse(bytes), None),
            Line::TooLong => {
                let error = RpcError::new(PARSE_ERROR, "the message is too long").with_status(413);
                self.accept(peer, channel, Incoming::One(Err(Malformed { id: None, error })), None);
            }
        }
    }

    /// Takes what came, whose answers go to `channel`. `headers` are those of HTTP from 2026-07-28 on.
    pub(crate) fn accept(
        &mut self,
        peer: PeerId,
        channel: ChannelId,
        incoming: Incoming,
        headers: Option<&RequestHeaders>,
    ) {
        let now = self.now;
        let Some(found) = self.peers.get_mut(&peer) else { return };
        found.seen = now;
        let revision = found.revision();
        // The channel lasts until all of it is looked at, and ends if nothing of it waits for an answer then.
        self.hold(channel);
        match incoming {
            Incoming::One(message) => self.message(peer, channel, message, None, headers),
            Incoming::Batch(_) if !revision.is_some_and(crate::revision::Revision::has_batches) => {
                let error = RpcError::request("several messages at once are not served, except up to 2025-03-26");
                self.push(channel, write::error(None, &error, revision), error.status);
            }
            Incoming::Batch(messages) => {
                let answered = |message: &&Result<Message, _>| matches!(message, Ok(Message::Request { .. }) | Err(_));
                let missing = messages.iter().filter(answered).count();
                let batch = self.next_id();
                let answers = Vec::new();
                self.batches.insert(batch, Batch { missing, answers });
                for message in messages {
                    self.message(peer, channel, message, Some(batch), headers);
                }
                if missing == 0 {
                    self.batches.remove(&batch);
                }
            }
        }
        self.release(peer, channel);
    }

    fn message(
        &mut self,
        peer: PeerId,
        channel: ChannelId,
        message: Result<Message, Malformed>,
        batch: Option<u64>,
        headers: Option<&RequestHeaders>,
    ) {
        match message {
            Ok(Message::Request { id, method, params }) => {
                let target = Target {
                    peer,
                    channel,
                    id,
                    batch,
                };
                self.request(target, &method, params, headers);
            }
            Ok(Message::Notification { method, params }) => self.notified(peer, &method, &params),
            Ok(Message::Response { id, outcome }) => self.answered(peer, &id, outcome),
            Err(malformed) => {
                let revision = self.peers.get(&peer).and_then(super::Peer::revision);
                let json = write::error(malformed.id.as_ref(), &malformed.error, revision);
                self.deliver(channel, batch, json, malformed.error.status);
            }
        }
    }

    fn request(&mut self, target: Target, method: &str, params: Params, headers: Option<&RequestHeaders>) {
        let Some(peer) = self.peers.get(&target.peer) else {
            return;
        };
        if let Err(refused) = peer.check(&target.id, self.settings.calls) {
            // The id may be another request's: that one goes on.
            let json = write::error(Some(&target.id), &refused, None);
            self.deliver(target.channel, target.batch, json, refused.status);
            return;
        }
        let legacy = peer.legacy.is_some() || matches!(method, "initialize" | "ping");
        self.hold(target.channel);
        let done = if headers.is_some() || has_envelope(&params) || !legacy {
            self.modern(&target, method, &params, headers)
        } else {
            self.legacy(&target, method, &params)
        };
        match done {
            Ok(Reply::Now(result)) => self.settle(&target, write::result(&target.id, &result), 200),
            Ok(Reply::Later) => {}
            Err(error) => self.fail(&target, &error),
        }
    }

    /// Answers a request with an error.
    pub(super) fn fail(&mut self, target: &Target, error: &RpcError) {
        let json = write::error(Some(&target.id), error, None);
        self.settle(target, json, error.status);
    }

    /// Answers a request.
    pub(super) fn settle(&mut self, target: &Target, json: String, status: u16) {
        self.deliver(target.channel, target.batch, json, status);
        self.closed(target);
    }

    /// A request has its answer, or needs none any more.
    pub(super) fn closed(&mut self, target: &Target) {
        if let Some(peer) = self.peers.get_mut(&target.peer) {
            peer.in_flight.remove(&target.id);
        }
        self.release(target.peer, target.channel);
    }

    /// Something goes on whose answer goes to this channel.
    fn hold(&mut self, channel: ChannelId) {
        if let Some(channel) = self.channels.get_mut(&channel) {
            channel.pending += 1;
        }
    }

    /// It does not any more. A channel that is only for what went on ends with it.
    fn release(&mut self, peer: PeerId, id: ChannelId) {
        let found = self.peers.get(&peer);
        let lasting = found.is_some_and(|peer| peer.general == Some(id));
        let single = found.is_some_and(|peer| peer.transport == Transport::Single);
        let Some(channel) = self.channels.get_mut(&id) else {
            return;
        };
        channel.pending = channel.pending.saturating_sub(1);
        if channel.pending == 0 && !lasting {
            channel.end();
            self.touched.push(id);
            if single {
                self.peers.remove(&peer);
            }
        }
    }

    fn deliver(&mut self, channel: ChannelId, batch: Option<u64>, json: String, status: u16) {
        let Some((id, gathered)) = batch.and_then(|id| Some((id, self.batches.get_mut(&id)?))) else {
            self.push(channel, json, status);
            return;
        };
        gathered.answers.push(json);
        gathered.missing = gathered.missing.saturating_sub(1);
        self.deliver_batch(channel, id);
    }

    /// Sends the answers to a batch when all are there.
    fn deliver_batch(&mut self, channel: ChannelId, id: u64) {
        if self.batches.get(&id).is_some_and(|batch| batch.missing == 0)
            && let Some(batch) = self.batches.remove(&id)
            && !batch.answers.is_empty()
        {
            let json = crate::object::list(batch.answers.iter().map(String::as_str));
            self.push(channel, json, 200);
        }
    }

    fn notified(&mut self, peer: PeerId, method: &str, params: &Params) {
        // Others change nothing here: `initialized` comes when it comes, and roots are asked for when they are needed.
        if method == "notifications/cancelled"
            && let Some(id) = params.get("requestId").and_then(Id::from_value)
        {
            self.cancel(peer, &id);
        }
    }

    /// A client does not wait for this any more: there is no answer to it.
    pub(super) fn cancel(&mut self, peer: PeerId, id: &Id) {
        let Some(found) = self.peers.get_mut(&peer) else { return };
        if let Some(listen) = found.listens.remove(id) {
            let target = Target {
                peer,
                channel: listen.channel,
                id: id.clone(),
                batch: None,
            };
            self.closed(&target);
            return;
        }
        let Some(call) = found.in_flight.get(id).copied() else {
            return;
        };
        let target = self.calls.get(&call).and_then(|call| call.target.clone());
        self.drop_call(call);
        if let Some(target) = target {
            if let Some(batch) = target.batch
                && let Some(gathered) = self.batches.get_mut(&batch)
            {
                gathered.missing = gathered.missing.saturating_sub(1);
                self.deliver_batch(target.channel, batch);
            }
            self.closed(&target);
        }
    }
}

/// Whether a request carries its own metadata, as from 2026-07-28 on.
fn has_envelope(params: &Params) -> bool {
    params
        .get("_meta")
        .and_then(Value::as_object)
        .is_some_and(|meta| meta.contains_key(super::modern::VERSION))
}
