//! TLS 1.2 and 1.3 by rustls: who is trusted, which certificate is shown, what went wrong.
//!
//! ChaCha20-Poly1305 is offered first. A guest has no AES instructions, and without them AES-GCM is five times slower.
//! Servers in Go and rustls take the client's word for it; one that goes by its own order, as OpenSSL's do unless
//! configured with `PrioritizeChaCha`, may still take AES.

mod explain;
mod pem;
mod settings;
mod verify;

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use super::Host;

pub use explain::explain;
pub use pem::Pem;
pub use settings::{SettingsError, TlsSettings, Verification};
pub use tokio_rustls::client::TlsStream;

/// TLS for outgoing connections, ready for use. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
}

impl Tls {
    /// For a library that shakes hands itself. The configured server name is part of it: the server's certificate is
    /// checked against that name even where the library knows only an address.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// Shakes hands over `stream`, which had better be [`Coalesced`](super::Coalesced), or each message of a TLS 1.2
    /// handshake is a segment of its own.
    ///
    /// `host` is who the server must prove to be, unless another name is configured. The error says whose fault it
    /// is; the rejection of a client certificate under TLS 1.3 comes later, with the first read, see [`explain()`].
    pub async fn handshake<S>(&self, host: &Host, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = match (&self.name, host) {
            (Some(name), _) => name.clone(),
            (None, Host::Address(address)) => ServerName::IpAddress((*address).into()),
            (None, Host::Name(name)) => ServerName::try_from(name.clone())
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, format!("{name:?} is no name for TLS")))?,
        };
        TlsConnector::from(self.config())
            .connect(name, stream)
            .await
            .map_err(explain::explain_handshake)
    }
}
