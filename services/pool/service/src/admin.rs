//! The admin pages: JSON over HTTP/1.1 on the workload's loopback.
//!
//! | request | |
//! |---|---|
//! | `GET /pools` | all pools, with their figures |
//! | `GET /pools/NAME` | one of them |
//! | `POST /pools/NAME/pause`, `/resume` | let everybody wait; and go on |
//! | `POST /pools/NAME/drain` | refuse everybody, close connections as they come back |
//! | `POST /pools/NAME/reconnect` | replace every connection, try every address |
//!
//! The components of the workload can reach them and nobody else, so there is no password.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use mainstay_pool_core::pool::Mode;
use mainstay_runtime::backoff::Backoff;
use mainstay_runtime::listener::Listener;
use mainstay_runtime::supervise;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::pool::{Connector, Pool};

/// A console and a script or two.
const MAX_CONNECTIONS: usize = 16;

/// The most that a connection may take, idle or not.
const DEADLINE: Duration = Duration::from_secs(30);

/// A pool, as the admin pages see it.
pub(crate) trait Operable {
    fn name(&self) -> &str;
    fn figures(&self) -> Value;
    /// Whether there is such an operation.
    fn operate(&self, operation: &str) -> bool;
}

impl<C: Connector> Operable for Rc<Pool<C>> {
    fn name(&self) -> &str {
        Pool::name(self)
    }

    fn figures(&self) -> Value {
        let stats = self.stats();
        let (mode, failure, open, ejected, max) = self.inspect(|core, now| {
            let ejected: Vec<String> = core
                .ejected(now)
                .into_iter()
                .map(|host| self.address(host).to_owned())
                .collect();
            let failure = core.last_failure().map(ToString::to_string);
            (
                core.mode(),
                failure,
                core.circuit_open(now).is_some(),
                ejected,
                core.settings().max,
            )
        });
        let mode = match mode {
            Mode::Running => "running",
            Mode::Paused => "paused",
            Mode::Draining if stats.active + stats.idle + stats.connecting == 0 => "drained",
            Mode::Draining => "draining",
        };
        json!({
            "name": Pool::name(self), "state": mode, "circuit-open": open, "ejected": ejected, "last-failure": failure,
            "max": max, "active": stats.active, "idle": stats.idle, "connecting": stats.connecting,
            "checking": stats.checking, "waiting": stats.waiting, "connects": stats.connects,
            "connect-failures": stats.connect_failures, "acquires": stats.acquires, "refusals": stats.refusals,
            "timeouts": stats.timeouts, "leaks": stats.leaks, "closes": stats.closes,
        })
    }

    fn operate(&self, operation: &str) -> bool {
        match operation {
            "pause" => Pool::operate(self, |core, _| core.pause()),
            "resume" => Pool::operate(self, |core, now| core.resume(now)),
            "drain" => Pool::operate(self, |core, _| core.drain()),
            "reconnect" => Pool::operate(self, |core, now| core.reconnect(now)),
            _ => return false,
        }
        tracing::info!(pool = Pool::name(self), operation, "an operator says so");
        true
    }
}

/// All pools.
pub(crate) type Pools = Rc<Vec<Box<dyn Operable>>>;

/// Serves the pages from now on. A port in use, as an earlier life of the service may leave it, is tried again.
pub(crate) fn start(pools: Pools, address: SocketAddr) {
    let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
    supervise::spawn("admin", backoff, move || {
        let pages = serve(Rc::clone(&pools), address);
        async { pages.await.map(|never| match never {}) }
    });
}

async fn serve(pools: Pools, address: SocketAddr) -> Result<Infallible, String> {
    let listener = Listener::bind(address).map_err(|error| format!("admin pages on {address}: {error}"))?;
    tracing::debug!(address = %listener.address(), "admin pages");
    Ok(listener
        .serve(MAX_CONNECTIONS, move |stream, _| connection(Rc::clone(&pools), stream))
        .await)
}

async fn connection(pools: Pools, stream: TcpStream) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (status, body) = answer(&pools, request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(respond(status, &body)) }
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(DEADLINE, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("admin pages: {error}"),
        Err(_) => tracing::debug!("admin pages: a connection took longer than {DEADLINE:?}"),
    }
}

fn answer(pools: &[Box<dyn Operable>], method: &Method, path: &str) -> (StatusCode, Value) {
    let error = |status, text: String| (status, json!({ "error": text }));
    let mut parts = path.trim_start_matches('/').split('/');
    let (page, name, operation, more) = (parts.next(), parts.next(), parts.next(), parts.next());
    if page != Some("pools") || more.is_some() {
        return error(
            StatusCode::NOT_FOUND,
            format!("{path} is not a page; pages are /pools and /pools/NAME"),
        );
    }
    let Some(name) = name else {
        let figures: Vec<Value> = pools.iter().map(|pool| pool.figures()).collect();
        return (StatusCode::OK, json!({ "pools": figures }));
    };
    let Some(pool) = pools.iter().find(|pool| pool.name() == name) else {
        return error(StatusCode::NOT_FOUND, format!("no pool has the name {name:?}"));
    };
    match operation {
        None if *method == Method::GET => (StatusCode::OK, pool.figures()),
        Some(operation) if *method == Method::POST => match pool.operate(operation) {
            true => (StatusCode::OK, pool.figures()),
            false => error(
                StatusCode::NOT_FOUND,
                format!("{operation:?} is not pause, resume, drain or reconnect"),
            ),
        },
        _ => error(
            StatusCode::METHOD_NOT_ALLOWED,
            "a pool is read by GET; post to /pools/NAME/pause and the like".to_owned(),
        ),
    }
}

fn respond(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}
