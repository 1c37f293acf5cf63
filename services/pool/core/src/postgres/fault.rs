//! What is not the protocol.

/// What one end says that the protocol does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A length that no message can have.
    #[error("message {tag:?} says that it is {length} bytes long, which none can be")]
    Length {
        /// Its type; `\0` for the first message, which has none.
        tag: char,
        /// What it says.
        length: i64,
    },
    /// Longer than a message may be that has to be seen whole.
    #[error("message {tag:?} is {length} bytes long, more than the {most} that the pool takes")]
    TooLong {
        /// Its type.
        tag: char,
        /// What it says.
        length: usize,
        /// The limit.
        most: usize,
    },
    /// A type that this end does not send.
    #[error("message type {0:?} is not one that belongs here")]
    Type(char),
    /// A message whose inside does not add up.
    #[error("message {tag:?} is malformed: {rule}")]
    Malformed {
        /// Its type.
        tag: char,
        /// What it breaks.
        rule: &'static str,
    },
    /// A version of the protocol that there is not.
    #[error("protocol version {major}.{minor} is not 3.x")]
    Version {
        /// `major << 16 | minor` on the wire.
        major: u16,
        /// See `major`.
        minor: u16,
    },
    /// More than a client may keep.
    #[error("more than {0} prepared statements")]
    Statements(usize),
}

impl Fault {
    pub(super) fn malformed(tag: u8, rule: &'static str) -> Self {
        Self::Malformed { tag: tag.into(), rule }
    }
}
