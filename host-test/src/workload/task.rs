//! Tasks that drive guests.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::{AbortHandle, JoinHandle, unconstrained};
use wasmtime::format_err;

/// Ends its task when dropped.
pub(super) struct Task<T> {
    handle: JoinHandle<T>,
    abort: Option<AbortHandle>,
}

/// Starts a task outside tokio's budget. A guest's whole event loop is one task: with many sockets ready it would use
/// the budget up in one turn, find every socket pending, and never get past it.
pub(super) fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Task<T> {
    let handle = tokio::spawn(unconstrained(future));
    Task {
        abort: Some(handle.abort_handle()),
        handle,
    }
}

impl<T> Task<T> {
    /// Lets the task end by itself.
    pub(super) fn detach(mut self) {
        self.abort = None;
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if let Some(abort) = &self.abort {
            abort.abort();
        }
    }
}

impl<T> Future for Task<wasmtime::Result<T>> {
    type Output = wasmtime::Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.handle).poll(context).map(|joined| match joined {
            Ok(result) => result,
            Err(error) => Err(format_err!("the task of a call ended early: {error}")),
        })
    }
}
