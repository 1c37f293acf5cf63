//! Requests, and connections that send them one after the other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mainstay_otel_core::wire::{put_bytes, put_fixed32, put_fixed64, put_key, put_varint};
use mainstay_otel_core::{Signal, grpc};
use tokio::net::TcpStream;

use crate::agent::Path;
use crate::sink::Sink;

const ITEMS: u64 = 512;
const CONNECTIONS: usize = 4;
/// Calls at once on a connection of gRPC.
const CALLS: usize = 4;

/// Connections that send as fast as they are answered, until this is dropped.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    pub(crate) fn start(signal: Signal, path: Path, to: SocketAddr) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let body = Bytes::from(request(signal, ITEMS));
        let runtime = crate::runtime()?;
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                let clients = (0..CONNECTIONS).map(|_| client(signal, path, to, body.clone(), &stopped));
                for result in futures::future::join_all(clients).await {
                    if let Err(error) = result {
                        eprintln!("load: {error:#}");
                    }
                }
            });
        });
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn client(signal: Signal, path: Path, to: SocketAddr, body: Bytes, stop: &AtomicBool) -> Result<()> {
    let sender = Sender::connect(signal, path, to).await?;
    let at_once = if path == Path::Grpc { CALLS } else { 1 };
    let calls = (0..at_once).map(|_| {
        let (mut sender, body) = (sender.try_clone(), body.clone());
        async move {
            while !stop.load(Relaxed) {
                let Some(sender) = sender.as_mut() else { break };
                if !sender.send(body.clone()).await? {
                    // It is full.
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
            anyhow::Ok(())
        }
    });
    if path == Path::Http {
        let mut sender = sender;
        while !stop.load(Relaxed) {
            if !sender.send(body.clone()).await? {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        return Ok(());
    }
    futures::future::join_all(calls).await.into_iter().collect()
}

/// Sends so many spans, each after the one before has arrived: how long each took.
pub(crate) fn one_by_one(
    signal: Signal,
    path: Path,
    to: SocketAddr,
    sink: &Sink,
    count: usize,
) -> Result<Vec<Duration>> {
    crate::runtime()?.block_on(async {
        let mut sender = Sender::connect(signal, path, to).await?;
        let body = Bytes::from(request(signal, 1));
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let (before, began) = (sink.items(), Instant::now());
            ensure!(sender.send(body.clone()).await?, "a span is refused");
            while sink.items() == before {
                ensure!(began.elapsed() < Duration::from_secs(10), "a span does not arrive");
                tokio::task::yield_now().await;
            }
            times.push(began.elapsed());
        }
        Ok(times)
    })
}

enum Sender {
    Http(http1::SendRequest<Full<Bytes>>, Signal),
    Grpc(http2::SendRequest<Full<Bytes>>, Signal),
}

impl Sender {
    async fn connect(signal: Signal, path: Path, to: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let stream = TokioIo::new(stream);
        match path {
            Path::Http => {
                let (sender, connection) = http1::handshake(stream).await?;
                tokio::spawn(connection);
                Ok(Self::Http(sender, signal))
            }
            Path::Grpc => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
                tokio::spawn(connection);
                Ok(Self::Grpc(sender, signal))
            }
        }
    }

    fn try_clone(&self) -> Option<Self> {
        match self {
            Self::Http(..) => None,
            Self::Grpc(sender, signal) => Some(Self::Grpc(sender.clone(), *signal)),
        }
    }

    /// Whether the request was taken; if not, there is no room now.
    async fn send(&mut self, body: Bytes) -> Result<bool> {
        match self {
            Self::Http(sender, signal) => {
                let request = Request::post(format!("/{}", signal.http_path()))
                    .header("host", "agent")
                    .header("content-type", "application/x-protobuf")
                    .body(Full::new(body))?;
                sender.ready().await?;
                let response = sender.send_request(request).await?;
                let status = response.status();
                response.into_body().collect().await?;
                ensure!(
                    matches!(
                        status,
                        StatusCode::OK | StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
                    ),
                    "{status}"
                );
                Ok(status == StatusCode::OK)
            }
            Self::Grpc(sender, signal) => {
                let framed = [&grpc::prefix(false, body.len())[..], &body].concat();
                let request = Request::post(format!("http://agent{}", signal.grpc_path()))
                    .header("content-type", "application/grpc")
                    .header("te", "trailers")
                    .body(Full::new(Bytes::from(framed)))?;
                sender.ready().await?;
                let (head, body) = sender.send_request(request).await?.into_parts();
                let trailers = body.collect().await?.trailers().cloned();
                let status = trailers.as_ref().and_then(|trailers| trailers.get("grpc-status"));
                let status = status
                    .or_else(|| head.headers.get("grpc-status"))
                    .context("no grpc-status")?;
                ensure!(
                    matches!(status.as_bytes(), b"0" | b"8" | b"14"),
                    "grpc-status {status:?}"
                );
                Ok(status == "0")
            }
        }
    }
}

/// A request as an SDK sends it: a resource, a scope, items with a few attributes each.
pub(crate) fn request(signal: Signal, items: u64) -> Vec<u8> {
    let mut resource = Vec::new();
    for (key, value) in [
        ("service.name", "shop"),
        ("service.version", "1.2.3"),
        ("telemetry.sdk.language", "rust"),
    ] {
        put_bytes(&mut resource, 1, &attribute(key, value));
    }
    let mut scope = Vec::new();
    let mut name = Vec::new();
    put_bytes(&mut name, 1, b"shop.orders");
    put_bytes(&mut scope, 1, &name);
    match signal {
        Signal::Traces => (0..items).for_each(|number| put_bytes(&mut scope, 2, &span(number))),
        Signal::Logs => (0..items).for_each(|number| put_bytes(&mut scope, 2, &record(number))),
        // Eight points to a metric.
        Signal::Metrics => {
            (0..items.div_ceil(8)).for_each(|number| put_bytes(&mut scope, 2, &metric(number, items.min(8))))
        }
    }
    let (mut group, mut request) = (Vec::new(), Vec::new());
    put_bytes(&mut group, 1, &resource);
    put_bytes(&mut group, 2, &scope);
    put_bytes(&mut request, 1, &group);
    request
}

fn attribute(key: &str, value: &str) -> Vec<u8> {
    let (mut any, mut attribute) = (Vec::new(), Vec::new());
    put_bytes(&mut any, 1, value.as_bytes());
    put_bytes(&mut attribute, 1, key.as_bytes());
    put_bytes(&mut attribute, 2, &any);
    attribute
}

fn attributes(out: &mut Vec<u8>, field: u32, number: u64) {
    for (key, value) in [
        ("http.request.method", "POST".to_owned()),
        ("http.route", "/orders/{id}/items".to_owned()),
        ("server.address", "shop.example".to_owned()),
        ("order.id", format!("order-{number}")),
    ] {
        put_bytes(out, field, &attribute(key, &value));
    }
}

fn varint(out: &mut Vec<u8>, field: u32, value: u64) {
    put_key(out, field, 0);
    put_varint(out, value);
}

const NOW: u64 = 1_764_000_000_000_000_000;

fn span(number: u64) -> Vec<u8> {
    let mut span = Vec::new();
    put_bytes(
        &mut span,
        1,
        &[(number ^ NOW).to_be_bytes(), number.to_be_bytes()].concat(),
    );
    put_bytes(&mut span, 2, &number.to_be_bytes());
    put_bytes(&mut span, 5, b"POST /orders/{id}/items");
    varint(&mut span, 6, 2);
    put_fixed64(&mut span, 7, NOW);
    put_fixed64(&mut span, 8, NOW + number);
    attributes(&mut span, 9, number);
    span
}

fn record(number: u64) -> Vec<u8> {
    let (mut record, mut body) = (Vec::new(), Vec::new());
    put_fixed64(&mut record, 1, NOW + number);
    varint(&mut record, 2, 9);
    put_bytes(&mut record, 3, b"INFO");
    put_bytes(&mut body, 1, b"an order was placed, and its items are on their way");
    put_bytes(&mut record, 5, &body);
    attributes(&mut record, 6, number);
    put_fixed32(&mut record, 8, 1);
    put_bytes(&mut record, 9, &[NOW.to_be_bytes(), number.to_be_bytes()].concat());
    put_bytes(&mut record, 10, &number.to_be_bytes());
    record
}

fn metric(number: u64, points: u64) -> Vec<u8> {
    let mut sum = Vec::new();
    for point in 0..points {
        let mut data = Vec::new();
        put_fixed64(&mut data, 2, NOW);
        put_fixed64(&mut data, 3, NOW + point);
        put_fixed64(&mut data, 6, point);
        attributes(&mut data, 7, point);
        put_bytes(&mut sum, 1, &data);
    }
    varint(&mut sum, 2, 2);
    varint(&mut sum, 3, 1);
    let mut metric = Vec::new();
    put_bytes(&mut metric, 1, format!("orders.placed.{number}").as_bytes());
    put_bytes(&mut metric, 3, b"{order}");
    put_bytes(&mut metric, 7, &sum);
    metric
}
