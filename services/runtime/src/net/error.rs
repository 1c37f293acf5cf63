//! What can go wrong between a name and a connection.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::Endpoint;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name has no address, or the host keeps it to itself.
    #[error("look up {name:?}: {reason}")]
    Lookup {
        /// The name as it was looked up.
        name: String,
        /// What the host answered.
        reason: LookupError,
    },
    /// No address of the endpoint took a connection.
    #[error("connect to {endpoint}: {}", Failures(.failures))]
    Connect {
        /// What was dialed.
        endpoint: Endpoint,
        /// One for each address, in the order tried. Never empty.
        failures: Vec<Failure>,
    },
    /// The TLS settings contradict each other or their files do not hold what they should.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Settings(#[from] super::tls::SettingsError),
}

/// What the host answered to a look-up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// wash and Wasmtime answer so for a name that was not granted, and for a resolver that has failed for good.
    #[error("the host refuses to look it up: grant the name with allowedIpNameLookups")]
    Denied,
    /// No such name, or a name without addresses.
    #[error("no such name, or it has no address")]
    NotFound,
    /// Worth trying again.
    #[error("the resolver failed for now")]
    Temporary,
    /// The host takes it for no name at all.
    #[error("the host does not take it for a name")]
    Invalid,
    /// No answer in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// Whatever else the host said.
    #[error("{0}")]
    Other(String),
}

/// An address that took no connection.
#[derive(Debug)]
pub struct Failure {
    /// The address.
    pub address: SocketAddr,
    /// Why. A TLS error is one of kind `InvalidData` or `UnexpectedEof` whose text says whose fault it is.
    pub error: io::Error,
}

/// The address that `host.wasmcloud.internal` stands for: the loopback of the machine itself.
const MACHINE_LOOPBACK: [u8; 4] = [127, 255, 255, 254];

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, error } = self;
        match error.kind() {
            io::ErrorKind::ConnectionRefused => write!(f, "{address} refused, nothing listens there"),
            io::ErrorKind::PermissionDenied if address.ip() == std::net::IpAddr::from(MACHINE_LOOPBACK) => {
                write!(
                    f,
                    "the host denies {address}: grant the port with allowedHostLoopbackPorts"
                )
            }
            io::ErrorKind::PermissionDenied => {
                write!(f, "the host denies {address}: grant it with allowedHosts")
            }
            _ => write!(f, "{address}: {error}"),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

struct Failures<'a>(&'a [Failure]);

impl fmt::Display for Failures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, failure) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{failure}")?;
        }
        Ok(())
    }
}
