//! Inboxes: each connection has a part of the subject space to itself.
//!
//! Clients make up subjects below `_INBOX.` and wait there for replies. Upstream the inbox `_INBOX.x` of connection 7 is
//! `<prefix>.mainstay-inbox.<instance>.7.x`: the prefix is the one that the service's account may use, the instance a
//! random token of one connection of this life of the service. So no component can name another's inbox, and unmodified
//! clients work with accounts that restrict them to a prefix of their own.
//!
//! The token in the middle is the same in all services, replicas and connections. A subscription that is no inbox shows
//! nothing of what is below it, whatever wildcards it has and whoever's inbox it is.

use bytes::{Bytes, BytesMut};

/// What clients put in front of their inboxes.
const CLIENT_PREFIX: &[u8] = b"_INBOX.";

/// What all services have in their inboxes.
const MARK: &str = ".mainstay-inbox.";

/// The inboxes of all connections.
#[derive(Clone, Debug)]
pub(super) struct InboxSpace {
    /// `<prefix>.mainstay-inbox.<instance>.`
    start: Bytes,
}

/// The inboxes of one connection.
#[derive(Clone, Debug)]
pub(super) struct Inbox {
    /// `<prefix>.mainstay-inbox.<instance>.<connection>.`
    start: Bytes,
}

impl InboxSpace {
    pub(super) fn new(prefix: &str, instance: &str) -> Self {
        Self {
            start: Bytes::from(format!("{prefix}{MARK}{instance}.")),
        }
    }

    /// The inboxes of the connection with this number.
    pub(super) fn inbox(&self, number: u64) -> Inbox {
        let mut start = BytesMut::from(&self.start[..]);
        start.extend_from_slice(format!("{number}.").as_bytes());
        Inbox { start: start.freeze() }
    }
}

/// Whether a subject, as the server sees it, is an inbox of some client of some service.
pub(super) fn is_inbox(subject: &[u8]) -> bool {
    memchr::memmem::find(subject, MARK.as_bytes()).is_some()
}

impl Inbox {
    /// The server's subject for what the client calls `subject`, if that is an inbox.
    pub(super) fn upstream(&self, subject: &[u8]) -> Option<Bytes> {
        let rest = subject.strip_prefix(CLIENT_PREFIX)?;
        Some([&self.start, rest].concat().into())
    }

    /// What the client calls the server's `subject`, if that is an inbox of this client.
    pub(super) fn downstream(&self, subject: &[u8]) -> Option<Bytes> {
        let rest = subject.strip_prefix(&self.start[..])?;
        Some([CLIENT_PREFIX, rest].concat().into())
    }

    /// A subject of this inbox, as the server sees it.
    pub(super) fn subject(&self, rest: &str) -> Bytes {
        [&self.start, rest.as_bytes()].concat().into()
    }

    /// The payload with the server's names of this inbox in place of the client's `deliver_subject`, where it is JSON
    /// that has one: a request to JetStream for a push consumer or a snapshot names there where to deliver.
    pub(super) fn payload_upstream(&self, payload: &[u8]) -> Option<Bytes> {
        memchr::memmem::find(payload, b"\"deliver_subject\"")?;
        let mut request: serde_json::Value = serde_json::from_slice(payload).ok()?;
        let own = self.deliver_subject(&mut request);
        let nested = request
            .get_mut("config")
            .is_some_and(|config| self.deliver_subject(config));
        if own || nested {
            serde_json::to_vec(&request).ok().map(Bytes::from)
        } else {
            None
        }
    }

    fn deliver_subject(&self, request: &mut serde_json::Value) -> bool {
        let Some(value) = request.get_mut("deliver_subject") else {
            return false;
        };
        let Some(upstream) = value.as_str().and_then(|subject| self.upstream(subject.as_bytes())) else {
            return false;
        };
        *value = serde_json::Value::String(String::from_utf8_lossy(&upstream).into_owned());
        true
    }

    /// The payload with the client's names of this inbox in place of the server's, where it has some.
    pub(super) fn payload_downstream(&self, payload: &[u8]) -> Option<Bytes> {
        let mut found = memchr::memmem::find_iter(payload, &self.start[..]).peekable();
        found.peek()?;
        let mut out = Vec::with_capacity(payload.len());
        let mut rest = 0;
        for at in found {
            out.extend_from_slice(payload.get(rest..at).unwrap_or_default());
            out.extend_from_slice(CLIENT_PREFIX);
            rest = at + self.start.len();
        }
        out.extend_from_slice(payload.get(rest..).unwrap_or_default());
        Some(out.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbox() -> Inbox {
        InboxSpace::new("_INBOX_team", "Ab3").inbox(7)
    }

    #[test]
    fn an_inbox_has_another_name_upstream_and_gets_its_own_back() {
        let upstream = inbox().upstream(b"_INBOX.x.*").unwrap();
        assert_eq!(upstream, "_INBOX_team.mainstay-inbox.Ab3.7.x.*");
        assert_eq!(inbox().downstream(&upstream).unwrap(), "_INBOX.x.*");
        assert_eq!(inbox().upstream(b"orders"), None);
        assert_eq!(inbox().downstream(b"_INBOX_team.mainstay-inbox.Ab3.77.x"), None);
    }

    #[test]
    fn a_push_consumer_delivers_to_the_real_inbox() {
        let request = br#"{"stream_name":"S","config":{"deliver_subject":"_INBOX.x","name":"c"}}"#;
        let upstream = inbox().payload_upstream(request).unwrap();
        assert!(
            memchr::memmem::find(&upstream, br#""deliver_subject":"_INBOX_team.mainstay-inbox.Ab3.7.x""#).is_some()
        );
        let back = inbox().payload_downstream(&upstream).unwrap();
        assert!(memchr::memmem::find(&back, br#""deliver_subject":"_INBOX.x""#).is_some());
        assert_eq!(inbox().payload_upstream(br#"{"deliver_subject":"orders"}"#), None);
        assert_eq!(inbox().payload_upstream(b"\"deliver_subject\""), None);
        assert_eq!(inbox().payload_downstream(b"{}"), None);
    }
}
