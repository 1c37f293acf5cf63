//! Which subjects the components of a workload may publish and subscribe to.
//!
//! Nothing is allowed that no grant covers, and `$SYS` never is. A grant whose first token is a wildcard does not reach
//! the server's own subjects, those with a `$` in front (`$JS`, `$KV`, `$O`, `$SRV`): they are granted by name
//! (`$JS.API.>`). Replies need no grant: a component's own inboxes are its own, and the reply subject of a message that
//! came to a component of this workload may be published to, if it is one: whoever sends a message chooses its reply
//! subject, and must not make a component, or the service, delete a stream by answering.

use crate::jetstream::api::Api;
use crate::subject::{Pattern, SubjectError, first_token};

/// The grants of a service.
///
/// ```
/// use mainstay_nats_core::grants::Grants;
///
/// let grants = Grants::parse("orders.>, $KV.settings.>", "orders.*.created").unwrap();
/// assert!(grants.may_publish(b"orders.eu"));
/// assert!(!grants.may_publish(b"$KV.secrets.key"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    publish: Vec<Pattern>,
    subscribe: Vec<Pattern>,
}

/// A grant that cannot be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// Not a subject at all.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// `$SYS` and what is below it.
    #[error("{0:?} is the server's own; no grant can reach below $SYS")]
    System(String),
}

impl Grants {
    /// Reads two lists of patterns, with commas or blanks between them; an empty list grants nothing.
    pub fn parse(publish: &str, subscribe: &str) -> Result<Self, GrantError> {
        Ok(Self {
            publish: list(publish)?,
            subscribe: list(subscribe)?,
        })
    }

    /// Grants made of patterns.
    pub fn new(publish: Vec<Pattern>, subscribe: Vec<Pattern>) -> Self {
        Self { publish, subscribe }
    }

    /// Whether a component may publish to this subject. A wildcard in it is a token like any other to the server, and
    /// needs one in the grant.
    pub fn may_publish(&self, subject: &[u8]) -> bool {
        allowed(subject)
            && self
                .publish
                .iter()
                .any(|grant| grants(grant, subject, grant.matches(subject)))
    }

    /// Whether a component may subscribe to all that the pattern matches.
    pub fn may_subscribe(&self, pattern: &Pattern) -> bool {
        let subject = pattern.as_bytes();
        allowed(subject)
            && self
                .subscribe
                .iter()
                .any(|grant| grants(grant, subject, grant.covers(pattern)))
    }

    /// Whether a component may wait for replies at this literal subject.
    pub fn may_receive_at(&self, subject: &[u8]) -> bool {
        allowed(subject)
            && self
                .subscribe
                .iter()
                .any(|grant| grants(grant, subject, grant.matches(subject)))
    }

    /// Whether a message may be handed to a subscription of a component. `may_subscribe` cannot tell: below a wildcard
    /// that is granted (`>`) lie subjects that are not (`$SYS.ACCOUNT`, `$JS.EVENT`).
    pub fn may_receive(pattern: &Pattern, subject: &[u8]) -> bool {
        allowed(subject) && (!is_reserved(first_token(subject)) || is_reserved(pattern.first_token()))
    }
}

/// Whether a message with this reply subject can be answered: not where the server or JetStream would take the answer for a
/// request, but for the acknowledgement of a delivery and for flow control (ADR-15).
pub fn is_answerable(reply: &[u8], api: &Api) -> bool {
    let acknowledges = reply.starts_with(b"$JS.ACK.") || reply.starts_with(b"$JS.FC.");
    acknowledges || !(is_reserved(first_token(reply)) || api.covers(reply))
}

/// One grant, as text.
pub fn parse_grant(text: &str) -> Result<Pattern, GrantError> {
    let pattern: Pattern = text.parse()?;
    if allowed(pattern.as_bytes()) {
        Ok(pattern)
    } else {
        Err(GrantError::System(text.to_owned()))
    }
}

fn list(text: &str) -> Result<Vec<Pattern>, GrantError> {
    let items = text.split(|c: char| c == ',' || c.is_ascii_whitespace());
    items.filter(|item| !item.is_empty()).map(parse_grant).collect()
}

fn allowed(subject: &[u8]) -> bool {
    first_token(subject) != b"$SYS"
}

fn grants(grant: &Pattern, subject: &[u8], covered: bool) -> bool {
    covered && (!is_reserved(first_token(subject)) || is_reserved(grant.first_token()))
}

fn is_reserved(token: &[u8]) -> bool {
    token.first() == Some(&b'$')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(publish: &str, subscribe: &str) -> Grants {
        Grants::parse(publish, subscribe).unwrap()
    }

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn without_grants_nothing_is_allowed() {
        let none = Grants::default();
        assert!(!none.may_publish(b"a"));
        assert!(!none.may_subscribe(&pattern("a")));
    }

    #[test]
    fn a_grant_covers_what_it_matches() {
        let grants = grants("orders.>,audit", "orders.* \n news.>");
        assert!(grants.may_publish(b"orders.eu.created"));
        assert!(grants.may_publish(b"audit"));
        assert!(!grants.may_publish(b"audit.x"));
        assert!(grants.may_subscribe(&pattern("orders.*")));
        assert!(!grants.may_subscribe(&pattern("orders.>")));
        assert!(!grants.may_subscribe(&pattern(">")));
    }

    #[test]
    fn wildcards_do_not_reach_the_servers_own_subjects() {
        let all = grants(">,*.API.>", ">");
        assert!(!all.may_publish(b"$JS.API.STREAM.DELETE.ORDERS"));
        assert!(!all.may_subscribe(&pattern("$KV.settings.>")));
        assert!(all.may_subscribe(&pattern("*.>")));
        let named = grants("$JS.API.>", "$KV.settings.>");
        assert!(named.may_publish(b"$JS.API.INFO"));
        assert!(named.may_subscribe(&pattern("$KV.settings.a")));
        assert!(!Grants::may_receive(&pattern(">"), b"$JS.EVENT.ADVISORY.x"));
        assert!(Grants::may_receive(&pattern("$JS.EVENT.>"), b"$JS.EVENT.ADVISORY.x"));
        assert!(Grants::may_receive(&pattern(">"), b"orders"));
    }

    #[test]
    fn who_asks_cannot_have_the_answer_taken_for_a_request() {
        for (reply, answerable) in [
            ("_INBOX.x", true),
            ("orders.answers", true),
            ("$JS.ACK.S.c.1.2.3.4.5", true),
            ("$JS.FC.S.c.x", true),
            ("$JS.API.STREAM.DELETE.ORDERS", false),
            ("$JS.ACKS.x", false),
            ("$KV.settings.a", false),
            ("$SYS.REQ.SERVER.PING", false),
            ("acme.API.STREAM.DELETE.ORDERS", false),
        ] {
            assert_eq!(
                is_answerable(reply.as_bytes(), &Api::prefix("acme.API")),
                answerable,
                "{reply}"
            );
        }
    }

    #[test]
    fn the_system_account_is_never_reached() {
        let error = Grants::parse("$SYS.>", "").unwrap_err();
        assert_eq!(
            error.to_string(),
            r#""$SYS.>" is the server's own; no grant can reach below $SYS"#
        );
        let all = grants(">", ">");
        assert!(!all.may_publish(b"$SYS.REQ.SERVER.PING"));
        assert!(!all.may_subscribe(&pattern("$SYS.>")));
        assert!(!Grants::may_receive(&pattern("*.>"), b"$SYS.ACCOUNT.x"));
    }
}
