//! A collector at the other end of a pipe in memory: hyper's own server, which answers as it is told.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::header::HeaderMap;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

use crate::config::{Protocol, Target};
use crate::export::connect::{Connect, Transport};
use crate::receive::Local;

/// What arrives, and what is said to it.
pub(super) struct Collector {
    shared: Rc<Shared>,
}

type Decide = Box<dyn FnMut(&Arrived) -> Answer>;

struct Shared {
    arrived: RefCell<Vec<Arrived>>,
    decide: RefCell<Decide>,
    /// How connections fare, oldest first; when there are no more of these, well.
    connections: RefCell<Box<dyn FnMut() -> Connection>>,
}

/// A request, and when.
#[derive(Clone)]
pub(super) struct Arrived {
    pub(super) host: String,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) at: Instant,
}

/// What is said to a request.
pub(super) enum Answer {
    Take,
    /// It is taken, and the answer is this.
    TakeWith(Vec<u8>),
    /// It is taken, after so long.
    TakeAfter(Duration),
    /// A status of HTTP, with headers and a body.
    Http(u16, Vec<(&'static str, &'static str)>, Vec<u8>),
    /// A status of gRPC, with these trailers.
    Grpc(u32, Vec<(&'static str, String)>),
}

/// How a connection fares.
pub(super) enum Connection {
    Works,
    Refused,
    /// It reads so many bytes and is gone.
    Resets(usize),
    /// It says this to whatever comes.
    Says(&'static [u8]),
}

impl Collector {
    /// One that takes everything.
    pub(super) fn new() -> Self {
        let shared = Shared {
            arrived: RefCell::default(),
            decide: RefCell::new(Box::new(|_| Answer::Take)),
            connections: RefCell::new(Box::new(|| Connection::Works)),
        };
        Self {
            shared: Rc::new(shared),
        }
    }

    /// From now on says this to requests. Only what it takes counts as arrived.
    pub(super) fn answers(&self, decide: impl FnMut(&Arrived) -> Answer + 'static) {
        *self.shared.decide.borrow_mut() = Box::new(decide);
    }

    /// From now on connections fare like this.
    pub(super) fn connections(&self, next: impl FnMut() -> Connection + 'static) {
        *self.shared.connections.borrow_mut() = Box::new(next);
    }

    /// What was taken.
    pub(super) fn arrived(&self) -> Vec<Arrived> {
        self.shared.arrived.borrow().clone()
    }

    /// The names of all spans that were taken, in their order.
    pub(super) fn names(&self) -> Vec<u64> {
        self.arrived()
            .iter()
            .flat_map(|arrived| super::names(&arrived.body))
            .collect()
    }

    /// Connections to it.
    pub(super) fn connect(&self) -> Connect {
        let shared = Rc::clone(&self.shared);
        Connect::new(move |target: &Target| {
            let (shared, protocol) = (Rc::clone(&shared), target.protocol);
            Rc::new(move || Box::pin(connected(Rc::clone(&shared), protocol)))
        })
    }
}

async fn connected(shared: Rc<Shared>, protocol: Protocol) -> Result<Box<dyn Transport>, String> {
    let (client, server) = tokio::io::duplex(64 * 1024);
    let connection = (shared.connections.borrow_mut())();
    match connection {
        Connection::Refused => return Err("connection refused".to_owned()),
        Connection::Works => drop(tokio::task::spawn_local(serve(shared, protocol, server))),
        Connection::Resets(bytes) => drop(tokio::task::spawn_local(reset(server, bytes))),
        Connection::Says(text) => drop(tokio::task::spawn_local(say(server, text))),
    }
    Ok(Box::new(client))
}

async fn reset(mut stream: DuplexStream, bytes: usize) {
    let mut read = vec![0; bytes];
    let _ = stream.read_exact(&mut read).await;
}

async fn say(mut stream: DuplexStream, text: &'static [u8]) {
    let _ = stream.read(&mut [0; 1024]).await;
    let _ = stream.write_all(text).await;
}

async fn serve(shared: Rc<Shared>, protocol: Protocol, stream: DuplexStream) {
    let service = service_fn(move |request| {
        let shared = Rc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(&shared, protocol, request).await) }
    });
    let stream = TokioIo::new(stream);
    let _ = match protocol {
        Protocol::Grpc => http2::Builder::new(Local).serve_connection(stream, service).await,
        _ => http1::Builder::new().serve_connection(stream, service).await,
    };
}

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>;

async fn answer(shared: &Shared, protocol: Protocol, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let host = head.uri.authority().map(ToString::to_string);
    let in_header = || head.headers.get("host").map(|host| host.to_str().unwrap().to_owned());
    let arrived = Arrived {
        host: host.or_else(in_header).unwrap_or_default(),
        path: head.uri.path().to_owned(),
        // The prefix of gRPC says only what the length says too.
        body: if protocol == Protocol::Grpc {
            body.slice(5..)
        } else {
            body
        },
        headers: head.headers,
        at: Instant::now(),
    };
    let decided = (shared.decide.borrow_mut())(&arrived);
    let take = || shared.arrived.borrow_mut().push(arrived);
    match decided {
        Answer::Take => {
            take();
            success(protocol, Vec::new())
        }
        Answer::TakeWith(body) => {
            take();
            success(protocol, body)
        }
        Answer::TakeAfter(delay) => {
            tokio::time::sleep(delay).await;
            take();
            success(protocol, Vec::new())
        }
        Answer::Http(status, headers, body) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Full::new(Bytes::from(body)).boxed_unsync()).unwrap()
        }
        Answer::Grpc(code, trailers) => {
            let mut response = Response::builder()
                .header("content-type", "application/grpc")
                .header("grpc-status", code);
            for (name, value) in trailers {
                response = response.header(name, value);
            }
            response.body(Full::new(Bytes::new()).boxed_unsync()).unwrap()
        }
    }
}

fn success(protocol: Protocol, body: Vec<u8>) -> Response<Body> {
    if protocol != Protocol::Grpc {
        return Response::new(Full::new(Bytes::from(body)).boxed_unsync());
    }
    let mut framed = mainstay_otel_core::grpc::prefix(false, body.len()).to_vec();
    framed.extend_from_slice(&body);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    let frames = [Frame::data(Bytes::from(framed)), Frame::trailers(trailers)];
    let body = Frames(frames.into_iter().collect());
    Response::builder()
        .header("content-type", "application/grpc")
        .body(body.boxed_unsync())
        .unwrap()
}

/// A body of these frames.
struct Frames(std::collections::VecDeque<Frame<Bytes>>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        std::task::Poll::Ready(self.0.pop_front().map(Ok))
    }
}
