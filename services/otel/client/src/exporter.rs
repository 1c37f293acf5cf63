//! The connection to the sidecar, and what becomes of telemetry without one.
//!
//! Requests are written at once and kept until they are answered, so that a connection that was closed meanwhile, as that
//! of an instance that rested for long, costs nothing: they are written again on a new one. Telemetry must not hold up
//! the caller, so nothing else is tried again: what the sidecar does not take within a second is dropped, and for a while,
//! longer after each failure, so is everything else, at once.

use std::collections::VecDeque;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use mainstay_loopback::{Connection, Error};

use crate::http::{self, Answer, Malformed, Signal};

/// Where the sidecar listens unless `OTEL_RECEIVE_HTTP` says otherwise, for it and for this component alike.
const ADDRESS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 4318);

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// How much is written and not yet answered: so many requests,
const WINDOW: usize = 32;
/// and so many bytes, but for one request that is larger alone.
const WINDOW_BYTES: usize = 1024 * 1024;

/// For how long nothing is tried after a failure: the first, and the most.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Why telemetry was dropped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("OTEL_RECEIVE_HTTP {0:?} is not an IPv4 address and a port")]
    Address(String),
    #[error("the sidecar at {0}: {1}")]
    Connection(SocketAddrV4, Error),
    #[error("the sidecar at {0}: {1}")]
    Malformed(SocketAddrV4, Malformed),
    #[error("the sidecar at {0}: {1}")]
    Refused(SocketAddrV4, String),
    #[error("the sidecar failed a moment ago")]
    Resting,
}

/// Sends telemetry to the sidecar.
#[derive(Default)]
pub(crate) struct Exporter {
    connection: Option<Connection>,
    /// What was read of answers.
    read: Vec<u8>,
    /// Requests without an answer, the oldest first.
    unanswered: VecDeque<Vec<u8>>,
    /// How many of them are written on this connection.
    written: usize,
    rest: Option<Rest>,
    /// Requests dropped since something was said of it.
    dropped: u64,
    complained: bool,
}

/// Until when nothing is tried, and for how long that is.
#[derive(Clone, Copy)]
struct Rest {
    until: Instant,
    length: Duration,
}

impl Exporter {
    /// Sends a request, whose answer [`Exporter::settle`] waits for.
    pub(crate) fn send(&mut self, signal: Signal, body: &[u8]) -> Result<(), Failure> {
        let address = address().inspect_err(|failure| self.complain(failure))?;
        self.unanswered.push_back(http::request(signal, address, body));
        let bytes: usize = self.unanswered.iter().map(Vec::len).sum();
        let at_most = if bytes > WINDOW_BYTES { 0 } else { WINDOW };
        self.exchange(address, at_most)
    }

    /// Waits until everything is answered.
    pub(crate) fn settle(&mut self) -> Result<(), Failure> {
        if self.unanswered.is_empty() {
            return Ok(());
        }
        self.exchange(address()?, 0)
    }

    /// Writes what is to be written and reads answers until at most so many are outstanding.
    fn exchange(&mut self, address: SocketAddrV4, at_most: usize) -> Result<(), Failure> {
        if self.rest.is_some_and(|rest| Instant::now() < rest.until) {
            self.drop_unanswered();
            return Err(Failure::Resting);
        }
        let deadline = Instant::now() + PATIENCE;
        let mut result = self.attempt(address, at_most, deadline);
        if matches!(result, Err(Failure::Connection(_, Error::Closed | Error::Broken(_)))) {
            result = self.attempt(address, at_most, deadline);
        }
        match &result {
            Ok(()) => self.recovered(address),
            Err(refused @ Failure::Refused(..)) => {
                self.recovered(address);
                self.complain(refused);
            }
            Err(failure) => self.failed(failure),
        }
        result
    }

    fn attempt(&mut self, address: SocketAddrV4, at_most: usize, deadline: Instant) -> Result<(), Failure> {
        let result = self.try_attempt(address, at_most, deadline);
        if matches!(result, Err(Failure::Connection(..) | Failure::Malformed(..))) {
            self.disconnect();
        }
        result
    }

    fn try_attempt(&mut self, address: SocketAddrV4, at_most: usize, deadline: Instant) -> Result<(), Failure> {
        let lost = |error| Failure::Connection(address, error);
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(address, deadline).map_err(lost)?,
        };
        let connection = self.connection.insert(connection);
        for request in self.unanswered.iter().skip(self.written) {
            connection.write(request, deadline).map_err(lost)?;
            self.written += 1;
        }
        self.read.extend(connection.read_available().map_err(lost)?);
        let mut refused = Ok(());
        loop {
            while let Some(answer) =
                http::take_answer(&mut self.read).map_err(|fault| Failure::Malformed(address, fault))?
            {
                refused = refused.and(self.answered(address, answer));
            }
            if self.unanswered.len() <= at_most {
                return refused;
            }
            let connection = self.connection.as_ref().ok_or_else(|| lost(Error::Closed))?;
            self.read.extend(connection.read(deadline).map_err(lost)?);
        }
    }

    /// The oldest request is answered.
    fn answered(&mut self, address: SocketAddrV4, answer: Answer) -> Result<(), Failure> {
        self.unanswered.pop_front();
        self.written = self.written.saturating_sub(1);
        if answer.closes {
            self.disconnect();
        }
        match answer.complaint {
            None => Ok(()),
            Some(complaint) => {
                self.dropped += u64::from(answer.status != 200);
                Err(Failure::Refused(address, complaint))
            }
        }
    }

    fn disconnect(&mut self) {
        self.connection = None;
        self.read.clear();
        self.written = 0;
    }

    fn drop_unanswered(&mut self) {
        self.dropped += self.unanswered.len() as u64;
        self.unanswered.clear();
        self.written = 0;
    }

    /// Drops everything and rests. Said once, however long it lasts.
    fn failed(&mut self, failure: &Failure) {
        self.disconnect();
        self.drop_unanswered();
        let length = self.rest.map_or(PAUSE, |rest| (rest.length * 2).min(LONGEST_PAUSE));
        if self.rest.is_none() {
            say(&format!("{failure}; telemetry is dropped until it answers"));
        }
        self.rest = Some(Rest {
            until: Instant::now() + length,
            length,
        });
    }

    fn recovered(&mut self, address: SocketAddrV4) {
        if self.rest.take().is_some() {
            let dropped = std::mem::take(&mut self.dropped);
            say(&format!(
                "the sidecar at {address} answers again; {dropped} exports were dropped"
            ));
        }
    }

    /// What the sidecar does not take is its own business to count; here it is said once.
    fn complain(&mut self, refused: &Failure) {
        if !std::mem::replace(&mut self.complained, true) {
            say(&format!("{refused}; other complaints are not shown"));
        }
    }
}

/// Says something on standard error, which may be closed.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "otel-client: {text}");
}

fn address() -> Result<SocketAddrV4, Failure> {
    match std::env::var("OTEL_RECEIVE_HTTP") {
        Err(_) => Ok(ADDRESS),
        Ok(text) => text.parse().map_err(|_| Failure::Address(text)),
    }
}
