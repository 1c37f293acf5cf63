//! What `pool-client.wasm` and the service say to each other: frames of a kind, a length and that many bytes.
//!
//! A connection on the service's lease port is one lease, or one question for figures. The client begins with
//! [`Ask::Acquire`] or [`Ask::Figures`], after an [`Ask::Token`] where the service wants one. After [`Tell::Granted`] both sides pass [`Data`](Ask::Data) on; the client ends with
//! [`Ask::Release`], which the service answers, or hangs up, which closes the connection to the upstream.
//!
//! | byte | from the client | from the service |
//! |---|---|---|
//! | `T` | a token | |
//! | `A` | acquire: nanoseconds (8 bytes), name | |
//! | `S` | figures: name | eleven numbers (8 bytes each) |
//! | `D` | bytes for the upstream | bytes of the upstream |
//! | `R` | release as clean: how many bytes were read (8 bytes) | it is back in the pool |
//! | `G` | | granted: the connection's number (8 bytes) |
//! | `E` | | the upstream has ended its stream |
//! | `X` | | refused: a [`Refusal`] (1 byte), a text |
//!
//! Numbers are big-endian. Both ends are of one release, so there is no version to agree on.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::pool::{AcquireError, Stats};

/// The most bytes in a frame.
pub const FRAME: usize = 64 * 1024;

/// A kind and a length.
const HEAD: usize = 5;

/// What the client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Who it is.
    Token(Bytes),
    /// A connection of this pool.
    Acquire {
        /// The longest wait in nanoseconds; 0 for the pool's own.
        timeout: u64,
        /// The pool.
        name: String,
    },
    /// The figures of this pool.
    Figures(String),
    /// To be passed on to the upstream.
    Data(Bytes),
    /// The connection is as good as new. So many bytes of the upstream were read.
    Release {
        /// All that it said, if nothing was left behind.
        read: u64,
    },
}

/// What the service says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tell {
    /// Here it is.
    Granted {
        /// Its number.
        connection: u64,
    },
    /// The upstream says this.
    Data(Bytes),
    /// The upstream will say nothing more.
    End,
    /// The connection is back in the pool.
    Released,
    /// There is none, or no more.
    Refused(Refusal, String),
    /// Figures.
    Figures(Figures),
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No pool has that name.
    NoSuchPool,
    /// It has connections for drivers only.
    NotLeasable,
    /// See [`AcquireError::TimedOut`].
    TimedOut,
    /// See [`AcquireError::QueueFull`].
    QueueFull,
    /// See [`AcquireError::CircuitOpen`].
    CircuitOpen,
    /// See [`AcquireError::Rejected`].
    Rejected,
    /// See [`AcquireError::Draining`].
    Draining,
    /// It was given back as clean and is not.
    Unclean,
    /// The upstream is lost.
    Lost,
    /// The client does not keep to this protocol.
    Protocol,
    /// The client has not said a token of the service.
    Token,
}

impl Refusal {
    const ALL: [Self; 11] = [
        Self::NoSuchPool,
        Self::NotLeasable,
        Self::TimedOut,
        Self::QueueFull,
        Self::CircuitOpen,
        Self::Rejected,
        Self::Draining,
        Self::Unclean,
        Self::Lost,
        Self::Protocol,
        Self::Token,
    ];
}

impl From<&AcquireError> for Refusal {
    fn from(error: &AcquireError) -> Self {
        match error {
            AcquireError::TimedOut { .. } => Self::TimedOut,
            AcquireError::QueueFull { .. } => Self::QueueFull,
            AcquireError::CircuitOpen { .. } => Self::CircuitOpen,
            AcquireError::Rejected(_) => Self::Rejected,
            AcquireError::Draining => Self::Draining,
        }
    }
}

/// A pool's figures, in the order of the WIT's record.
pub type Figures = [u64; 11];

