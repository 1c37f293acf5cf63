//! POST: messages of a client.

use std::rc::Rc;

use serde_json::Value;

use super::{Head, Reply, Response, Stream, refuse};
use crate::engine::{Engine, Identity};
use crate::jsonrpc::{Incoming, Message, parse, write};
use crate::revision::Revision;

impl Engine {
    pub(super) fn post(&mut self, head: &Head, body: &[u8], identity: Option<&Rc<Identity>>) -> Reply {
        let json = head.header("content-type").is_some_and(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("application/json")
        });
        if !json {
            return Reply::Done(refuse(415, "\"Content-Type\" must be application/json"));
        }
        if !head.accepts("application/json") || !head.accepts("text/event-stream") {
            return Reply::Done(refuse(
                406,
                "\"Accept\" must name application/json and text/event-stream",
            ));
        }
        let incoming = parse(body);
        if let Incoming::One(Err(malformed)) = &incoming {
            let json = write::error(malformed.id.as_ref(), &malformed.error, None);
            return Reply::Done(Response::json(400, json));
        }
        if is_stateless(head, &incoming) {
            return self.post_stateless(head, incoming, identity);
        }
        self.post_session(head, incoming, identity).unwrap_or_else(Reply::Done)
    }

    /// From 2026-07-28 on: each request stands for itself.
    fn post_stateless(&mut self, head: &Head, incoming: Incoming, identity: Option<&Rc<Identity>>) -> Reply {
        match &incoming {
            Incoming::One(Ok(Message::Request { .. })) => {}
            // There is none that would change anything here: the end of a response is what cancels a request.
            Incoming::One(Ok(Message::Notification { .. })) => return Reply::Done(Response::empty(202)),
            Incoming::One(_) => return Reply::Done(refuse(400, "a client sends requests and notifications only")),
            Incoming::Batch(_) => return Reply::Done(refuse(400, "several messages at once are not served")),
        }
        let (peer, channel) = self.single(identity.cloned());
        self.accept(peer, channel, incoming, Some(&head.request_headers()));
        Reply::Stream(Stream {
            peer,
            channel,
            after: 0,
            reader: 0,
            session: None,
            resumable: false,
            primed: false,
            events: false,
        })
    }

    /// Up to 2025-11-25: a session begins, or goes on.
    fn post_session(
        &mut self,
        head: &Head,
        incoming: Incoming,
        identity: Option<&Rc<Identity>>,
    ) -> Result<Reply, Response> {
        let Some(session) = head.header("mcp-session-id") else {
            if !is_initialize(&incoming) {
                return Err(refuse(
                    400,
                    "\"Mcp-Session-Id\" is missing: a session begins with initialize",
                ));
            }
            let (peer, channel) = self.new_session(identity.cloned());
            self.accept(peer, channel, incoming, None);
            let session = self.session_id(peer);
            if session.is_none() {
                self.forget(peer);
            }
            return Ok(Reply::Stream(Stream {
                peer,
                channel,
                after: 0,
                reader: 0,
                session,
                resumable: false,
                primed: false,
                events: false,
            }));
        };
        let peer = self.session_of(session, identity)?;
        let revision = self.check_version(head, peer)?;
        // Those that are not served are told so, whatever is in them.
        let refused = matches!(incoming, Incoming::Batch(_)) && !revision.has_batches();
        if !refused && !is_answered(&incoming) {
            let nowhere = 0;
            self.accept(peer, nowhere, incoming, None);
            return Ok(Reply::Done(Response::empty(202)));
        }
        let channel = self.new_stream(peer);
        self.accept(peer, channel, incoming, None);
        Ok(Reply::Stream(Stream {
            peer,
            channel,
            after: 0,
            reader: 0,
            session: None,
            resumable: true,
            primed: revision.has_polling(),
            events: false,
        }))
    }
}

/// Whether a message is of the stateless era: its metadata says so, or its headers do.
fn is_stateless(head: &Head, incoming: &Incoming) -> bool {
    let in_meta = |message: &Message| match message {
        Message::Request { params, .. } | Message::Notification { params, .. } => params
            .get("_meta")
            .and_then(Value::as_object)
            .is_some_and(|meta| meta.contains_key("io.modelcontextprotocol/protocolVersion")),
        Message::Response { .. } => false,
    };
    let version = head.header("mcp-protocol-version");
    let in_header = version.is_some_and(|version| Revision::named(version).is_none_or(Revision::is_stateless));
    match incoming {
        Incoming::One(Ok(message)) => in_meta(message) || in_header,
        _ => in_header,
    }
}

fn is_initialize(incoming: &Incoming) -> bool {
    matches!(incoming, Incoming::One(Ok(Message::Request { method, .. })) if method == "initialize")
}

/// Whether something in it wants an answer.
fn is_answered(incoming: &Incoming) -> bool {
    match incoming {
        Incoming::One(message) => matches!(message, Ok(Message::Request { .. })),
        Incoming::Batch(messages) => messages
            .iter()
            .any(|message| matches!(message, Ok(Message::Request { .. }) | Err(_))),
    }
}
