//! Where the standard streams of a workload's components lead.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::cli::{self, IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamResult};

/// What the service reads from its standard input. Components have none.
#[derive(Debug, Clone, Default)]
pub enum Input {
    /// Nothing: the end at once.
    #[default]
    Empty,
    /// This process's own. A service that fails after it has read from it is not restarted: what was read is gone, and whoever
    /// wrote it would wait for answers that never come.
    Inherit,
    /// These bytes, and then the end. A restarted service reads them again.
    Bytes(Bytes),
}

/// Where standard output and standard error of all components go.
#[derive(Debug, Clone, Default)]
pub enum Output {
    /// To this process's own.
    #[default]
    Inherit,
    /// Into memory, to be read with [`Workload::stdout`](super::Workload::stdout).
    Capture,
}

/// The standard streams of one workload.
#[derive(Debug, Clone)]
pub(super) struct Stdio {
    input: Input,
    inherited: Inherited,
    capture: Option<(Captured, Captured)>,
}

impl Stdio {
    pub(super) fn new(input: Input, output: &Output) -> Self {
        let capture = match output {
            Output::Inherit => None,
            Output::Capture => Some(Default::default()),
        };
        Self {
            input,
            inherited: Inherited::default(),
            capture,
        }
    }

    /// Whether something was read from this process's standard input.
    pub(super) fn was_read(&self) -> bool {
        self.inherited.was_read.load(Ordering::Relaxed)
    }

    pub(super) fn stdout(&self) -> Option<&Captured> {
        self.capture.as_ref().map(|(stdout, _)| stdout)
    }

    pub(super) fn stderr(&self) -> Option<&Captured> {
        self.capture.as_ref().map(|(_, stderr)| stderr)
    }

    pub(super) fn apply(&self, builder: &mut WasiCtxBuilder, reads_input: bool) {
        match &self.input {
            Input::Inherit if reads_input => {
                builder.stdin(self.inherited.clone());
            }
            Input::Bytes(bytes) if reads_input => {
                builder.stdin(MemoryInputPipe::new(bytes.clone()));
            }
            _ => {}
        }
        match &self.capture {
            None => builder.inherit_stdout().inherit_stderr(),
            Some((stdout, stderr)) => builder.stdout(stdout.clone()).stderr(stderr.clone()),
        };
    }
}

/// This process's standard input, which notes whether something was read from it.
#[derive(Debug, Clone, Default)]
struct Inherited {
    was_read: Arc<AtomicBool>,
}

impl Inherited {
    fn note(&self, bytes: usize) {
        if bytes > 0 {
            self.was_read.store(true, Ordering::Relaxed);
        }
    }
}

impl IsTerminal for Inherited {
    fn is_terminal(&self) -> bool {
        cli::stdin().is_terminal()
    }
}

impl StdinStream for Inherited {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(Noted {
            stream: Box::into_pin(cli::stdin().async_stream()),
            by: self.clone(),
        })
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(Noted {
            stream: cli::stdin().p2_stream(),
            by: self.clone(),
        })
    }
}

/// A stream of the standard input.
struct Noted<S> {
    stream: S,
    by: Inherited,
}

impl AsyncRead for Noted<Pin<Box<dyn AsyncRead + Send + Sync>>> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = self.stream.as_mut().poll_read(context, buffer);
        self.by.note(buffer.filled().len().saturating_sub(before));
        polled
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Noted<Box<dyn InputStream>> {
    async fn ready(&mut self) {
        self.stream.ready().await;
    }
}

#[wasmtime_wasi::async_trait]
impl InputStream for Noted<Box<dyn InputStream>> {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let bytes = self.stream.read(size)?;
        self.by.note(bytes.len());
        Ok(bytes)
    }

    async fn cancel(&mut self) {
        self.stream.cancel().await;
    }
}

/// Output kept in memory.
#[derive(Debug, Clone, Default)]
pub struct Captured {
    text: Arc<Mutex<Vec<u8>>>,
    grown: Arc<Notify>,
}

impl Captured {
    /// All there is so far.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock()).into_owned()
    }

    /// Waits until the output contains `needle`.
    ///
    /// # Errors
    /// After `deadline`, with the whole output.
    pub async fn wait_for(&self, needle: &str, deadline: Duration) -> anyhow::Result<()> {
        let appeared = async {
            loop {
                let grown = self.grown.notified();
                if self.text().contains(needle) {
                    return;
                }
                grown.await;
            }
        };
        tokio::time::timeout(deadline, appeared)
            .await
            .map_err(|_| anyhow::anyhow!("\"{needle}\" did not appear within {deadline:?} in:\n{}", self.text()))
    }

    fn append(&self, bytes: &[u8]) {
        self.lock().extend_from_slice(bytes);
        self.grown.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IsTerminal for Captured {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Captured {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Captured {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.append(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Captured {
    async fn ready(&mut self) {}
}

impl OutputStream for Captured {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.append(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}
