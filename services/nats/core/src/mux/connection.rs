//! One client of the loopback endpoint.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};

use super::inbox::Inbox;
use crate::protocol::from_client::Connect;
use crate::protocol::{Message, ProtocolError, to_client};

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) connect: Connect,
    pub(super) inbox: Inbox,
    /// Whether it asked JetStream to deliver to its inbox by name, so that answers may name the inbox.
    pub(super) named_inbox: bool,
    /// Whether it was told that there is a server behind the endpoint.
    pub(super) told_connected: bool,
    /// Whether it was told that it is slow, since it last caught up.
    pub(super) told_slow: bool,
    /// Its names for its subscriptions, and the server's numbers.
    sids: HashMap<Bytes, u64>,
    /// At most so many bytes of messages wait in `out`, and as many of everything else.
    limit: usize,
    out: BytesMut,
    /// Messages in `out`.
    messages: usize,
    /// Bytes in `out` that are no messages.
    answers: usize,
    ending: bool,
    /// What was said to the server since its last PING.
    published: bool,
    subscribed: bool,
}

impl Connection {
    pub(super) fn new(inbox: Inbox, limit: usize) -> Self {
        Self {
            connect: Connect::default(),
            inbox,
            named_inbox: false,
            told_connected: false,
            told_slow: false,
            sids: HashMap::new(),
            limit,
            out: BytesMut::new(),
            messages: 0,
            answers: 0,
            ending: false,
            published: false,
            subscribed: false,
        }
    }

    /// Tells it something that is no message. None of that can be dropped, so a client that does not read it, and too
    /// much of it waits, has to go.
    pub(super) fn tell(&mut self, write: impl FnOnce(&mut BytesMut)) {
        if self.ending {
            return;
        }
        let before = self.out.len();
        write(&mut self.out);
        self.answers += self.out.len() - before;
        if self.answers > self.limit {
            to_client::error(&mut self.out, &ProtocolError::SlowConsumer);
            self.ending = true;
        }
    }

    /// Whether a message fits beside what waits. One larger than the limit does when nothing waits, or it never would.
    pub(super) fn has_room(&self, message: &Message) -> bool {
        let messages = self.out.len() - self.answers.min(self.out.len());
        messages == 0 || messages + message.weight() <= self.limit
    }

    pub(super) fn hand_over(&mut self, sid: &[u8], message: &Message) {
        to_client::message(&mut self.out, sid, message, self.connect.headers);
        self.messages += 1;
    }

    /// Messages and bytes that wait to be written.
    pub(super) fn pending(&self) -> (usize, usize) {
        (self.messages, self.out.len())
    }

    pub(super) fn take_output(&mut self) -> BytesMut {
        self.told_slow = false;
        (self.messages, self.answers) = (0, 0);
        self.out.split()
    }

    pub(super) fn end(&mut self) {
        self.ending = true;
    }

    pub(super) fn is_ending(&self) -> bool {
        self.ending
    }

    /// The server's number for one of its subscriptions.
    pub(super) fn subscription(&self, sid: &[u8]) -> Option<u64> {
        self.sids.get(sid).copied()
    }

    /// The server's numbers for all of its subscriptions.
    pub(super) fn subscriptions(&self) -> impl ExactSizeIterator<Item = u64> + use<'_> {
        self.sids.values().copied()
    }

    pub(super) fn add_subscription(&mut self, sid: Bytes, number: u64) {
        self.sids.insert(sid, number);
        self.subscribed = true;
    }

    pub(super) fn remove_subscription(&mut self, sid: &[u8]) {
        self.sids.remove(sid);
        self.subscribed = true;
    }

    pub(super) fn has_published(&mut self) {
        self.published = true;
    }

    /// Whether the server has seen all that it said, as far as it asked.
    pub(super) fn is_settled(&self) -> bool {
        !self.published && !self.subscribed
    }

    /// All that it said so far is covered by a PING; whether there were publishes.
    pub(super) fn settle(&mut self) -> bool {
        self.subscribed = false;
        std::mem::take(&mut self.published)
    }
}
