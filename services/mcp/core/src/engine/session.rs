//! Sessions and streams of HTTP before 2026-07-28.

use std::rc::Rc;

use super::call::Identity;
use super::peer::Peer;
use super::{Engine, PeerId, ReaderId, Transport};
use crate::channel::{Channel, ChannelId};

/// So many responses of a session can be asked for again.
const STREAMS: usize = 64;

/// Why there is no such stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// No session has this id, or not any more, or it is somebody else's.
    #[error("there is no such session")]
    Unknown,
    /// Somebody reads the session's own stream already.
    #[error("the stream of the session is being read")]
    Taken,
    /// The stream is not the session's, or not any more.
    #[error("there is no such stream")]
    NoStream,
}

/// A stream, and the number after which it is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The stream.
    pub channel: ChannelId,
    /// Read from the message after this one.
    pub after: u64,
    /// Who reads it now, for [`Engine::released`].
    pub reader: ReaderId,
}

impl Engine {
    /// A client that has not introduced itself yet, and the stream of its first response.
    pub(crate) fn new_session(&mut self, identity: Option<Rc<Identity>>) -> (PeerId, ChannelId) {
        let peer = self.add_peer(Transport::Session, identity);
        let channel = self.open_channel(0);
        (peer, channel)
    }

    /// A request that stands for itself, and the stream of its response.
    pub(crate) fn single(&mut self, identity: Option<Rc<Identity>>) -> (PeerId, ChannelId) {
        let peer = self.add_peer(Transport::Single, identity);
        let channel = self.open_channel(0);
        (peer, channel)
    }

    /// The handshake has succeeded: the session begins, and another may have to go.
    pub(super) fn begin_session(&mut self, id: PeerId) {
        if self.sessions.len() >= self.settings.sessions {
            let idle = self.sessions.values().copied();
            let seen = |peer: &PeerId| self.peers.get(peer).map_or(0, |peer| peer.seen);
            if let Some(idle) = idle.min_by_key(seen) {
                self.disconnect(idle);
            }
        }
        let keep = self.settings.keep;
        let general = self.open_channel(keep);
        let session = format!("{:032x}", rand::random::<u128>());
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.session = Some(session.clone());
            peer.general = Some(general);
            self.sessions.insert(session, id);
        }
    }

    /// The id of a peer's session.
    pub(crate) fn session_id(&self, peer: PeerId) -> Option<String> {
        self.peers.get(&peer)?.session.clone()
    }

    /// A handshake has failed: nothing is remembered of it.
    pub(crate) fn forget(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
    }

    /// A session, if it is the caller's.
    pub(crate) fn session(&mut self, session: &str, identity: Option<&Identity>) -> Result<PeerId, SessionError> {
        let id = *self.sessions.get(session).ok_or(SessionError::Unknown)?;
        let now = self.now;
        let peer = self.peers.get_mut(&id).ok_or(SessionError::Unknown)?;
        // A session is its first user's: whoever learned its id is nobody yet.
        let who = |identity: &Identity| (identity.issuer.clone(), identity.subject.clone());
        if peer.identity.as_deref().map(who) != identity.map(who) {
            return Err(SessionError::Unknown);
        }
        peer.seen = now;
        Ok(id)
    }

    /// The revision of a peer.
    pub(crate) fn revision_of(&self, peer: PeerId) -> Option<crate::revision::Revision> {
        self.peers.get(&peer).and_then(Peer::revision)
    }

    /// The stream of a response in a session. Older ones go if there are too many.
    pub(crate) fn new_stream(&mut self, peer: PeerId) -> ChannelId {
        let keep = self.settings.keep;
        let channel = self.open_channel(keep);
        let Some(found) = self.peers.get_mut(&peer) else {
            return channel;
        };
        // Newest first: what is over the bounds is oldest, and goes if nobody waits for it.
        let (mut held, mut kept, mut gone) = (0, vec![channel], Vec::new());
        for stream in std::mem::take(&mut found.streams).into_iter().rev() {
            let Some(state) = self.channels.get(&stream) else {
                continue;
            };
            held += state.held();
            if state.is_done() && (held > keep || kept.len() >= STREAMS) {
                gone.push(stream);
            } else {
                kept.push(stream);
            }
        }
        kept.reverse();
        found.streams = kept;
        gone.iter().for_each(|stream| drop(self.channels.remove(stream)));
        channel
    }

    /// The session's own stream, which one reads at a time.
    pub(crate) fn own_stream(&mut self, peer: PeerId) -> Result<Taken, SessionError> {
        let reader = self.next_id();
        let found = self.peers.get_mut(&peer).ok_or(SessionError::Unknown)?;
        let channel = found.general.ok_or(SessionError::NoStream)?;
        if found.reader.is_some() {
            return Err(SessionError::Taken);
        }
        found.reader = Some(reader);
        let after = self.channels.get(&channel).map_or(0, Channel::taken);
        Ok(Taken { channel, after, reader })
    }

    /// A stream from where a client lost it.
    pub(crate) fn lost_stream(&mut self, peer: PeerId, channel: ChannelId, after: u64) -> Result<Taken, SessionError> {
        let reader = self.next_id();
        let found = self.peers.get_mut(&peer).ok_or(SessionError::Unknown)?;
        if found.general == Some(channel) {
            // The connection that had it may not know yet that it is gone.
            found.reader = Some(reader);
        } else if !found.streams.contains(&channel) {
            return Err(SessionError::NoStream);
        }
        let stream = self.channels.get_mut(&channel).ok_or(SessionError::NoStream)?;
        stream.resume();
        Ok(Taken { channel, after, reader })
    }

    /// A reader of the session's own stream has gone. Another one may have taken it up already.
    pub fn released(&mut self, peer: PeerId, reader: ReaderId) {
        if let Some(found) = self.peers.get_mut(&peer)
            && found.reader == Some(reader)
        {
            found.reader = None;
        }
    }

    /// Ends sessions that were idle for too long. One whose stream is read or that waits for an answer is not idle.
    pub(super) fn expire_sessions(&mut self) {
        let oldest = self.now.saturating_sub(self.settings.session_ttl);
        let idle = |peer: &&PeerId| {
            let idle = |peer: &Peer| peer.seen < oldest && peer.reader.is_none() && peer.in_flight.is_empty();
            self.peers.get(*peer).is_some_and(idle)
        };
        let idle: Vec<PeerId> = self.sessions.values().filter(idle).copied().collect();
        idle.into_iter().for_each(|peer| self.disconnect(peer));
    }
}
