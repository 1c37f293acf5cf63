//! The collector that counts what arrives, on a thread of its own.

use std::convert::Infallible;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use anyhow::Result;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::HeaderMap;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mainstay_otel_core::Signal;
use mainstay_otel_core::wire::schema::{Kind, Message};
use mainstay_otel_core::wire::{Fields, Value};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A running sink; it is gone when this is dropped.
pub(crate) struct Sink {
    pub(crate) http: SocketAddr,
    pub(crate) grpc: SocketAddr,
    items: Arc<AtomicU64>,
    _stop: oneshot::Sender<()>,
}

impl Sink {
    pub(crate) fn start(signal: Signal) -> Result<Self> {
        let bind = || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
            listener.set_nonblocking(true)?;
            anyhow::Ok(listener)
        };
        let (http, grpc) = (bind()?, bind()?);
        let (stop, stopped) = oneshot::channel();
        let items = Arc::new(AtomicU64::new(0));
        let sink = Self {
            http: http.local_addr()?,
            grpc: grpc.local_addr()?,
            items: Arc::clone(&items),
            _stop: stop,
        };
        let runtime = crate::runtime()?;
        thread::spawn(move || {
            runtime.block_on(async {
                let (Ok(http), Ok(grpc)) = (TcpListener::from_std(http), TcpListener::from_std(grpc)) else {
                    return;
                };
                tokio::select! {
                    () = serve(http, false, signal, Arc::clone(&items)) => {}
                    () = serve(grpc, true, signal, items) => {}
                    _ = stopped => {}
                }
            });
        });
        Ok(sink)
    }

    /// What has arrived.
    pub(crate) fn items(&self) -> u64 {
        self.items.load(Relaxed)
    }
}

async fn serve(listener: TcpListener, grpc: bool, signal: Signal, items: Arc<AtomicU64>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let items = Arc::clone(&items);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, grpc, signal, Arc::clone(&items)));
            let stream = TokioIo::new(stream);
            let _ = if grpc {
                http2::Builder::new(TokioExecutor::new())
                    .initial_stream_window_size(4 << 20)
                    .initial_connection_window_size(64 << 20)
                    .serve_connection(stream, service)
                    .await
            } else {
                http1::Builder::new().serve_connection(stream, service).await
            };
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    grpc: bool,
    signal: Signal,
    items: Arc<AtomicU64>,
) -> Result<Response<Answer>, Infallible> {
    let mut body = request.into_body();
    let mut whole = BytesMut::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            whole.extend_from_slice(data);
        }
    }
    // Both agents compress: Rotel does even when it is told not to.
    let message = if grpc {
        whole.get(5..).unwrap_or_default()
    } else {
        &whole
    };
    let mut plain = Vec::new();
    if flate2::read::GzDecoder::new(message).read_to_end(&mut plain).is_ok() {
        items.fetch_add(count(signal.request(), &plain), Relaxed);
    }
    let mut response = Response::new(Answer::default());
    if grpc {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", hyper::header::HeaderValue::from_static("0"));
        *response.body_mut() = Answer {
            data: Some(Bytes::from_static(&[0; 5])),
            trailers: Some(trailers),
        };
        response.headers_mut().insert(
            "content-type",
            hyper::header::HeaderValue::from_static("application/grpc"),
        );
    }
    Ok(response)
}

/// Items, counted without a look at what is in them.
fn count(message: &'static Message, bytes: &[u8]) -> u64 {
    let mut items = 0;
    for field in Fields::new(bytes).map_while(Result::ok) {
        match (message.field(field.number), field.value) {
            (Some(known), _) if known.item => items += 1,
            (Some(known), Value::Bytes(inner)) => {
                if let Kind::Message(of) = known.kind
                    && of.holds_items
                {
                    items += count(of, inner);
                }
            }
            _ => {}
        }
    }
    items
}

#[derive(Default)]
struct Answer {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = self.data.take().map(Frame::data);
        let frame = frame.or_else(|| self.trailers.take().map(Frame::trailers));
        std::task::Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.as_ref().map_or(0, Bytes::len) as u64)
    }
}
