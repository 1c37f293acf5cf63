//! One connection to a server: addresses, TLS.

use std::time::Duration;

use mainstay_pool_core::pool::ConnectFailure;
use mainstay_runtime::net::tls::TlsStream;
use mainstay_runtime::net::{Dialer, Endpoint, Stream, Tls};
use tokio::io::{AsyncRead, AsyncWrite};

/// A stream of bytes, with or without TLS.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Transport for T {}

/// The addresses of a pool, and how they are connected to.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) endpoints: Vec<Endpoint>,
    /// Without TLS, which comes later in some protocols.
    pub(crate) dialer: Dialer,
    /// None to go without.
    pub(crate) tls: Option<Tls>,
    /// Whether to go on without if the server has none.
    pub(crate) prefer: bool,
    /// How long a connect may take, login included.
    pub(crate) timeout: Duration,
    /// How long a server may take nothing of what waits for it.
    pub(crate) send_timeout: Duration,
}

pub(crate) fn unreachable(error: impl ToString) -> ConnectFailure {
    ConnectFailure::Unreachable(error.to_string())
}

impl Upstream {
    /// A TCP connection to one of the addresses; its name is looked up anew.
    pub(crate) async fn dial(&self, host: usize) -> Result<Stream, ConnectFailure> {
        let endpoint = self.endpoint(host)?;
        self.dialer.connect(endpoint).await.map_err(unreachable)
    }

    /// TLS over it.
    pub(crate) async fn encrypt(
        &self,
        host: usize,
        tls: &Tls,
        stream: Stream,
    ) -> Result<TlsStream<Stream>, ConnectFailure> {
        let endpoint = self.endpoint(host)?;
        let encrypted = tls.handshake(endpoint.host(), stream).await;
        encrypted.map_err(|error| ConnectFailure::Unreachable(format!("{endpoint}: {error}")))
    }

    /// A connection whose protocol begins with TLS, if there is TLS.
    pub(crate) async fn connect(&self, host: usize) -> Result<Box<dyn Transport>, ConnectFailure> {
        let plain = self.dial(host).await?;
        match &self.tls {
            Some(tls) => Ok(Box::new(self.encrypt(host, tls, plain).await?)),
            None => Ok(Box::new(plain)),
        }
    }

    /// What `connect` makes, within the time that a connect may take.
    pub(crate) async fn within<T>(
        &self,
        host: usize,
        connect: impl Future<Output = Result<T, ConnectFailure>>,
    ) -> Result<T, ConnectFailure> {
        match tokio::time::timeout(self.timeout, connect).await {
            Ok(connected) => connected,
            Err(_) => {
                let endpoint = self.endpoint(host)?;
                let timeout = self.timeout;
                Err(ConnectFailure::Unreachable(format!(
                    "{endpoint}: no connection within {timeout:?}"
                )))
            }
        }
    }

    pub(crate) fn endpoint(&self, host: usize) -> Result<&Endpoint, ConnectFailure> {
        self.endpoints.get(host).ok_or_else(|| unreachable("no such address"))
    }
}

/// What an idle connection says, if it says something: none if it is closed or failed, and nothing if it is silent.
pub(crate) fn overheard(stream: &mut (impl Transport + ?Sized), into: &mut bytes::BytesMut) -> Option<usize> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut buffer = [0_u8; 1024];
    let mut read = tokio::io::ReadBuf::new(&mut buffer);
    match std::pin::Pin::new(stream).poll_read(&mut context, &mut read) {
        std::task::Poll::Pending => Some(0),
        std::task::Poll::Ready(Ok(())) if !read.filled().is_empty() => {
            into.extend_from_slice(read.filled());
            Some(read.filled().len())
        }
        std::task::Poll::Ready(_) => None,
    }
}
