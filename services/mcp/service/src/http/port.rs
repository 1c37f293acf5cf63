//! HTTP on a port of the workload's loopback.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use http_body_util::{BodyExt as _, LengthLimitError, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mainstay_mcp_core::http::{Head, Response};
use mainstay_runtime::listener;
use mainstay_runtime::net::{Coalesced, Socket};

use super::{Answer, Site};

/// Chunks of a response, all on one thread.
type Body = StreamBody<Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>>>>>;

/// Serves clients from now on.
pub(crate) fn serve(site: Rc<Site>, address: SocketAddr, max_clients: usize) {
    listener::keep("http", "MCP over HTTP", address, max_clients, move |stream, peer| {
        client(Rc::clone(&site), stream, peer)
    });
}

async fn client(site: Rc<Site>, stream: Socket, peer: SocketAddr) {
    let service = service_fn(move |request| {
        let site = Rc::clone(&site);
        async move { answer(&site, request).await }
    });
    let http = hyper::server::conn::http1::Builder::new();
    if let Err(error) = http
        .serve_connection(TokioIo::new(Coalesced::new(stream)), service)
        .await
    {
        tracing::debug!(%peer, "MCP over HTTP: {error}");
    }
}

async fn answer(site: &Site, request: hyper::Request<Incoming>) -> Result<hyper::Response<Body>, hyper::http::Error> {
    let (parts, body) = request.into_parts();
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value)));
    let head = Head {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        headers: headers.collect(),
    };
    let asker = match site.admit(&head).await {
        Ok(asker) => asker,
        Err(response) => return whole(response),
    };
    let body = match Limited::new(body, site.max_message).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return whole(site.too_large()),
        Err(_) => return whole(Response::empty(400)),
    };
    match site.answer(&head, &body, &asker).await {
        Answer::Whole(response) => whole(response),
        Answer::Events(headers, events) => {
            let chunks = stream::unfold(events, |mut events| async move {
                let chunk = events.next().await?;
                Some((Ok(Frame::data(chunk)), events))
            });
            respond(200, headers, chunks.boxed_local())
        }
    }
}

fn whole(response: Response) -> Result<hyper::Response<Body>, hyper::http::Error> {
    let response = response.with_length();
    let body = stream::iter([Ok(Frame::data(Bytes::from(response.body)))]);
    respond(response.status, response.headers, body.boxed_local())
}

fn respond(
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>>>>,
) -> Result<hyper::Response<Body>, hyper::http::Error> {
    let mut response = hyper::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(StreamBody::new(body))
}
