//! To whom a message of the server goes.

use super::inbox::is_inbox;
use super::{ConnectionId, Delivered, Flushed, LocalId, Mux, Owner, SlowConsumer};
use crate::grants::Grants;
use crate::headers::{self, Headers};
use crate::protocol::from_server::ServerOperation;
use crate::protocol::{Message, ProtocolError, to_client, to_server};

impl Mux {
    /// The server says something. INFO and errors are for the one who holds the connection.
    pub fn server(&mut self, operation: ServerOperation) -> Delivered {
        self.upstream.heard();
        match operation {
            ServerOperation::Message { sid, message } => self.deliver(sid, message),
            ServerOperation::Ping => {
                self.upstream.control(to_server::pong);
                Delivered::Nothing
            }
            ServerOperation::Pong => self.pong(),
            ServerOperation::Info(_) | ServerOperation::Ok | ServerOperation::Error(_) => Delivered::Nothing,
        }
    }

    fn pong(&mut self) -> Delivered {
        match self.upstream.pong().map(|waiter| (waiter.who, waiter.times)) {
            Some((Flushed::Local(number), _)) => return Delivered::Flushed(number),
            Some((Flushed::Connection(id), times)) => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    for _ in 0..times {
                        if connection.is_ending() {
                            break;
                        }
                        connection.tell(to_client::pong);
                    }
                    self.ready.push(id);
                }
            }
            Some((Flushed::Nobody, _)) | None => {}
        }
        Delivered::Nothing
    }

    fn deliver(&mut self, number: u64, message: Message) -> Delivered {
        let Some(subscription) = self.subscriptions.get_mut(&number) else {
            return Delivered::Nothing;
        };
        let last = subscription.count();
        let inbox = subscription.is_inbox;
        let delivered = match subscription.owner.clone() {
            // A reply for someone else, of this service or of another one.
            _ if !inbox && is_inbox(&message.subject) => Delivered::Nothing,
            Owner::Local => Delivered::Local(LocalId(number), message),
            Owner::Connection { id, sid } => {
                if inbox || Grants::may_receive(&subscription.pattern, &message.subject) {
                    self.hand_over(id, &sid, message, inbox)
                } else {
                    Delivered::Nothing
                }
            }
        };
        if last {
            self.forget_subscription(number);
        }
        delivered
    }

    fn hand_over(&mut self, id: ConnectionId, sid: &[u8], mut message: Message, inbox: bool) -> Delivered {
        let Some(connection) = self.connections.get_mut(&id) else {
            return Delivered::Nothing;
        };
        if connection.is_ending() {
            return Delivered::Nothing;
        }
        if inbox {
            let status = message.headers.as_deref().and_then(headers::status);
            let nobody = status
                .as_ref()
                .is_some_and(|status| status.code == headers::NO_RESPONDERS);
            if nobody && !connection.connect.no_responders {
                return Delivered::Nothing;
            }
            if let Some(subject) = connection.inbox.downstream(&message.subject) {
                message.subject = subject;
            }
            if connection.named_inbox
                && let Some(payload) = connection.inbox.payload_downstream(&message.payload)
            {
                message.payload = payload;
            }
            // A push consumer that is held up says so in a heartbeat, and the client answers to the subject in it.
            if status.is_some_and(|status| status.code == 100)
                && let Some(stalled) = message.headers.as_deref().and_then(|block| Headers::parse(block).ok())
                && let Some(reply) = stalled.first("Nats-Consumer-Stalled")
            {
                self.settings.permit_reply(reply.as_bytes());
            }
        }
        if !connection.has_room(&message) {
            return self.slow(id, message);
        }
        if let Some(reply) = &message.reply {
            self.settings.permit_reply(reply);
        }
        connection.hand_over(sid, &message);
        self.ready.push(id);
        Delivered::Nothing
    }

    fn slow(&mut self, id: ConnectionId, message: Message) -> Delivered {
        let Some(connection) = self.connections.get_mut(&id) else {
            return Delivered::Nothing;
        };
        let (messages, bytes) = connection.pending();
        match self.settings.slow_consumer {
            SlowConsumer::Disconnect => self.tell(id, &ProtocolError::SlowConsumer),
            SlowConsumer::Drop if connection.told_slow => {}
            SlowConsumer::Drop => {
                connection.told_slow = true;
                connection.tell(|out| {
                    to_client::error(out, &ProtocolError::SlowConsumer);
                });
                self.ready.push(id);
            }
        }
        Delivered::Slow {
            connection: id,
            subject: message.subject,
            messages,
            bytes,
        }
    }
}
