//! Streams of bytes from one store to another.
//!
//! A stream belongs to the store that it is in. For a call into another store its bytes are taken out on this side, and
//! a new stream is fed with them on the other. One chunk is under way at a time, so that a slow reader holds up the
//! writer as it would within one store.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use futures::FutureExt as _;
use futures::StreamExt as _;
use futures::channel::{mpsc, oneshot};
use futures::future::{self, Shared};
use wasmtime::component::{Destination, Source, StreamConsumer, StreamProducer, StreamReader, StreamResult, Val};
use wasmtime::{StoreContextMut, format_err};

use super::handles;
use super::state::State;

/// Most bytes in one chunk.
const CHUNK: usize = 64 << 10;

/// A stream's bytes between two stores.
pub(super) struct Pipe {
    chunks: mpsc::Receiver<Bytes>,
    fed: Shared<oneshot::Receiver<()>>,
}

/// Ready when everything has been taken out of the streams behind `pipes`, or nobody wants it any more.
pub(super) fn all_fed(pipes: &[Pipe]) -> impl Future<Output = ()> + Send + use<> {
    let fed: Vec<_> = pipes.iter().map(|pipe| pipe.fed.clone()).collect();
    async move {
        future::join_all(fed).await;
    }
}

/// Takes the streams among `values` out of the store. The values keep their place, see [`put`].
pub(super) fn take(store: &mut StoreContextMut<'_, State>, values: &mut [Val]) -> wasmtime::Result<Vec<Pipe>> {
    let mut pipes = Vec::new();
    handles::each(values, &mut |value| {
        if let Val::Stream(stream) = value {
            let reader = StreamReader::<u8>::try_from_stream_any(stream.clone())?;
            let (feed, chunks) = mpsc::channel(0);
            let (end, fed) = oneshot::channel();
            reader.pipe(&mut *store, Feeder { feed, _end: end })?;
            pipes.push(Pipe {
                chunks,
                fed: fed.shared(),
            });
        }
        Ok(())
    })?;
    Ok(pipes)
}

/// Puts streams fed from `pipes` where other streams were taken out.
pub(super) fn put(
    store: &mut StoreContextMut<'_, State>,
    values: &mut [Val],
    pipes: Vec<Pipe>,
) -> wasmtime::Result<()> {
    if pipes.is_empty() {
        return Ok(());
    }
    let mut pipes = pipes.into_iter();
    handles::each(values, &mut |value| {
        let pipe = pipes
            .next()
            .ok_or_else(|| format_err!("a stream got lost between two components"))?;
        let source = Fountain {
            chunks: pipe.chunks,
            rest: Bytes::new(),
        };
        *value = Val::Stream(StreamReader::new(&mut *store, source)?.try_into_stream_any(&mut *store)?);
        Ok(())
    })
}

/// Takes what a guest writes.
struct Feeder {
    feed: mpsc::Sender<Bytes>,
    _end: oneshot::Sender<()>,
}

impl StreamConsumer<State> for Feeder {
    type Item = u8;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        store: StoreContextMut<'_, State>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        match self.feed.poll_ready(context) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => return Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => return Poll::Pending,
        }
        let mut source = source.as_direct(store);
        let written = source.remaining();
        let chunk = Bytes::copy_from_slice(written.get(..CHUNK).unwrap_or(written));
        // A write of nothing asks whether there is room.
        if !chunk.is_empty() {
            source.mark_read(chunk.len());
            if self.feed.start_send(chunk).is_err() {
                return Poll::Ready(Ok(StreamResult::Dropped));
            }
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

/// Gives a guest what it reads.
struct Fountain {
    chunks: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl Fountain {
    /// Whether there is something to read; not if the stream has ended.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        while self.rest.is_empty() {
            match ready!(self.chunks.poll_next_unpin(context)) {
                Some(chunk) => self.rest = chunk,
                None => return Poll::Ready(false),
            }
        }
        Poll::Ready(true)
    }
}

impl StreamProducer<State> for Fountain {
    type Item = u8;
    type Buffer = Option<u8>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'a, State>,
        destination: Destination<'a, u8, Option<u8>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        match self.poll_rest(context) {
            Poll::Ready(true) => {}
            Poll::Ready(false) => return Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => return Poll::Pending,
        }
        // A read of nothing asks whether there is something.
        if destination.remaining(&mut store) != Some(0) {
            let mut destination = destination.as_direct(store, CHUNK);
            let room = destination.remaining();
            let count = room.len().min(self.rest.len());
            if let (Some(room), Some(bytes)) = (room.get_mut(..count), self.rest.get(..count)) {
                room.copy_from_slice(bytes);
            }
            destination.mark_written(count);
            self.rest.advance(count);
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}
