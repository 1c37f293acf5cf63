//! Pages for an operator: JSON over HTTP/1.1 on the workload's loopback.
//!
//! The components of the workload can reach them and nobody else, so there is no password.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use crate::listener;
use crate::net::{Coalesced, Socket};

/// A console and a script or two.
const MAX_CONNECTIONS: usize = 16;

/// The most that a connection may take, idle or not.
const DEADLINE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug, PartialEq)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// What it says.
    pub body: Value,
}

impl Reply {
    /// Says this.
    pub fn new(status: StatusCode, body: Value) -> Self {
        Self { status, body }
    }

    /// Says what is wrong: `{"error": ".."}`.
    pub fn error(status: StatusCode, error: impl fmt::Display) -> Self {
        Self::new(status, json!({ "error": error.to_string() }))
    }
}

/// Serves the pages from now on. A port in use, as an earlier life of the service may leave it, is tried again.
pub fn start<A: Future<Output = Reply> + 'static>(
    address: SocketAddr,
    answer: impl Fn(Request<Incoming>) -> A + Clone + 'static,
) {
    listener::keep("admin", "admin pages", address, MAX_CONNECTIONS, move |stream, _| {
        connection(stream, answer.clone())
    });
}

async fn connection<A: Future<Output = Reply>>(stream: Socket, answer: impl Fn(Request<Incoming>) -> A) {
    let service = service_fn(|request| {
        let reply = answer(request);
        async { Ok::<_, Infallible>(respond(reply.await)) }
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(Coalesced::new(stream)), service);
    match tokio::time::timeout(DEADLINE, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("admin pages: {error}"),
        Err(_) => tracing::debug!("admin pages: a connection took longer than {DEADLINE:?}"),
    }
}

fn respond(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{}\n", reply.body))));
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}