/// The figures as they go over the wire.
pub fn figures(stats: &Stats) -> Figures {
    let count = |number: usize| number as u64;
    [
        count(stats.active),
        count(stats.idle),
        count(stats.connecting),
        count(stats.waiting),
        stats.connects,
        stats.connect_failures,
        stats.acquires,
        stats.refusals,
        stats.timeouts,
        stats.leaks,
        stats.closes,
    ]
}

/// What is no frame of this protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no frame: {0}")]
pub struct Malformed(&'static str);

impl Ask {
    /// Appends it. Data that is longer than a frame becomes several.
    pub fn encode(&self, into: &mut BytesMut) {
        match self {
            Self::Token(token) => frame(into, b'T', &[token]),
            Self::Acquire { timeout, name } => frame(into, b'A', &[&timeout.to_be_bytes(), name.as_bytes()]),
            Self::Figures(name) => frame(into, b'S', &[name.as_bytes()]),
            Self::Data(bytes) => data(into, bytes),
            Self::Release { read } => frame(into, b'R', &[&read.to_be_bytes()]),
        }
    }

    /// Takes the first one off, if it is there whole.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(from: &mut BytesMut) -> Result<Option<Self>, Malformed> {
        let Some((kind, mut body)) = take(from)? else {
            return Ok(None);
        };
        Ok(Some(match kind {
            b'T' => Self::Token(body),
            b'A' => Self::Acquire {
                timeout: number(&mut body)?,
                name: text(&body),
            },
            b'S' => Self::Figures(text(&body)),
            b'D' => Self::Data(body),
            b'R' => Self::Release {
                read: number(&mut body)?,
            },
            _ => return Err(Malformed("of no kind that a client has")),
        }))
    }
}

impl Tell {
    /// Appends it. Data that is longer than a frame becomes several.
    pub fn encode(&self, into: &mut BytesMut) {
        match self {
            Self::Granted { connection } => frame(into, b'G', &[&connection.to_be_bytes()]),
            Self::Data(bytes) => data(into, bytes),
            Self::End => frame(into, b'E', &[]),
            Self::Released => frame(into, b'R', &[]),
            Self::Refused(refusal, why) => {
                let kind = Refusal::ALL.iter().position(|other| other == refusal);
                let kind = kind.and_then(|kind| u8::try_from(kind).ok()).unwrap_or_default();
                // A text may quote an upstream at length.
                let why = why.as_bytes();
                frame(into, b'X', &[&[kind], why.get(..FRAME - 1).unwrap_or(why)]);
            }
            Self::Figures(figures) => {
                let bytes: Vec<u8> = figures.iter().flat_map(|figure| figure.to_be_bytes()).collect();
                frame(into, b'S', &[&bytes]);
            }
        }
    }

    /// Takes the first one off, if it is there whole.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(from: &mut BytesMut) -> Result<Option<Self>, Malformed> {
        let Some((kind, mut body)) = take(from)? else {
            return Ok(None);
        };
        Ok(Some(match kind {
            b'G' => Self::Granted {
                connection: number(&mut body)?,
            },
            b'D' => Self::Data(body),
            b'E' => Self::End,
            b'R' => Self::Released,
            b'X' => {
                let kind = body.first().and_then(|kind| Refusal::ALL.get(usize::from(*kind)));
                let refusal = *kind.ok_or(Malformed("a refusal without a reason"))?;
                body.advance(1);
                Self::Refused(refusal, text(&body))
            }
            b'S' => {
                let mut figures = Figures::default();
                for figure in &mut figures {
                    *figure = number(&mut body)?;
                }
                Self::Figures(figures)
            }
            _ => return Err(Malformed("of no kind that the service has")),
        }))
    }
}

fn frame(into: &mut BytesMut, kind: u8, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    into.reserve(HEAD + length);
    into.put_u8(kind);
    // One that is longer than a frame, as a name may be, is refused by who reads it.
    into.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    for part in parts {
        into.extend_from_slice(part);
    }
}

fn data(into: &mut BytesMut, bytes: &[u8]) {
    for chunk in bytes.chunks(FRAME) {
        frame(into, b'D', &[chunk]);
    }
}

