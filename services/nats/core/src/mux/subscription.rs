//! Subscriptions: the client's name for each, the server's number, when it ends.

use bytes::{Bytes, BytesMut};

use super::inbox::is_inbox;
use super::{ConnectionId, LocalId, Mux};
use crate::protocol::{ProtocolError, to_server};
use crate::subject::{Pattern, is_pattern};

/// One subscription, of a client or of the service itself.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) owner: Owner,
    /// What the owner asked for.
    pub(super) pattern: Pattern,
    /// What the server was asked for: the same, or an inbox.
    subject: Bytes,
    queue: Option<Bytes>,
    pub(super) is_inbox: bool,
    delivered: u64,
    max: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Connection { id: ConnectionId, sid: Bytes },
    Local,
}

impl Subscription {
    /// Says it to a new server, as far as it goes on.
    pub(super) fn write(&self, out: &mut BytesMut, number: u64) {
        to_server::subscribe(out, &self.subject, self.queue.as_deref(), number);
        if let Some(max) = self.max {
            to_server::unsubscribe(out, number, Some(max.saturating_sub(self.delivered)));
        }
    }

    /// The client to be told that the server refuses to subscribe it to this subject, and the name that it knows it by.
    pub(super) fn refused(&self, subject: &str) -> Option<(ConnectionId, String)> {
        match &self.owner {
            Owner::Connection { id, .. } if self.subject == subject => Some((*id, self.pattern.to_string())),
            _ => None,
        }
    }

    /// Counts a message; whether it was the last.
    pub(super) fn count(&mut self) -> bool {
        self.delivered += 1;
        self.is_over()
    }

    fn is_over(&self) -> bool {
        self.max.is_some_and(|max| self.delivered >= max)
    }
}

impl Mux {
    pub(super) fn subscribe(
        &mut self,
        id: ConnectionId,
        subject: Bytes,
        queue: Option<Bytes>,
        sid: Bytes,
    ) -> Result<(), ProtocolError> {
        let Some(connection) = self.connections.get_mut(&id) else {
            return Ok(());
        };
        let pattern = Pattern::new(subject).map_err(|_| ProtocolError::InvalidSubject)?;
        if queue.as_deref().is_some_and(|queue| !is_pattern(queue)) {
            return Err(ProtocolError::InvalidSubject);
        }
        if connection.subscription(&sid).is_some() {
            return Ok(()); // As nats-server: the first one stays.
        }
        if connection.subscriptions().len() >= self.settings.max_subscriptions {
            return Err(ProtocolError::MaxSubscriptions);
        }
        let inbox = connection.inbox.upstream(pattern.as_bytes());
        let allowed = inbox.is_some() || self.settings.grants.may_subscribe(&pattern);
        if !allowed || is_inbox(pattern.as_bytes()) {
            let queue = queue.map(|queue| queue.to_vec());
            return Err(ProtocolError::SubscribeDenied(pattern.as_bytes().to_vec(), queue));
        }
        // An inbox is longer on the server's side, and the server would hang up on all clients.
        if !to_server::fits(inbox.as_ref().unwrap_or(pattern.as_bytes()), queue.as_deref()) {
            return Err(ProtocolError::MaxControlLine);
        }
        // What is kept must not hold on to the buffer that it was read into.
        let copy = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
        let sid = copy(&sid);
        self.last_subscription += 1;
        connection.add_subscription(sid.clone(), self.last_subscription);
        let subscription = Subscription {
            owner: Owner::Connection { id, sid },
            is_inbox: inbox.is_some(),
            subject: inbox.unwrap_or_else(|| copy(pattern.as_bytes())),
            pattern: pattern.detach(),
            queue: queue.as_ref().map(copy),
            delivered: 0,
            max: None,
        };
        self.add(subscription);
        Ok(())
    }

    fn add(&mut self, subscription: Subscription) {
        let number = self.last_subscription;
        self.upstream.control(|out| subscription.write(out, number));
        self.subscriptions.insert(number, subscription);
    }

    pub(super) fn unsubscribe(&mut self, id: ConnectionId, sid: &[u8], max: Option<u64>) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        if let Some(number) = connection.subscription(sid) {
            self.end_subscription(number, max);
        }
    }

    /// Ends a subscription, at once or after so many messages in all.
    fn end_subscription(&mut self, number: u64, max: Option<u64>) {
        let Some(subscription) = self.subscriptions.get_mut(&number) else {
            return;
        };
        subscription.max = max;
        self.upstream.control(|out| to_server::unsubscribe(out, number, max));
        if max.is_none() || subscription.is_over() {
            self.forget_subscription(number);
        }
    }

    pub(super) fn forget_subscription(&mut self, number: u64) {
        if let Some(Subscription {
            owner: Owner::Connection { id, sid },
            ..
        }) = self.subscriptions.remove(&number)
            && let Some(connection) = self.connections.get_mut(&id)
        {
            connection.remove_subscription(&sid);
        }
    }

    /// Subscribes for the service itself. Grants are for components and do not bind it.
    pub fn subscribe_local(&mut self, pattern: Pattern, queue: Option<&str>) -> LocalId {
        self.last_subscription += 1;
        self.add(Subscription {
            owner: Owner::Local,
            is_inbox: is_inbox(pattern.as_bytes()),
            subject: pattern.as_bytes().clone(),
            pattern,
            queue: queue.map(|queue| Bytes::copy_from_slice(queue.as_bytes())),
            delivered: 0,
            max: None,
        });
        LocalId(self.last_subscription)
    }

    /// Ends a subscription of the service itself.
    pub fn unsubscribe_local(&mut self, id: LocalId) {
        self.end_subscription(id.0, None);
    }
}
