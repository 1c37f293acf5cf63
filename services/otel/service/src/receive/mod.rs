//! OTLP/HTTP and OTLP/gRPC on loopback.
//!
//! - `http`: requests and answers of OTLP/HTTP
//! - `grpc`: calls and trailers of OTLP/gRPC
//! - `body`: reading a request within its bounds
//! - `memory`: what all requests may take while they are received

mod body;
mod grpc;
mod http;
mod memory;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use mainstay_runtime::backoff::Backoff;
use mainstay_runtime::listener::Listener;
use mainstay_runtime::metrics::Gauge;
use mainstay_runtime::net::{Coalesced, Socket};
use mainstay_runtime::{Context, supervise};

use crate::component::Component;
use crate::config::Receive;
use crate::intake::Intake;
use crate::report::Report;
use memory::Memory;

/// Windows of HTTP/2: a request of a mebibyte is to arrive without waiting for the receiver in between.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 64 << 20;

/// How long a connection may be idle, or the head of a request take: SDKs send metrics once a minute.
const HEAD_LIMIT: Duration = Duration::from_secs(300);

/// How often a connection of HTTP/2 on which nothing happens is asked whether somebody is there, and how long the answer may
/// take: a client that is gone without a word must not keep its place.
const PING_EVERY: Duration = Duration::from_secs(60);
const PING_LIMIT: Duration = Duration::from_secs(20);

/// What both receivers need.
pub(crate) struct Receiver<C> {
    intake: Rc<Intake<C>>,
    memory: Rc<Memory>,
    max_request: usize,
}

/// Serves both protocols from now on. A port in use, as an earlier life of the service may leave it, is tried again. The
/// service is ready when all its ports listen.
pub(crate) fn start<C: Component>(context: &Context, settings: &Receive, intake: Rc<Intake<C>>, report: &Rc<Report>) {
    let receiver = Rc::new(Receiver {
        intake,
        memory: Rc::new(Memory::new(settings.memory)),
        max_request: settings.max_request,
    });
    let kinds = [("http", settings.http), ("grpc", settings.grpc)];
    let missing = Rc::new(std::cell::Cell::new(
        kinds.iter().filter(|(_, address)| address.is_some()).count(),
    ));
    if missing.get() == 0 {
        context.health.ready();
    }
    for ((name, address), connections) in kinds.into_iter().zip(report.connections.clone()) {
        let Some(address) = address else { continue };
        let (receiver, missing, health) = (Rc::clone(&receiver), Rc::clone(&missing), context.health.clone());
        let max_connections = settings.max_connections;
        let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
        supervise::spawn(name, backoff, move || {
            let listening = {
                let (missing, health) = (Rc::clone(&missing), health.clone());
                move || {
                    missing.set(missing.get().saturating_sub(1));
                    if missing.get() == 0 {
                        health.ready();
                    }
                }
            };
            let served = serve(
                name,
                address,
                max_connections,
                Rc::clone(&receiver),
                connections.clone(),
                listening,
            );
            async { served.await.map(|never| match never {}) }
        });
    }
}

async fn serve<C: Component>(
    name: &'static str,
    address: SocketAddr,
    max_connections: usize,
    receiver: Rc<Receiver<C>>,
    connections: Gauge,
    listening: impl FnOnce(),
) -> Result<Infallible, String> {
    let listener = Listener::bind(address).map_err(|error: io::Error| format!("OTLP/{name} on {address}: {error}"))?;
    tracing::info!(address = %listener.address(), "components speak OTLP/{name} here");
    listening();
    Ok(listener
        .serve(max_connections, move |stream, _| {
            let (receiver, connections) = (Rc::clone(&receiver), connections.clone());
            async move {
                connections.add(1.0);
                let served = match name {
                    "grpc" => grpc_connection(receiver, stream).await,
                    _ => http_connection(receiver, stream).await,
                };
                connections.add(-1.0);
                if let Err(error) = served {
                    tracing::debug!("OTLP/{name}: {error}");
                }
            }
        })
        .await)
}

async fn http_connection<C: Component>(receiver: Rc<Receiver<C>>, stream: Socket) -> hyper::Result<()> {
    let service = service_fn(move |request| {
        let receiver = Rc::clone(&receiver);
        async move { Ok::<_, Infallible>(http::answer(&receiver, request).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .serve_connection(TokioIo::new(Coalesced::new(stream)), service)
        .await
}

async fn grpc_connection<C: Component>(receiver: Rc<Receiver<C>>, stream: Socket) -> hyper::Result<()> {
    let service = service_fn(move |request| {
        let receiver = Rc::clone(&receiver);
        async move { Ok::<_, Infallible>(grpc::answer(&receiver, request).await) }
    });
    http2::Builder::new(Local)
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_LIMIT)
        .serve_connection(TokioIo::new(Coalesced::new(stream)), service)
        .await
}

/// Runs what hyper wants to have run as a task of this thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Local;

impl<F: Future<Output: 'static> + 'static> Executor<F> for Local {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}
