//! The admin pages: JSON over HTTP/1.1 on the workload's loopback.
//!
//! - `routes`: what may be asked, and what is answered
//! - `view`: jobs and schedules as JSON
//!
//! The components of the workload can reach them and nobody else, so there is no password.

mod routes;
#[cfg(test)]
mod tests;
mod view;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use mainstay_runtime::backoff::Backoff;
use mainstay_runtime::listener::Listener;
use mainstay_runtime::supervise;
use tokio::net::TcpStream;

use crate::component::Component;
use crate::election::Election;
use crate::service::Cron;
use routes::Reply;

/// A console and a script or two.
const MAX_CONNECTIONS: usize = 16;

/// The most that a connection may take, idle or not.
const DEADLINE: Duration = Duration::from_secs(30);

/// Serves the pages from now on. A port in use, as an earlier life of the service may leave it, is tried again.
pub(crate) fn start<C: Component, E: Election>(cron: Rc<Cron<C, E>>, address: SocketAddr) {
    let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
    supervise::spawn("admin", backoff, move || {
        let pages = serve(cron.clone(), address);
        async { pages.await.map(|never| match never {}) }
    });
}

async fn serve<C: Component, E: Election>(cron: Rc<Cron<C, E>>, address: SocketAddr) -> Result<Infallible, String> {
    let listener = Listener::bind(address).map_err(|error| format!("admin pages on {address}: {error}"))?;
    tracing::debug!(address = %listener.address(), "admin pages");
    Ok(listener
        .serve(MAX_CONNECTIONS, move |stream, _| connection(cron.clone(), stream))
        .await)
}

async fn connection<C: Component, E: Election>(cron: Rc<Cron<C, E>>, stream: TcpStream) {
    let service = service_fn(move |request: Request<Incoming>| {
        let cron = cron.clone();
        async move { Ok::<_, Infallible>(respond(answer(&cron, &request).await)) }
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(DEADLINE, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("admin pages: {error}"),
        Err(_) => tracing::debug!("admin pages: a connection took longer than {DEADLINE:?}"),
    }
}

async fn answer<C: Component, E: Election>(cron: &Cron<C, E>, request: &Request<Incoming>) -> Reply {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    if let Some(reason) = cron.standby() {
        return routes::standby(request.method(), path, query, &reason);
    }
    let answer = cron.operate(|engine, now| routes::answer(engine, now, request.method(), path, query));
    let deposed = "another replica was elected meanwhile, look there whether it was done";
    answer
        .await
        .unwrap_or_else(|| routes::standby(request.method(), path, query, deposed))
}

fn respond(reply: Reply) -> Response<Full<Bytes>> {
    let mut body = reply.body.to_string();
    body.push('\n');
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}
