//! Accepting connections.
//!
//! wasi-libc of Rust 1.95 cannot set `O_NONBLOCK` on a socket by `fcntl`, so tokio's own `accept` fails in a
//! component. There the listening socket is waited for as if it were a stream, and accepted from by socket2. In a
//! native build it is tokio's listener.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

#[cfg(target_family = "wasm")]
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::backoff::Backoff;
use crate::net::Socket;
use crate::supervise;

/// Serves an address from now on, by a supervised task of this name, as [`Listener::serve`] does. `what` says in the log
/// whose address it is. A port in use, as an earlier life of the service may leave it, is tried again.
pub fn keep<Serve, Served>(
    task: &'static str,
    what: impl fmt::Display + Clone + 'static,
    address: SocketAddr,
    max_connections: usize,
    serve: Serve,
) where
    Serve: FnMut(Socket, SocketAddr) -> Served + Clone + 'static,
    Served: Future<Output = ()> + 'static,
{
    let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
    supervise::spawn(task, backoff, move || {
        listen(what.clone(), address, max_connections, serve.clone())
    });
}

async fn listen<Serve, Served>(
    what: impl fmt::Display,
    address: SocketAddr,
    max_connections: usize,
    serve: Serve,
) -> Result<(), String>
where
    Serve: FnMut(Socket, SocketAddr) -> Served,
    Served: Future<Output = ()> + 'static,
{
    let listener = Listener::bind(address).map_err(|error| format!("{what} on {address}: {error}"))?;
    tracing::info!(address = %listener.address(), "{what}: listening");
    match listener.serve(max_connections, serve).await {}
}

/// The same error, with the way out where there is one.
fn explained(error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::AddrInUse {
        return error;
    }
    let told =
        format!("{error}; in wash a service that failed leaves its port so until the workload is deployed again");
    io::Error::new(io::ErrorKind::AddrInUse, told)
}

/// Whether somebody has this address already. For a fixed port of the workload's own loopback that is most likely an earlier
/// life of the service, which failed: wash starts the service anew in the same process and never frees that port.
pub fn is_taken(address: SocketAddr) -> bool {
    let bound = std::net::TcpListener::bind(address);
    bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

/// A listening TCP socket.
#[derive(Debug)]
pub struct Listener {
    #[cfg(target_family = "wasm")]
    socket: TcpStream,
    #[cfg(not(target_family = "wasm"))]
    socket: tokio::net::TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Listens on an address. In a workload only the loopback, `127.0.0.1`, can be listened on.
    ///
    /// `AddrInUse` may mean that an earlier life of this service left its port behind: try again, do not end.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address).map_err(explained)?;
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        #[cfg(target_family = "wasm")]
        let socket = TcpStream::from_std(std::os::fd::OwnedFd::from(listener).into())?;
        #[cfg(not(target_family = "wasm"))]
        let socket = tokio::net::TcpListener::from_std(listener)?;
        Ok(Self { socket, address })
    }

    /// Where it listens; the port is the real one if it was bound to port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for a connection. An error is one connection's, not the listener's: log it and go on.
    pub async fn accept(&self) -> io::Result<(Socket, SocketAddr)> {
        #[cfg(target_family = "wasm")]
        {
            let accept = || socket2::SockRef::from(&self.socket).accept_raw();
            let (socket, address) = self.socket.async_io(tokio::io::Interest::READABLE, accept).await?;
            let peer = address.as_socket().ok_or(io::ErrorKind::Unsupported)?;
            // Std sets it by `ioctl`, which works; socket2 by `fcntl`.
            let stream = std::net::TcpStream::from(socket);
            stream.set_nonblocking(true)?;
            Ok((Socket::new(TcpStream::from_std(stream)?, peer), peer))
        }
        #[cfg(not(target_family = "wasm"))]
        {
            let (stream, peer) = self.socket.accept().await?;
            Ok((Socket::new(stream, peer), peer))
        }
    }

    /// Serves each connection by a local task of its own, at most `max_connections` at once, among them those that cannot
    /// be [closed](crate::net::linger) yet; further ones wait in the listener's backlog. Never ends: errors of `accept` are
    /// logged and followed by a pause.
    pub async fn serve<Serve, Served>(self, max_connections: usize, mut serve: Serve) -> std::convert::Infallible
    where
        Serve: FnMut(Socket, SocketAddr) -> Served,
        Served: Future<Output = ()> + 'static,
    {
        let places = Arc::new(Semaphore::new(max_connections.clamp(1, Semaphore::MAX_PERMITS)));
        let mut pause = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));
        loop {
            // An error would mean that the semaphore was closed, which nobody does.
            let place = Arc::clone(&places).acquire_owned().await.ok().map(Arc::new);
            match self.accept().await {
                Ok((stream, peer)) => {
                    pause.reset();
                    let served = serve(stream.with_place(place.clone()), peer);
                    tokio::task::spawn_local(async move {
                        served.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    let delay = pause.next();
                    tracing::warn!(listener = %self.address, retry_in = ?delay, "accept: {error}");
                    tokio::time::sleep(delay).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::task::LocalSet;

    #[tokio::test]
    async fn no_more_connections_than_the_limit_are_served_at_once_and_none_is_lost() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address();
        let (now, most) = (std::rc::Rc::new(Cell::new(0)), std::rc::Rc::new(Cell::new(0)));
        LocalSet::new()
            .run_until(async {
                let (counting, highest) = (now.clone(), most.clone());
                let serve = move |mut stream: Socket, _| {
                    let (now, most) = (counting.clone(), highest.clone());
                    async move {
                        now.set(now.get() + 1);
                        most.set(most.get().max(now.get()));
                        let _ = stream.read_u8().await;
                        let _ = stream.write_u8(7).await;
                        now.set(now.get() - 1);
                    }
                };
                tokio::task::spawn_local(listener.serve(3, serve));
                let mut clients = Vec::new();
                for _ in 0..20 {
                    clients.push(TcpStream::connect(address).await.unwrap());
                }
                // All are connected, and nobody is done before three are served.
                while now.get() < 3 {
                    tokio::task::yield_now().await;
                }
                let exchanges = clients.iter_mut().map(|stream| async {
                    stream.write_u8(1).await.unwrap();
                    stream.read_u8().await.unwrap()
                });
                assert_eq!(futures::future::join_all(exchanges).await, [7; 20]);
            })
            .await;
        assert_eq!(most.get(), 3);
    }

    #[tokio::test]
    async fn an_address_in_use_is_an_error() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let error = Listener::bind(listener.address()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
