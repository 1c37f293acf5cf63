//! Sockets that nobody uses any more, until they can be closed.
//!
//! Wasmtime's host waits for a socket's last write when the socket is dropped, within the call that drops it, and the
//! whole service waits with it: for ever, if the peer does not read. So a socket is closed by a task of its own that
//! waits until it can be written to or the peer has hung up.
//!
//! A peer that does neither cannot be got rid of by any means of WASI's, so what is bounded is who comes next: an accepted
//! socket keeps its place among its listener's connections until it is closed, and a server that has [`MOST`] of them
//! unread is not connected to.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::spawn_local;

use crate::metrics::{Gauge, Registry};

/// How many abandoned connections one server may leave unread.
pub const MOST: usize = 16;

/// After so long a socket counts as one whose peer does not read.
const PATIENCE: Duration = Duration::from_secs(1);

thread_local! {
    /// To the task that closes sockets. It never holds more than there were connections.
    static ABANDONED: RefCell<Option<UnboundedSender<Abandoned>>> = const { RefCell::new(None) };
    /// How many sockets linger, by their peers.
    static LINGERING: RefCell<BTreeMap<SocketAddr, usize>> = const { RefCell::new(BTreeMap::new()) };
}

/// A socket that nobody uses any more.
pub(super) struct Abandoned {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    /// Its place among its listener's connections.
    pub(super) place: Option<Arc<OwnedSemaphorePermit>>,
}

/// Closes the sockets of this thread from now on, by local tasks. Without it they are closed where they are dropped.
pub(crate) fn start(metrics: &Registry) {
    let gauge = metrics.gauge(
        "mainstay_lingering_sockets",
        "Abandoned connections that stay open because their peers do not read.",
        &[],
    );
    let (sender, mut abandoned) = unbounded_channel();
    ABANDONED.set(Some(sender));
    spawn_local(async move {
        while let Some(socket) = abandoned.recv().await {
            spawn_local(close(socket, gauge.clone()));
        }
    });
}

/// Closes a socket as soon as that can be done without waiting.
pub(super) fn abandon(socket: Abandoned) {
    // What is not taken, because there is no such task or the thread ends, is closed here.
    let _ = ABANDONED.try_with(|sender| {
        if let Some(sender) = &*sender.borrow() {
            let _ = sender.send(socket);
        }
    });
}

/// Refuses a server that leaves too much unread.
pub(super) fn check(peer: SocketAddr) -> io::Result<()> {
    match LINGERING.with_borrow(|lingering| lingering.get(&peer).copied().unwrap_or_default()) {
        MOST.. => Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            format!("{MOST} earlier connections wait for it to read what it was sent"),
        )),
        _ => Ok(()),
    }
}

async fn close(socket: Abandoned, gauge: Gauge) {
    let Abandoned { stream, peer, place } = socket;
    if cfg!(target_family = "wasm") {
        // What is known to be writable may have been written to since.
        let _ = stream.try_io(Interest::WRITABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    }
    if tokio::time::timeout(PATIENCE, stream.writable()).await.is_err() {
        tracing::debug!(%peer, "does not read: its connection stays open until it does or hangs up");
        let _lingering = Lingering::new(peer, gauge);
        let _ = stream.writable().await;
    }
    drop(stream);
    drop(place);
}

/// A socket that is counted.
struct Lingering {
    peer: SocketAddr,
    gauge: Gauge,
}

impl Lingering {
    fn new(peer: SocketAddr, gauge: Gauge) -> Self {
        gauge.add(1.0);
        LINGERING.with_borrow_mut(|lingering| *lingering.entry(peer).or_default() += 1);
        Self { peer, gauge }
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        self.gauge.add(-1.0);
        let _ = LINGERING.try_with(|lingering| {
            let mut lingering = lingering.borrow_mut();
            if let Some(count) = lingering.get_mut(&self.peer) {
                *count -= 1;
                if *count == 0 {
                    lingering.remove(&self.peer);
                }
            }
        });
    }
}
