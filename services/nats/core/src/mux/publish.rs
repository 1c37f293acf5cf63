//! Whether a client's message goes to the server, and under which names.

use bytes::Bytes;

use super::inbox::is_inbox;
use super::{ConnectionId, Flushed, Mux, Waiter};
use crate::protocol::{Message, ProtocolError, to_server};
use crate::subject::{is_literal, is_pattern};

impl Mux {
    /// Passes a client's message on, if it may publish it.
    pub(super) fn publish(&mut self, id: ConnectionId, mut message: Message) -> Result<(), ProtocolError> {
        // Clients put filters into subjects (`$JS.API.CONSUMER.CREATE.S.c.orders.>`), so wildcards are taken as they are.
        let pedantic = self
            .connections
            .get(&id)
            .is_some_and(|connection| connection.connect.pedantic);
        let valid = if pedantic { is_literal } else { is_pattern };
        if !valid(&message.subject) || message.reply.as_deref().is_some_and(|reply| !is_literal(reply)) {
            return Err(ProtocolError::InvalidPublishSubject);
        }
        message.subject = self
            .publish_subject(id, &message.subject)
            .ok_or_else(|| ProtocolError::PublishDenied(message.subject.to_vec()))?;
        if let Some(reply) = message.reply {
            let upstream = self
                .reply_subject(id, &reply)
                .ok_or_else(|| ProtocolError::ReplyDenied(reply.to_vec()))?;
            message.reply = Some(upstream);
        }
        // Inboxes are longer on the server's side, and the server would hang up on all clients.
        if !to_server::fits(&message.subject, message.reply.as_deref()) {
            return Err(ProtocolError::MaxControlLine);
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            return Ok(());
        };
        if self.settings.api.covers(&message.subject)
            && let Some(payload) = connection.inbox.payload_upstream(&message.payload)
        {
            connection.named_inbox = true;
            message.payload = payload;
        }
        connection.has_published();
        self.upstream.publish(&message);
        Ok(())
    }

    /// The server's name for what a client publishes to; `None` if it may not.
    fn publish_subject(&self, id: ConnectionId, subject: &Bytes) -> Option<Bytes> {
        // The reply subject of a message that came to this workload, an inbox of whomever.
        if self.settings.permits.allows(subject) {
            return Some(subject.clone());
        }
        if let Some(inbox) = self.connections.get(&id)?.inbox.upstream(subject) {
            return self.listens(id, subject).then_some(inbox);
        }
        let allowed = !is_inbox(subject) && self.settings.grants.may_publish(subject);
        allowed.then(|| subject.clone())
    }

    /// Whether a client has subscribed to this inbox of its own.
    fn listens(&self, id: ConnectionId, subject: &[u8]) -> bool {
        let numbers = self
            .connections
            .get(&id)
            .into_iter()
            .flat_map(|connection| connection.subscriptions());
        let mut subscriptions = numbers.filter_map(|number| self.subscriptions.get(&number));
        subscriptions.any(|subscription| subscription.is_inbox && subscription.pattern.matches(subject))
    }

    /// The server's name for where a client waits for a reply; `None` if it must not send others there.
    fn reply_subject(&self, id: ConnectionId, reply: &Bytes) -> Option<Bytes> {
        if self.settings.permits.allows(reply) {
            return Some(reply.clone());
        }
        if let Some(inbox) = self.connections.get(&id)?.inbox.upstream(reply) {
            return Some(inbox);
        }
        let grants = &self.settings.grants;
        let allowed = !is_inbox(reply) && (grants.may_receive_at(reply) || grants.may_publish(reply));
        allowed.then(|| reply.clone())
    }

    /// Publishes for the service itself. Grants are for components and do not bind it.
    pub fn publish_local(&mut self, message: &Message) {
        self.upstream.publish(message);
    }

    /// Lets the service itself wait until the server has seen all that was said so far: [`super::Delivered::Flushed`]
    /// with the number.
    pub fn flush_local(&mut self, number: u64) {
        self.upstream.flush(Waiter {
            who: Flushed::Local(number),
            published: true,
            times: 1,
        });
    }

    /// An inbox of the service itself.
    pub fn local_inbox(&self, rest: &str) -> Bytes {
        self.own_inbox.subject(rest)
    }

    /// Allows components to publish to the reply subject of a message that the service hands to one of them.
    pub fn permit_reply(&self, reply: &[u8]) {
        self.settings.permit_reply(reply);
    }

    /// Whether a message with this reply subject can be answered, by the service itself or by a component.
    pub fn may_answer(&self, reply: &[u8]) -> bool {
        self.settings.may_answer(reply)
    }
}
