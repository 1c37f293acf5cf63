//! Bytes in both directions between two sockets, whatever is done to them in between.
//!
//! Both ends may send at once and read only later, as clients that pipeline do: so nothing here waits for one thing
//! only. What is to be written is written, and what can be read is read, until something has moved.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use mainstay_runtime::seldom::Seldom;
use tokio::io::ReadBuf;

use crate::upstream::Transport;

/// What is not read on while so much waits to be written to the other end.
const PENDING: usize = 256 * 1024;

/// How much is read at once.
const READ: usize = 64 * 1024;

/// What an end has said and nobody has taken: whoever need not wait for the rest of one long message reads no more.
pub(crate) const INPUT: usize = 1024 * 1024;

/// What messages longer than that may take, all ends of all pools together, while the rest of them is waited for.
const LONG: usize = 256 * 1024 * 1024;

/// One end: what came from it, what is to be said to it.
#[derive(Debug, Default)]
pub(crate) struct End {
    pub(crate) input: BytesMut,
    pub(crate) output: BytesMut,
    /// It will say nothing more.
    pub(crate) ended: bool,
    /// What was written has to be flushed.
    pub(crate) unflushed: bool,
    pub(crate) long: Long,
}

/// What one end has of [`LONG`].
#[derive(Debug, Default)]
pub(crate) struct Long(usize);

thread_local! {
    /// What all ends have of [`LONG`].
    static TAKEN: Cell<usize> = const { Cell::new(0) };
    /// Those that wanted more.
    static REFUSED: Seldom = Seldom::default();
}

impl Long {
    /// The end has so much input now.
    fn set(&mut self, input: usize) -> io::Result<()> {
        let now = input.saturating_sub(INPUT);
        let taken = TAKEN.get() - self.0 + now;
        TAKEN.set(taken);
        let grows = now > self.0;
        self.0 = now;
        if grows && taken > LONG {
            let most = LONG >> 20;
            let error = format!("long messages that wait for their ends would take more than {most} MiB together");
            if let Some(times) = REFUSED.with(|refused| refused.count(1)) {
                tracing::warn!(times, "a connection is closed: {error}");
            }
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, error));
        }
        Ok(())
    }
}

impl Drop for Long {
    fn drop(&mut self) {
        let taken = TAKEN.get() - self.0;
        TAKEN.set(taken);
    }
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

/// Waits until something has moved between client and server. While the client has said enough, only its going counts. A
/// server that takes nothing of what waits for it for longer than `send_timeout` has failed: meanwhile nobody may be able
/// to see that the client is gone.
pub(crate) async fn pump(
    client: &mut (impl Transport + ?Sized),
    client_end: &mut End,
    server: &mut (impl Transport + ?Sized),
    server_end: &mut End,
    enough: bool,
    send_timeout: Duration,
) -> Result<Moved, Failed> {
    let mut stalled: Option<(Pin<Box<tokio::time::Sleep>>, usize)> = None;
    poll_fn(|context| {
        let mut moved = Moved::default();
        moved.wrote |= write(context, server, server_end).map_err(Failed::Server)?;
        moved.wrote |= write(context, client, client_end).map_err(Failed::Client)?;
        if client_end.output.len() < PENDING && !server_end.ended {
            moved.from_server = read(context, server, server_end).map_err(Failed::Server)?;
        }
        let full = server_end.output.len() >= PENDING || (enough && client_end.input.len() >= INPUT);
        if !full && !client_end.ended {
            moved.from_client = read(context, client, client_end).map_err(Failed::Client)?;
        }
        if moved != Moved::default() {
            return Poll::Ready(Ok(moved));
        }
        let left = server_end.output.len();
        if left == 0 {
            return Poll::Pending;
        }
        loop {
            let (sleep, before) = stalled.get_or_insert_with(|| (Box::pin(tokio::time::sleep(send_timeout)), left));
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if left >= *before {
                let error = format!("it took nothing within {send_timeout:?}");
                return Poll::Ready(Err(Failed::Server(io::Error::new(io::ErrorKind::TimedOut, error))));
            }
            stalled = None;
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
    // What was taken of it since.
    end.long.set(end.input.len())?;
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
        end.long.set(end.input.len())?;
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

/// Waits for something on behalf of a client, and takes in meanwhile what it says. None if the client goes before: it has hung
/// up, or has half closed and `leaves` says of what it has said that it wants no answer.
pub(crate) async fn unless_gone<T>(
    stream: &mut (impl Transport + ?Sized),
    end: &mut End,
    waits: impl Future<Output = T>,
    leaves: impl Fn(&End) -> bool,
) -> io::Result<Option<T>> {
    let mut waits = pin!(waits);
    loop {
        tokio::select! {
            biased;
            done = &mut waits => return Ok(Some(done)),
            more = read_on(stream, end), if (!end.ended || leaves(end)) && end.input.len() < INPUT => {
                if !more? && leaves(end) {
                    return Ok(None);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_server_that_takes_nothing_has_failed_and_one_that_takes_a_little_has_not() {
        let (mut client, _here) = tokio::io::duplex(64);
        let (mut server, mut there) = tokio::io::duplex(64);
        let (mut client_end, mut server_end) = (End::default(), End::default());
        server_end.output.extend_from_slice(&[7; 256]);
        let pumped = async {
            pump(
                &mut client,
                &mut client_end,
                &mut server,
                &mut server_end,
                false,
                SECOND,
            )
            .await
        };
        let began = tokio::time::Instant::now();
        let takes = async {
            tokio::time::sleep(SECOND / 2).await;
            tokio::io::AsyncReadExt::read_exact(&mut there, &mut [0; 32])
                .await
                .unwrap();
        };
        let (failed, ()) = tokio::join!(pumped, takes);
        assert!(matches!(failed, Err(Failed::Server(error)) if error.kind() == io::ErrorKind::TimedOut));
        assert_eq!(began.elapsed().as_secs(), 2, "it took something in the first of them");
    }

    #[tokio::test]
    async fn who_has_said_enough_is_not_read() {
        let (mut client, mut here) = tokio::io::duplex(64);
        let (mut server, mut there) = tokio::io::duplex(64);
        let (mut client_end, mut server_end) = (End::default(), End::default());
        client_end.input.extend_from_slice(&vec![1; INPUT]);
        here.write_all(b"more").await.unwrap();
        there.write_all(b"answer").await.unwrap();
        let moved = pump(&mut client, &mut client_end, &mut server, &mut server_end, true, SECOND).await;
        assert!(moved.is_ok_and(|moved| moved.from_server && !moved.from_client));
        let moved = pump(
            &mut client,
            &mut client_end,
            &mut server,
            &mut server_end,
            false,
            SECOND,
        )
        .await;
        assert!(moved.is_ok_and(|moved| moved.from_client));
    }

    #[test]
    fn long_messages_have_a_bound_together() {
        let mut ends: Vec<Long> = (0..4).map(|_| Long::default()).collect();
        for end in &mut ends {
            end.set(INPUT + LONG / 4).unwrap();
        }
        let mut other = Long::default();
        other.set(INPUT).unwrap();
        assert!(other.set(INPUT + 1).is_err());
        ends.pop();
        other.set(INPUT + 2).unwrap();
        drop((ends, other));
        assert_eq!(TAKEN.get(), 0);
    }
}
