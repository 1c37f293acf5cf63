//! Sockets: names resolved, connections dialed, TLS.
//!
//! Five facts of the guest shape this module. tokio resolves a name on a thread, and a guest has none, so no name
//! may reach tokio: [`Resolver`] asks the host and hands out addresses. WASI 0.2 has no `TCP_NODELAY`, so two writes
//! that the peer has to see together cost a delayed acknowledgement, 40 ms: [`Coalesced`] makes one write of them.
//! `writev`, which hyper and rustls prefer, blocks the whole service when a socket is full, and so does dropping a socket
//! whose peer does not read: [`Socket`] does neither. And a guest has no system trust store: `tls` brings roots of its
//! own, or takes those it is given.
//!
//! | module | idea |
//! |---|---|
//! | [`endpoint`] | a host, by name or address, and a port |
//! | [`resolve`] | from names to addresses, looked up anew each time |
//! | [`dial`] | a connection to the first address that answers |
//! | [`socket`] | a TCP connection that can be dropped at any time |
//! | [`linger`] | those that were dropped, until they can be closed |
//! | [`coalesce`] | one write for each flight of a protocol |
//! | `http` | one request to a server (feature `http-client`) |
//! | [`percent`] | percent-encoding, as it stands in URLs |
//! | [`stream`] | what a dialer returns, plain or TLS |
//! | `tls` | who is trusted, which certificate is shown, what went wrong (feature `tls`) |

pub mod coalesce;
pub mod dial;
pub mod endpoint;
pub mod error;
#[cfg(feature = "http-client")]
pub mod http;
pub mod linger;
pub mod percent;
pub mod resolve;
pub mod socket;
pub mod stream;
#[cfg(feature = "tls")]
pub mod tls;

pub use coalesce::Coalesced;
pub use dial::Dialer;
pub use endpoint::{Endpoint, Host};
pub use error::{Error, Failure};
pub use resolve::Resolver;
pub use socket::Socket;
pub use stream::Stream;
#[cfg(feature = "tls")]
pub use tls::{Pem, Tls, TlsSettings, Verification};
