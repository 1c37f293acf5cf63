//! A TCP connection that can be dropped at any time.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use super::linger::{self, Abandoned};

/// A TCP connection, accepted or dialed. Dropping it closes it without ever blocking the service, which dropping tokio's
/// own does while the peer does not read: see [`linger`].
///
/// To read and write by two tasks, use [`tokio::io::split`].
pub struct Socket {
    peer: SocketAddr,
    /// None only once it is dropped.
    stream: Option<TcpStream>,
    place: Option<Arc<OwnedSemaphorePermit>>,
}

impl Socket {
    /// Connects to a server.
    ///
    /// # Errors
    /// As tokio's; and `ResourceBusy` while the server leaves [too many](linger::MOST) abandoned connections unread.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        linger::check(address)?;
        Ok(Self::new(TcpStream::connect(address).await?, address))
    }

    /// Takes over a connection to this peer.
    pub fn new(stream: TcpStream, peer: SocketAddr) -> Self {
        Self {
            peer,
            stream: Some(stream),
            place: None,
        }
    }

    /// Keeps its place among a listener's connections until it is closed.
    pub(crate) fn with_place(mut self, place: Option<Arc<OwnedSemaphorePermit>>) -> Self {
        self.place = place;
        self
    }

    /// Who is at the other end.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Has small writes sent at once. WASI 0.2 ignores it, later ones and native targets do not.
    ///
    /// # Errors
    /// The host's.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.stream
            .as_ref()
            .map_or(Ok(()), |stream| stream.set_nodelay(nodelay))
    }

    /// Has the host ask a peer that says nothing for so long whether it is there, and fail the connection if it is not.
    ///
    /// # Errors
    /// The host's.
    pub fn keep_alive(&self, after: Duration) -> io::Result<()> {
        let keepalive = TcpKeepalive::new().with_time(after);
        self.stream
            .as_ref()
            .map_or(Ok(()), |stream| SockRef::from(stream).set_tcp_keepalive(&keepalive))
    }

    fn poll<T>(
        self: Pin<&mut Self>,
        poll: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.get_mut().stream {
            Some(stream) => poll(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            let (peer, place) = (self.peer, self.place.take());
            linger::abandon(Abandoned { stream, peer, place });
        }
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll(|stream| stream.poll_read(context, buffer))
    }
}

/// Not vectored: `writev` of Rust 1.95's wasi-libc blocks the whole service when the socket is full.
impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll(|stream| stream.poll_write(context, data))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|stream| stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|stream| stream.poll_shutdown(context))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_host_is_told_to_look_after_a_silent_connection() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = Socket::connect(listener.local_addr().unwrap()).await.unwrap();
        socket.keep_alive(Duration::from_secs(7)).unwrap();
        let option = SockRef::from(socket.stream.as_ref().unwrap());
        assert!(option.keepalive().unwrap());
    }
}
