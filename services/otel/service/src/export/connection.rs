//! One connection to a collector, kept between exports and made anew when it is gone.

use std::rc::Rc;

use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use mainstay_otel_core::Signal;
use mainstay_otel_core::response::PartialSuccess;
use mainstay_otel_core::retry::Failure;

use super::answer;
use super::connect::Dial;
use super::payload::Payload;
use crate::config::{Protocol, Target};
use crate::receive::Local;

pub(super) struct Connection {
    target: Rc<Target>,
    dial: Dial,
    open: Option<Open>,
}

enum Open {
    Http1(http1::SendRequest<Payload>),
    Http2(http2::SendRequest<Payload>),
}

impl Connection {
    pub(super) fn new(target: Rc<Target>, dial: Dial) -> Self {
        Self {
            target,
            dial,
            open: None,
        }
    }

    /// Forgets the connection; the next export makes another.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// Sends a request, and reads the answer to its end.
    pub(super) async fn send(&mut self, signal: Signal, payload: Payload) -> Result<Option<PartialSuccess>, Failure> {
        let url = self.target.url.text().to_owned();
        let broken = |error: &dyn std::error::Error| {
            let cause = std::iter::successors(error.source(), |error| error.source()).last();
            let cause = cause.map_or(String::new(), |cause| format!(": {cause}"));
            answer::transient(format!("{url}: {error}{cause}"))
        };
        let request = payload
            .into_request(&self.target)
            .map_err(|error| answer::refused(format!("{url}: {error}")))?;
        // One that was closed while it was idle is noticed before anything is sent on it.
        let mut open = match self.usable().await {
            Some(open) => open,
            None => self.open().await?,
        };
        let response = open.send(request).await.map_err(|error| broken(&error))?;
        let result = match self.target.protocol {
            Protocol::Grpc => answer::grpc(signal, response).await,
            protocol => answer::http(signal, protocol, response).await,
        };
        // One that broke in the middle of an answer is of no more use.
        let result = result.map_err(|error| broken(&error))?;
        self.open = Some(open);
        result.map_err(|failure| Failure {
            reason: format!("{url}: {}", failure.reason),
            ..failure
        })
    }

    /// The connection that is there, if it still works.
    async fn usable(&mut self) -> Option<Open> {
        let mut open = self.open.take()?;
        open.is_ready().await.then_some(open)
    }

    async fn open(&self) -> Result<Open, Failure> {
        let url = self.target.url.text();
        let stream = (self.dial)().await.map_err(answer::transient)?;
        let stream = TokioIo::new(stream);
        let failed = |error: hyper::Error| answer::transient(format!("{url}: {error}"));
        match self.target.protocol {
            Protocol::Grpc => {
                let (sender, connection) = http2::handshake(Local, stream).await.map_err(failed)?;
                tokio::task::spawn_local(async move {
                    // What ended it is told to whoever uses it.
                    let _ = connection.await;
                });
                let mut open = Open::Http2(sender);
                open.is_ready().await;
                Ok(open)
            }
            Protocol::HttpProtobuf | Protocol::HttpJson => {
                let (sender, connection) = http1::handshake(stream).await.map_err(failed)?;
                tokio::task::spawn_local(async move {
                    let _ = connection.await;
                });
                Ok(Open::Http1(sender))
            }
        }
    }
}

impl Open {
    /// Waits until the connection takes a request; not if it is closed.
    async fn is_ready(&mut self) -> bool {
        match self {
            Self::Http1(sender) => sender.ready().await.is_ok(),
            Self::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    async fn send(&mut self, request: Request<Payload>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::Http1(sender) => sender.send_request(request).await,
            Self::Http2(sender) => sender.send_request(request).await,
        }
    }
}
