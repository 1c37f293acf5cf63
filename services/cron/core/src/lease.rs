//! The lease that lets one of several replicas run the jobs, as the value of a key that all of them see.
//!
//! ```text
//! mainstay-cron-lease 1 mainstay-4Fh2kQ9x 17 10000 b 204      who holds it, which write of theirs, milliseconds, state
//! 1c2d3e4f claim 0 1763780460000000000 1763780460000412000 t   what happened since that state, as in a journal
//! ```
//!
//! The state is a snapshot under a key of its own, in one of two slots, and is named with its revision. What happens is
//! written into the lease itself. Every write of the lease expects the revision of the one before, so a holder that was
//! deposed cannot write: it does not know the newest. A new holder therefore finds all that its predecessor could act
//! on, and nothing is added behind its back.
//!
//! Nobody has to trust another's clock. A lease is up when it was not written for as long as it says, by the clock of
//! the one who looks; the holder writes it three times as often, and stops before the others may think so.

use std::fmt::Write as _;
use std::time::Duration;

/// The version of the format. It changes when an older service could not read it.
const VERSION: u32 = 1;

/// The first word.
const MAGIC: &str = "mainstay-cron-lease";

/// Where a snapshot is: there are two, so that the one that is named stays while the next is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The first.
    A,
    /// The second.
    B,
}

impl Slot {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// As the lease and the slot's key write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

/// See the module's documentation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// Who holds it; nobody if empty. Without spaces.
    pub holder: String,
    /// Which write of the holder's it is, so that no two are alike.
    pub serial: u64,
    /// For how long it holds.
    pub ttl: Duration,
    /// Where the state is and which revision it has; none before the first.
    pub snapshot: Option<(Slot, u64)>,
    /// Journal lines since.
    pub lines: Vec<u8>,
}

/// A value that is not a lease that this version can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// It was written by a service that is newer than this one.
    #[error("is of version {0}, which is newer than the {VERSION} that this service reads; run the newer service")]
    Newer(u32),
    /// It is something else.
    #[error("holds something else than a lease of cron; name another key")]
    NotALease,
}

impl Lease {
    /// The value.
    pub fn encode(&self) -> Vec<u8> {
        let mut line = format!("{MAGIC} {VERSION} {} {} ", self.holder, self.serial);
        // Writing to a String does not fail.
        let _ = match self.snapshot {
            Some((slot, revision)) => writeln!(line, "{} {} {revision}", self.ttl.as_millis(), slot.as_str()),
            None => writeln!(line, "{} - 0", self.ttl.as_millis()),
        };
        let mut value = line.into_bytes();
        value.extend_from_slice(&self.lines);
        value
    }

    /// Reads a value.
    ///
    /// # Errors
    /// See [`LeaseError`].
    pub fn decode(value: &[u8]) -> Result<Self, LeaseError> {
        let end = value.iter().position(|byte| *byte == b'\n');
        let (line, lines) = end.and_then(|end| value.split_at_checked(end)).unwrap_or((value, b""));
        let line = std::str::from_utf8(line).map_err(|_| LeaseError::NotALease)?;
        let words: Vec<&str> = line.split(' ').collect();
        let [MAGIC, version, rest @ ..] = words.as_slice() else {
            return Err(LeaseError::NotALease);
        };
        match version.parse() {
            Ok(VERSION) => {}
            Ok(version) if version > VERSION => return Err(LeaseError::Newer(version)),
            _ => return Err(LeaseError::NotALease),
        }
        let lease = Self::read(rest).ok_or(LeaseError::NotALease)?;
        Ok(Self {
            lines: lines.strip_prefix(b"\n").unwrap_or_default().to_vec(),
            ..lease
        })
    }

    fn read(words: &[&str]) -> Option<Self> {
        let [holder, serial, ttl, slot, revision] = words else {
            return None;
        };
        let slot = match *slot {
            "a" => Some(Slot::A),
            "b" => Some(Slot::B),
            "-" => None,
            _ => return None,
        };
        let revision = revision.parse().ok()?;
        Some(Self {
            holder: (*holder).to_owned(),
            serial: serial.parse().ok()?,
            ttl: Duration::from_millis(ttl.parse().ok()?),
            snapshot: slot.map(|slot| (slot, revision)),
            lines: Vec::new(),
        })
    }
}

/// Watches a lease that somebody else holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watch {
    /// The revision that was seen last, and when it was seen first, by the steady clock.
    seen: Option<(u64, Duration)>,
}

impl Watch {
    /// Whether a lease that has this revision now is up: for `ttl` it had no other.
    pub fn is_up(&mut self, revision: u64, ttl: Duration, steady: Duration) -> bool {
        match self.seen {
            Some((seen, since)) if seen == revision => steady.saturating_sub(since) >= ttl,
            _ => {
                self.seen = Some((revision, steady));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_comes_back_as_it_was_written() {
        let bare = Lease {
            holder: "mainstay-4Fh2".to_owned(),
            serial: 1,
            ttl: Duration::from_secs(10),
            ..Lease::default()
        };
        assert_eq!(bare.encode(), b"mainstay-cron-lease 1 mainstay-4Fh2 1 10000 - 0\n");
        let full = Lease {
            snapshot: Some((Slot::B, 204)),
            lines: b"1c2d3e4f claim 0 1 2 t\n0b1e4c77 time 3\n".to_vec(),
            ..bare.clone()
        };
        for lease in [bare, full] {
            assert_eq!(Lease::decode(&lease.encode()), Ok(lease));
        }
    }

    #[test]
    fn what_is_no_lease_is_refused() {
        for (value, error) in [
            ("", LeaseError::NotALease),
            ("red", LeaseError::NotALease),
            ("mainstay-cron-lease", LeaseError::NotALease),
            ("mainstay-cron-lease one me 1 10 - 0\n", LeaseError::NotALease),
            ("mainstay-cron-lease 1 me 1 10 c 0\n", LeaseError::NotALease),
            ("mainstay-cron-lease 1 me 1 10 a\n", LeaseError::NotALease),
            ("mainstay-cron-lease 2 whatever\n", LeaseError::Newer(2)),
        ] {
            assert_eq!(Lease::decode(value.as_bytes()), Err(error), "{value}");
        }
        assert_eq!(Lease::decode(b"\xff\n"), Err(LeaseError::NotALease));
    }

    #[test]
    fn a_lease_is_up_when_nobody_wrote_it_for_as_long_as_it_says() {
        let seconds = Duration::from_secs;
        let mut watch = Watch::default();
        assert!(
            !watch.is_up(7, seconds(10), seconds(100)),
            "it may have been written just now"
        );
        assert!(!watch.is_up(7, seconds(10), seconds(109)));
        assert!(!watch.is_up(8, seconds(10), seconds(110)), "it was written");
        assert!(!watch.is_up(8, seconds(10), seconds(119)));
        assert!(watch.is_up(8, seconds(10), seconds(120)));
    }
}