fn take(from: &mut BytesMut) -> Result<Option<(u8, Bytes)>, Malformed> {
    let Some(mut head) = from.get(..HEAD) else {
        return Ok(None);
    };
    let (kind, length) = (head.get_u8(), head.get_u32() as usize);
    if length > FRAME {
        return Err(Malformed("longer than any frame"));
    }
    if from.len() < HEAD + length {
        return Ok(None);
    }
    from.advance(HEAD);
    Ok(Some((kind, from.split_to(length).freeze())))
}

fn number(body: &mut Bytes) -> Result<u64, Malformed> {
    body.try_get_u64().map_err(|_| Malformed("a number is cut short"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one<T: std::fmt::Debug + PartialEq>(
        frame: &T,
        encode: impl Fn(&T, &mut BytesMut),
        decode: impl Fn(&mut BytesMut) -> Result<Option<T>, Malformed>,
    ) {
        let mut bytes = BytesMut::new();
        encode(frame, &mut bytes);
        for cut in 0..bytes.len() {
            assert_eq!(decode(&mut BytesMut::from(&bytes[..cut])), Ok(None), "{frame:?}");
        }
        assert_eq!(decode(&mut bytes).unwrap().as_ref(), Some(frame));
        assert!(bytes.is_empty());
    }

    #[test]
    fn every_frame_comes_back_whole_and_none_before_its_last_byte() {
        let name = "smtp".to_owned();
        for ask in [
            Ask::Acquire {
                timeout: 7,
                name: name.clone(),
            },
            Ask::Token(Bytes::from_static(b"secret")),
            Ask::Figures(name),
            Ask::Data(Bytes::from_static(b"EHLO")),
            Ask::Release { read: u64::MAX },
        ] {
            one(&ask, Ask::encode, Ask::decode);
        }
        let refusals = Refusal::ALL.map(|refusal| Tell::Refused(refusal, "why".to_owned()));
        let others = [
            Tell::Granted { connection: 3 },
            Tell::Data(Bytes::from_static(b"250")),
            Tell::End,
            Tell::Released,
            Tell::Figures([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        ];
        for tell in refusals.into_iter().chain(others) {
            one(&tell, Tell::encode, Tell::decode);
        }
    }

    #[test]
    fn data_that_is_longer_than_a_frame_becomes_several() {
        let long = Bytes::from(vec![7; 2 * FRAME + 1]);
        let mut bytes = BytesMut::new();
        Ask::Data(long.clone()).encode(&mut bytes);
        let mut heard = Vec::new();
        while let Some(Ask::Data(part)) = Ask::decode(&mut bytes).unwrap() {
            heard.push(part);
        }
        assert_eq!((heard.len(), heard.concat()), (3, long.to_vec()));
    }

    #[test]
    fn what_is_no_frame_is_an_error() {
        for (bytes, error) in [
            (&b"Z\0\0\0\0"[..], "no frame: of no kind that a client has"),
            (b"G\0\0\0\0", "no frame: of no kind that a client has"),
            (b"A\0\0\0\x03abc", "no frame: a number is cut short"),
            (b"R\0\0\0\0", "no frame: a number is cut short"),
            (b"D\xff\0\0\0", "no frame: longer than any frame"),
            (b"GET / HTTP/1.1\r\n\r\n", "no frame: longer than any frame"),
        ] {
            let refused = Ask::decode(&mut BytesMut::from(bytes)).unwrap_err();
            assert_eq!(refused.to_string(), error, "{bytes:?}");
        }
        for (bytes, error) in [
            (&b"A\0\0\0\0"[..], "no frame: of no kind that the service has"),
            (b"X\0\0\0\x01\xff", "no frame: a refusal without a reason"),
            (b"X\0\0\0\0", "no frame: a refusal without a reason"),
            (b"S\0\0\0\x08\0\0\0\0\0\0\0\0", "no frame: a number is cut short"),
        ] {
            let refused = Tell::decode(&mut BytesMut::from(bytes)).unwrap_err();
            assert_eq!(refused.to_string(), error, "{bytes:?}");
        }
    }
}
