//! What goes wrong in the protocol, said as nats-server says it: `-ERR 'Unknown Protocol Operation'`.
//!
//! nats-server closes a connection without a word when arguments do not parse; here the connection is told
//! `Parser Error` first, the text that the protocol's documentation has for it.

use std::fmt;

use crate::subject::lossy;

/// An error that a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// A line that begins with no known operation, or a payload that is longer than it said.
    UnknownOperation,
    /// A known operation whose arguments cannot be read.
    Parser,
    /// A control line longer than the limit.
    MaxControlLine,
    /// A payload larger than the limit.
    MaxPayload,
    /// HPUB by a client that did not ask for headers.
    HeadersNotSupported,
    /// `no_responders` without `headers`.
    NoRespondersRequiresHeaders,
    /// A protocol version that is neither 0 nor 1.
    InvalidClientProtocol,
    /// A subscription to what is no subject.
    InvalidSubject,
    /// A publish to what is no literal subject.
    InvalidPublishSubject,
    /// No grant covers the subject of a publish.
    PublishDenied(Vec<u8>),
    /// The reply subject of a publish is below one that nobody but its owner may use.
    ReplyDenied(Vec<u8>),
    /// No grant covers the subject of a subscription, with its queue group.
    SubscribeDenied(Vec<u8>, Option<Vec<u8>>),
    /// More subscriptions than one connection may have.
    MaxSubscriptions,
    /// More connections than the endpoint takes.
    MaxConnections,
    /// The client does not read what it subscribed to.
    SlowConsumer,
    /// No sign of life from the client, or the promise of a PONG cannot be kept because the server is gone.
    StaleConnection,
    /// What the server behind the endpoint refuses, in its words.
    Server(String),
}

impl ProtocolError {
    /// Whether the connection ends with it, as on nats-server.
    pub fn is_fatal(&self) -> bool {
        !matches!(
            self,
            Self::InvalidSubject
                | Self::InvalidPublishSubject
                | Self::PublishDenied(_)
                | Self::ReplyDenied(_)
                | Self::SubscribeDenied(..)
                | Self::MaxSubscriptions
                | Self::Server(_)
        )
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownOperation => "Unknown Protocol Operation",
            Self::Parser => "Parser Error",
            Self::MaxControlLine => "maximum control line exceeded",
            Self::MaxPayload => "Maximum Payload Violation",
            Self::HeadersNotSupported => "message headers not supported",
            Self::NoRespondersRequiresHeaders => "no responders requires headers support",
            Self::InvalidClientProtocol => "invalid client protocol",
            Self::InvalidSubject => "Invalid Subject",
            Self::InvalidPublishSubject => "Invalid Publish Subject",
            Self::PublishDenied(subject) => {
                return write!(f, "Permissions Violation for Publish to {:?}", lossy(subject));
            }
            Self::ReplyDenied(reply) => {
                return write!(f, "Permissions Violation for Publish with Reply of {:?}", lossy(reply));
            }
            Self::SubscribeDenied(subject, None) => {
                return write!(f, "Permissions Violation for Subscription to {:?}", lossy(subject));
            }
            Self::SubscribeDenied(subject, Some(queue)) => {
                let (subject, queue) = (lossy(subject), lossy(queue));
                return write!(
                    f,
                    "Permissions Violation for Subscription to {subject:?} using queue {queue:?}"
                );
            }
            Self::MaxSubscriptions => "maximum subscriptions exceeded",
            Self::MaxConnections => "maximum connections exceeded",
            Self::SlowConsumer => "Slow Consumer",
            Self::StaleConnection => "Stale Connection",
            Self::Server(text) => text,
        })
    }
}

impl std::error::Error for ProtocolError {}
