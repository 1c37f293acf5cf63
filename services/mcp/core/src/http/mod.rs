//! Streamable HTTP, in both its eras: what a request comes to.
//!
//! The head of a request is looked at first ([`Gate::admit`]), then its body is read, then [`Engine::http`] says what is
//! answered: a whole response, or a stream of the engine. If its first message is its last, that is the response, as JSON;
//! otherwise all are told as events ([`sse`]).

mod gate;
mod post;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use crate::channel::ChannelId;
use crate::engine::{Engine, Identity, PeerId, ReaderId, SessionError, Taken};
use crate::error::RpcError;
use crate::headers::RequestHeaders;
use crate::jsonrpc::write;
use crate::revision::Revision;
use crate::sse;

pub use gate::Gate;

/// The head of a request.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// `GET`, `POST`.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Names in lower case, values as they came.
    pub headers: Vec<(String, String)>,
}

/// A whole response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body, UTF-8.
    pub body: String,
}

/// What a request comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// This.
    Done(Response),
    /// What comes in a channel of the engine.
    Stream(Stream),
}

/// A response that the engine's messages make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Whose request it is.
    pub peer: PeerId,
    /// Where the messages come.
    pub channel: ChannelId,
    /// They come after this number.
    pub after: u64,
    /// Who reads them, where it is a session's own stream.
    pub reader: ReaderId,
    /// The id of a session that begins with this response.
    pub session: Option<String>,
    /// Clients can ask for what they lost.
    pub resumable: bool,
    /// It begins with an event that says so (SEP-1699).
    pub primed: bool,
    /// It is asked for by GET: events from the first on, whatever comes.
    pub events: bool,
}

impl Head {
    /// A header, if it is there once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(header, _)| header == name);
        let (_, value) = found.next()?;
        Some(value.trim_matches([' ', '\t'])).filter(|_| found.next().is_none())
    }

    fn request_headers(&self) -> RequestHeaders {
        let owned = |name| self.header(name).map(str::to_owned);
        let parameters = self
            .headers
            .iter()
            .filter(|(name, _)| name.starts_with(crate::headers::PARAMETER));
        RequestHeaders {
            version: owned("mcp-protocol-version"),
            method: owned("mcp-method"),
            name: owned("mcp-name"),
            parameters: parameters.cloned().collect(),
        }
    }

    /// Whether a client takes a media type.
    fn accepts(&self, wanted: &str) -> bool {
        let mut accepted = self.headers.iter().filter(|(name, _)| name == "accept").peekable();
        if accepted.peek().is_none() {
            return true;
        }
        let every = wanted
            .split_once('/')
            .map_or(String::new(), |(group, _)| format!("{group}/*"));
        accepted.flat_map(|(_, value)| value.split(',')).any(|range| {
            let range = range.split(';').next().unwrap_or_default().trim();
            range.eq_ignore_ascii_case(wanted) || range == "*/*" || range.eq_ignore_ascii_case(&every)
        })
    }
}

impl Response {
    /// One without a body.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// One whose body is JSON.
    pub fn json(status: u16, body: String) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body,
        }
    }

    /// The same with its length told, unless it is of a kind that has none (RFC 9110 §8.6).
    #[must_use]
    pub fn with_length(mut self) -> Self {
        if self.status != 204 {
            self.headers.push(("content-length", self.body.len().to_string()));
        }
        self
    }

    /// One that says what is wrong, without the id of a request.
    pub fn refusal(status: u16, error: &RpcError) -> Self {
        Self::json(status, write::error(None, error, None))
    }
}

fn refuse(status: u16, message: &str) -> Response {
    Response::refusal(status, &RpcError::request(message))
}

impl Engine {
    /// What a request comes to that was admitted, with its whole body.
    pub fn http(&mut self, head: &Head, body: &[u8], identity: Option<&Rc<Identity>>) -> Reply {
        let done = match head.method.as_str() {
            "POST" => return self.post(head, body, identity),
            "GET" => self.get(head, identity),
            "DELETE" => self
                .delete(head, identity)
                .map_or_else(Err, |response| Ok(Reply::Done(response))),
            _ => Err(not_allowed()),
        };
        done.unwrap_or_else(Reply::Done)
    }

    /// The stream of a session, or one that was lost.
    fn get(&mut self, head: &Head, identity: Option<&Rc<Identity>>) -> Result<Reply, Response> {
        let session = head.header("mcp-session-id").ok_or_else(not_allowed)?;
        if !head.accepts("text/event-stream") {
            return Err(refuse(406, "\"Accept\" must name text/event-stream"));
        }
        let peer = self.session_of(session, identity)?;
        let revision = self.check_version(head, peer)?;
        let taken = match head.header("last-event-id") {
            None => self.own_stream(peer),
            Some(id) => match sse::parse_event_id(id) {
                Some((channel, after)) => self.lost_stream(peer, channel, after),
                None => Err(SessionError::NoStream),
            },
        };
        let Taken { channel, after, reader } = taken.map_err(|error| match error {
            SessionError::Taken => refuse(409, &error.to_string()),
            SessionError::Unknown | SessionError::NoStream => refuse(404, &error.to_string()),
        })?;
        Ok(Reply::Stream(Stream {
            peer,
            channel,
            after,
            reader,
            session: None,
            resumable: true,
            primed: revision.has_polling(),
            events: true,
        }))
    }

    fn delete(&mut self, head: &Head, identity: Option<&Rc<Identity>>) -> Result<Response, Response> {
        let session = head.header("mcp-session-id").ok_or_else(not_allowed)?;
        let peer = self.session_of(session, identity)?;
        self.disconnect(peer);
        Ok(Response::empty(204))
    }

    fn session_of(&mut self, session: &str, identity: Option<&Rc<Identity>>) -> Result<PeerId, Response> {
        let found = self.session(session, identity.map(Rc::as_ref));
        found.map_err(|error| refuse(404, &error.to_string()))
    }

    /// The revision of a session. A header that names one must name one that is served.
    fn check_version(&self, head: &Head, peer: PeerId) -> Result<Revision, Response> {
        if let Some(version) = head.header("mcp-protocol-version")
            && Revision::named(version).is_none_or(Revision::is_stateless)
        {
            return Err(Response::refusal(400, &RpcError::version(version)));
        }
        Ok(self.revision_of(peer).unwrap_or(Revision::LATEST_LEGACY))
    }
}

fn not_allowed() -> Response {
    let mut response = refuse(405, "this endpoint takes POST, and GET and DELETE with a session");
    response
        .headers
        .push(("allow", "POST, GET, DELETE, OPTIONS".to_owned()));
    response
}
