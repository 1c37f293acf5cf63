//! HTTP on a live instance: a service that exports `wasi:http/handler@0.3.0` beside `run` answers requests itself, with
//! all that it remembers.

use futures::StreamExt as _;
use futures::channel::oneshot;
use futures::future;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use wasmtime::AsContextMut as _;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::handler::{Prepared, Proxy};
use wasmtime_wasi_http::{WasiBody, WasiHttpView as _};

use super::state::State;

/// Requests on their way to a service. They wait while it is being restarted.
pub(super) type Requests = mpsc::Sender<Job>;

/// So many requests wait at most; further ones wait in their connections.
const WAITING: usize = 256;

/// A request, and where its response is awaited.
pub(super) struct Job {
    pub(super) request: hyper::Request<WasiBody>,
    pub(super) respond: oneshot::Sender<wasmtime::Result<hyper::Response<WasiBody>>>,
}

/// Where requests come in, whichever life of the service takes them.
pub(super) type Inbox = tokio::sync::Mutex<mpsc::Receiver<Job>>;

pub(super) fn channel() -> (Requests, Inbox) {
    let (requests, inbox) = mpsc::channel(WAITING);
    (requests, Inbox::new(inbox))
}

/// Hands requests to the instance for as long as it is polled. A trap ends it, as it does `run`.
pub(super) async fn serve(accessor: &Accessor<State>, proxy: &Proxy, inbox: &Inbox) -> wasmtime::Result<()> {
    let mut inbox = inbox.lock().await;
    let mut answered = FuturesUnordered::new();
    loop {
        tokio::select! {
            job = inbox.recv() => {
                let Some(Job { request, respond }) = job else { return future::pending().await };
                let prepared = accessor
                    .with(|mut store| Prepared::new(store.as_context_mut(), proxy, request, State::http, respond))?;
                answered.push(prepared.run(accessor, future::pending()));
            }
            Some(ended) = answered.next() => drop(ended?),
        }
    }
}
