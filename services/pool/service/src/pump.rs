//! Bytes in both directions between two sockets, whatever is done to them in between.
//!
//! Both ends may send at once and read only later, as clients that pipeline do: so nothing here waits for one thing
//! only. What is to be written is written, and what can be read is read, until something has moved.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::upstream::Transport;

/// What is not read on while so much waits to be written to the other end.
const PENDING: usize = 256 * 1024;

/// How much is read at once.
const READ: usize = 64 * 1024;

/// One end: what came from it, what is to be said to it.
#[derive(Debug, Default)]
pub(crate) struct End {
    pub(crate) input: BytesMut,
    pub(crate) output: BytesMut,
    /// It will say nothing more.
    pub(crate) ended: bool,
    /// What was written has to be flushed.
    pub(crate) unflushed: bool,
}

/// What has moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) from_client: bool,
    pub(crate) from_server: bool,
    wrote: bool,
}

/// Which end failed.
#[derive(Debug)]
pub(crate) enum Failed {
    Client(io::Error),
    Server(io::Error),
}

/// Waits until something has moved between client and server.
pub(crate) async fn pump(
    client: &mut (impl Transport + ?Sized),
    client_end: &mut End,
    server: &mut (impl Transport + ?Sized),
    server_end: &mut End,
) -> Result<Moved, Failed> {
    poll_fn(|context| {
        let mut moved = Moved::default();
        moved.wrote |= write(context, server, server_end).map_err(Failed::Server)?;
        moved.wrote |= write(context, client, client_end).map_err(Failed::Client)?;
        if client_end.output.len() < PENDING && !server_end.ended {
            moved.from_server = read(context, server, server_end).map_err(Failed::Server)?;
        }
        if server_end.output.len() < PENDING && !client_end.ended {
            moved.from_client = read(context, client, client_end).map_err(Failed::Client)?;
        }
        if moved == Moved::default() {
            Poll::Pending
        } else {
            Poll::Ready(Ok(moved))
        }
    })
    .await
}

/// Writes what there is to be written. Says whether there is nothing left that was there before.
fn write(context: &mut Context<'_>, stream: &mut (impl Transport + ?Sized), end: &mut End) -> io::Result<bool> {
    let mut wrote = false;
    while !end.output.is_empty() {
        match Pin::new(&mut *stream).poll_write(context, &end.output) {
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok(written)) => {
                end.output.advance(written);
                end.unflushed = true;
                wrote = true;
            }
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => break,
        }
    }
    if end.unflushed {
        match Pin::new(stream).poll_flush(context) {
            Poll::Ready(flushed) => {
                flushed?;
                end.unflushed = false;
            }
            Poll::Pending => {}
        }
    }
    Ok(wrote && end.output.is_empty())
}

thread_local! {
    /// Where everything is read into first: so an idle connection keeps no buffer.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// Reads what can be read. Says whether something came, its end among that.
fn read(context: &mut Context<'_>, stream: &mut (impl Transport + ?Sized), end: &mut End) -> io::Result<bool> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut buffer = ReadBuf::new(scratch);
        match Pin::new(stream).poll_read(context, &mut buffer) {
            Poll::Pending => return Ok(false),
            Poll::Ready(read) => read?,
        }
        let read = buffer.filled();
        end.ended = read.is_empty();
        if end.input.is_empty() && end.input.capacity() > READ {
            // What a long message has left behind.
            end.input = BytesMut::new();
        }
        end.input.extend_from_slice(read);
        Ok(true)
    })
}

/// Waits until one end has taken all there is to be written, or has said something (then true).
pub(crate) async fn exchange(
    stream: &mut (impl Transport + ?Sized),
    end: &mut End,
    may_read: bool,
) -> io::Result<bool> {
    poll_fn(|context| {
        let wrote = write(context, stream, end)?;
        if may_read && read(context, stream, end)? {
            return Poll::Ready(Ok(true));
        }
        if wrote { Poll::Ready(Ok(false)) } else { Poll::Pending }
    })
    .await
}

/// Writes all there is to be written to one end, and flushes it.
pub(crate) async fn finish(stream: &mut (impl Transport + ?Sized), end: &mut End) -> io::Result<()> {
    poll_fn(|context| {
        write(context, stream, end)?;
        if end.output.is_empty() && !end.unflushed {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    })
    .await
}

/// Reads from one end; false at its end.
pub(crate) async fn read_on(stream: &mut (impl Transport + ?Sized), end: &mut End) -> io::Result<bool> {
    poll_fn(|context| match read(context, stream, end) {
        Ok(true) => Poll::Ready(Ok(!end.ended)),
        Ok(false) => Poll::Pending,
        Err(error) => Poll::Ready(Err(error)),
    })
    .await
}

/// Lets go of a client. Wasmtime's host waits for a socket's last write when the socket is dropped, and the whole service
/// with it: so one that does not read is kept until it does, or hangs up.
pub(crate) async fn part(stream: TcpStream) {
    // What is known to be writable may have been written to since.
    let _ = stream.try_io(Interest::WRITABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    let _ = stream.writable().await;
}
