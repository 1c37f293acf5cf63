//! What a dialer returns, plain or TLS.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Coalesced, Socket};

/// A connection to a server, with coalesced writes: **flush** what the peer is to see now.
#[derive(Debug)]
pub struct Stream {
    peer: SocketAddr,
    transport: Transport,
}

#[derive(Debug)]
enum Transport {
    Plain(Coalesced<Socket>),
    #[cfg(feature = "tls")]
    Tls(Box<super::tls::TlsStream<Coalesced<Socket>>>),
}

impl Stream {
    pub(super) fn plain(peer: SocketAddr, stream: Coalesced<Socket>) -> Self {
        Self {
            peer,
            transport: Transport::Plain(stream),
        }
    }

    #[cfg(feature = "tls")]
    pub(super) fn tls(peer: SocketAddr, stream: super::tls::TlsStream<Coalesced<Socket>>) -> Self {
        Self {
            peer,
            transport: Transport::Tls(Box::new(stream)),
        }
    }

    /// The address that answered.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// What the TLS handshake agreed upon; `None` for a plain connection.
    #[cfg(feature = "tls")]
    pub fn session(&self) -> Option<&rustls::ClientConnection> {
        match &self.transport {
            Transport::Plain(_) => None,
            Transport::Tls(stream) => Some(stream.get_ref().1),
        }
    }
}

/// Hands a call to the transport below.
macro_rules! transport {
    ($self:ident, $stream:ident => $call:expr) => {
        match &mut $self.get_mut().transport {
            Transport::Plain($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
            #[cfg(feature = "tls")]
            Transport::Tls($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        transport!(self, stream => stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        transport!(self, stream => stream.poll_write(context, data))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        transport!(self, stream => stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        transport!(self, stream => stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        transport!(self, stream => stream.poll_shutdown(context))
    }
}
