//! A socket that counts the writes it is asked for, each of which is a segment of its own where there is no Nagle.

#![allow(unreachable_pub, reason = "shared by test binaries")]

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

#[derive(Debug)]
pub struct Counting {
    inner: TcpStream,
    writes: Rc<Cell<usize>>,
}

impl Counting {
    pub async fn connect(address: SocketAddr) -> (Self, Rc<Cell<usize>>) {
        let writes = Rc::new(Cell::new(0));
        (
            Self {
                inner: TcpStream::connect(address).await.unwrap(),
                writes: Rc::clone(&writes),
            },
            writes,
        )
    }
}

impl AsyncRead for Counting {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write(context, data);
        this.writes.set(this.writes.get() + usize::from(written.is_ready()));
        written
    }

    /// In a guest it would block the whole service.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        panic!("a vectored write came through")
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}
