//! One write for each flight of a protocol.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is gathered before it is written without a flush: four TLS records.
const CAPACITY: usize = 64 * 1024;

/// What an idle connection keeps of its buffer.
const KEPT: usize = 4 * 1024;

/// Gathers writes until the flight is complete: until a flush, a full buffer, or a read that has to wait, which is
/// when the peer must have seen everything to answer it.
///
/// A socket whose writes go out one by one, in a world without `TCP_NODELAY`, holds the second of two small writes
/// back until the peer has acknowledged the first (RFC 896), and the peer takes its time (RFC 1122 §4.2.3.2). Under
/// TLS, HTTP/2 or NATS that is 40 ms for a handshake message, a frame, an acknowledgement.
///
/// Because a waiting read flushes, a protocol that forgets to flush before it reads does not stall. One that neither
/// flushes nor reads does: flush before doing something else.
#[derive(Debug)]
pub struct Coalesced<S> {
    inner: S,
    /// What `inner` has not taken yet begins at `start`.
    pending: Vec<u8>,
    start: usize,
    /// Who waits to read and who to write. Both may have to write, and `inner` wakes only the last who tried.
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl<S> Coalesced<S> {
    /// Gathers what is written to `inner`.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            pending: Vec::new(),
            start: 0,
            reader: None,
            writer: None,
        }
    }

    /// The stream below. Reading from it or writing to it directly disorders the bytes.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Bytes that wait to be written.
    pub fn pending(&self) -> usize {
        self.pending.len().saturating_sub(self.start)
    }
}

impl<S: AsyncWrite + Unpin> Coalesced<S> {
    /// Writes all that is pending.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.pending() > 0 {
            let rest = self.pending.get(self.start..).unwrap_or_default();
            match ready!(Pin::new(&mut self.inner).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.start += written,
            }
        }
        self.pending.clear();
        self.start = 0;
        Poll::Ready(Ok(()))
    }

    /// Writes all that is pending for a task that wants to write.
    fn poll_drain_to_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let waker = both(context.waker(), self.reader.as_ref());
        let drained = self.poll_drain(&mut Context::from_waker(waker.as_ref().unwrap_or(context.waker())));
        if drained.is_pending() {
            self.writer = Some(context.waker().clone());
        }
        drained
    }

    /// Writes all that is pending for a task that waits to read. An error ends the wait: there will be no answer.
    fn poll_drain_to_read(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let waker = both(context.waker(), self.writer.as_ref());
        match self.poll_drain(&mut Context::from_waker(waker.as_ref().unwrap_or(context.waker()))) {
            Poll::Pending => Ok(()),
            Poll::Ready(drained) => {
                if let Some(writer) = self.writer.take() {
                    writer.wake();
                }
                drained
            }
        }
    }

    /// Waits until the buffer has room, for all of `wanted` bytes if it ever can, and says how much.
    fn poll_room(&mut self, context: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        if self.pending() + wanted > CAPACITY {
            match self.poll_drain_to_write(context) {
                Poll::Ready(drained) => drained?,
                Poll::Pending if self.pending() >= CAPACITY => return Poll::Pending,
                Poll::Pending => {}
            }
        }
        self.pending.drain(..self.start.min(self.pending.len()));
        self.start = 0;
        Poll::Ready(Ok(CAPACITY.saturating_sub(self.pending.len())))
    }
}

/// A waker for both tasks, where there are two.
fn both(this: &Waker, other: Option<&Waker>) -> Option<Waker> {
    let other = other.filter(|other| !other.will_wake(this))?;
    Some(Arc::new(Both(this.clone(), other.clone())).into())
}

struct Both(Waker, Waker);

impl Wake for Both {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake_by_ref();
        self.1.wake_by_ref();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Coalesced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Poll::Ready(read) = Pin::new(&mut this.inner).poll_read(context, buffer) {
            return Poll::Ready(read);
        }
        if this.pending() > 0 {
            this.poll_drain_to_read(context)?;
        } else if this.pending.capacity() > KEPT {
            this.pending = Vec::new();
        }
        match &mut this.reader {
            Some(reader) => reader.clone_from(context.waker()),
            reader => *reader = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Coalesced<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let room = ready!(self.poll_room(context, data.len()))?;
        if self.pending() == 0 && data.len() >= CAPACITY {
            return Pin::new(&mut self.inner).poll_write(context, data);
        }
        let taken = data.get(..room).unwrap_or(data);
        self.pending.extend_from_slice(taken);
        Poll::Ready(Ok(taken.len()))
    }

    /// Always gathers: wasi-libc of Rust 1.95 implements `writev` by writes that block, also on a socket that is not
    /// to block, and so the whole service. Were the peer to wait for the service to read, neither would ever go on.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let room = ready!(self.poll_room(context, slices.iter().map(|slice| slice.len()).sum()))?;
        let mut left = room;
        for slice in slices {
            let taken = slice.get(..left).unwrap_or(slice);
            self.pending.extend_from_slice(taken);
            left -= taken.len();
        }
        Poll::Ready(Ok(room - left))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain_to_write(context))?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain_to_write(context))?;
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
