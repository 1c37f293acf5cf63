//! Serving what exports `wasi:http`: the service, on its one live instance, or else a component, in a fresh instance for
//! each request.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use futures::channel::oneshot;
use futures::future;
use http_body_util::{BodyExt as _, Full};
use hyper::Uri;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::HOST;
use hyper::http::uri::Scheme;
use hyper::service::service_fn;
use tokio::net::{TcpListener, TcpStream};
use wasmtime::{AsContextMut as _, format_err};
use wasmtime_wasi_http::handler::{Prepared, ProxyPre};
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, WasiBody, WasiHttpView as _};

use super::call::Caller;
use super::fault;
use super::link::Linked;
use super::live::{Job, Requests};
use super::state::State;
use super::task;
use super::unit::Unit;

/// How long an instance may go on working after its response has been sent.
const AFTER_RESPONSE: Duration = Duration::from_secs(30);

/// What answers HTTP requests.
pub(super) struct Handler {
    caller: Arc<Caller>,
    unit: Arc<Unit>,
    behind: Behind,
}

/// Where a request is answered.
enum Behind {
    /// In an instance of its own.
    Fresh(ProxyPre<State>),
    /// In the service's.
    Live(Requests),
}

impl Handler {
    /// The service, which answers on its live instance.
    pub(super) fn of_service(caller: &Arc<Caller>, unit: &Arc<Unit>, requests: Requests) -> Self {
        Self {
            caller: Arc::clone(caller),
            unit: Arc::clone(unit),
            behind: Behind::Live(requests),
        }
    }

    /// The first of `components` that exports a handler, as in wash.
    pub(super) fn find(caller: &Arc<Caller>, components: &[Linked]) -> anyhow::Result<Option<Self>> {
        let mut handlers = components
            .iter()
            .filter_map(|linked| Some((linked, generation(linked)?)));
        let Some((first, generation)) = handlers.next() else {
            return Ok(None);
        };
        for (other, _) in handlers {
            tracing::warn!(
                "\"{}\" exports wasi:http too; requests go to \"{}\"",
                other.unit.name,
                first.unit.name
            );
        }
        let pre = first.unit.pre.clone();
        let proxy = match generation {
            Generation::P2 => wasmtime_wasi_http::p2::bindings::ProxyPre::new(pre).map(ProxyPre::P2),
            Generation::P3 => wasmtime_wasi_http::p3::bindings::ServicePre::new(pre).map(ProxyPre::P3),
        };
        let proxy = proxy
            .map_err(anyhow::Error::from)
            .with_context(|| format!("component \"{}\"", first.unit.name))?;
        Ok(Some(Self {
            caller: Arc::clone(caller),
            unit: Arc::clone(&first.unit),
            behind: Behind::Fresh(proxy),
        }))
    }

    /// Accepts connections for as long as it is polled.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    tokio::spawn(Arc::clone(&self).connection(stream, peer));
                }
                // Out of descriptors, or a peer that is gone already: neither is a reason to stop serving.
                Err(error) => {
                    tracing::warn!("accepting an HTTP connection: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let _ = stream.set_nodelay(true);
        let service = service_fn(move |request| {
            let handler = Arc::clone(&self);
            async move { Ok::<_, Infallible>(handler.answer(request).await) }
        });
        let served = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
        if let Err(error) = served {
            tracing::debug!("HTTP connection from {peer}: {error}");
        }
    }

    async fn answer(self: Arc<Self>, request: hyper::Request<Incoming>) -> hyper::Response<WasiBody> {
        let name = Arc::clone(&self.unit.name);
        let deadline = self.caller.deadlines.concurrent;
        let answer = tokio::time::timeout(deadline, self.handle(request)).await;
        match answer.unwrap_or_else(|_| Err(format_err!("no response within {deadline:?}"))) {
            Ok(response) => response,
            Err(error) => {
                let reason = fault::in_words(&error);
                tracing::error!("HTTP request to component \"{name}\" failed: {reason}");
                let body = Full::new(Bytes::from(format!("component \"{name}\" failed: {reason}\n")));
                let mut response = hyper::Response::new(body.map_err(|never| match never {}).boxed_unsync());
                *response.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        }
    }

    async fn handle(self: Arc<Self>, request: hyper::Request<Incoming>) -> wasmtime::Result<hyper::Response<WasiBody>> {
        let request = with_authority(request).map(|body| body.map_err(Error::from).boxed_unsync());
        let (respond, response) = oneshot::channel();
        if let Behind::Live(requests) = &self.behind {
            let taken = requests.send(Job { request, respond }).await;
            taken.map_err(|_| format_err!("the service has ended"))?;
            return response
                .await
                .unwrap_or_else(|_| Err(format_err!("the service ended without a response")));
        }
        let (sent, on_sent) = oneshot::channel();
        let instance = task::spawn(async move { self.in_fresh_instance(request, respond, on_sent).await });
        match response.await {
            Ok(Ok(response)) => {
                // From here on the instance ends by itself: it may have more to do than to answer.
                instance.detach();
                Ok(response.map(|body| Watched { body, _sent: sent }.boxed_unsync()))
            }
            // How the instance ended says more than that it did not answer.
            unanswered => {
                drop(sent);
                instance.await?;
                unanswered.unwrap_or_else(|_| Err(format_err!("it ended without a response")))
            }
        }
    }

    async fn in_fresh_instance(
        &self,
        request: hyper::Request<WasiBody>,
        respond: oneshot::Sender<wasmtime::Result<hyper::Response<WasiBody>>>,
        on_sent: oneshot::Receiver<()>,
    ) -> wasmtime::Result<()> {
        let Behind::Fresh(proxy) = &self.behind else {
            return Ok(());
        };
        let mut store = self.unit.store()?;
        let proxy = proxy.instantiate_async(&mut store).await?;
        let proxy = &proxy;
        let ended = store.run_concurrent(async move |accessor| {
            let prepared = accessor
                .with(|mut store| Prepared::new(store.as_context_mut(), proxy, request, State::http, respond))?;
            prepared.run(accessor, future::pending()).await?;
            // The body is produced by this store, for as long as somebody reads it.
            let _ = on_sent.await;
            let idle = future::poll_fn(|context| accessor.poll_no_interesting_tasks(context));
            let _ = tokio::time::timeout(AFTER_RESPONSE, idle).await;
            Ok(())
        });
        ended
            .await
            .flatten()
            .map_err(|error| match store.data().limits.refusal() {
                Some(refusal) => error.context(refusal),
                None => error,
            })
    }
}

/// The request with its `Host` in its address too: guests see no such header, they ask for the authority.
fn with_authority<B>(mut request: hyper::Request<B>) -> hyper::Request<B> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if request.uri().authority().is_none()
        && let Some(Ok(authority)) = host.map(str::parse)
    {
        let mut parts = request.uri().clone().into_parts();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(authority);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

#[derive(Clone, Copy)]
enum Generation {
    P2,
    P3,
}

fn generation(linked: &Linked) -> Option<Generation> {
    let component = linked.unit.pre.component();
    let exports = component.component_type();
    let has = |prefix: &str| {
        exports
            .exports(component.engine())
            .any(|(name, _)| name.starts_with(prefix))
    };
    if has("wasi:http/handler@0.3.") {
        Some(Generation::P3)
    } else if has("wasi:http/incoming-handler@0.2.") {
        Some(Generation::P2)
    } else {
        None
    }
}

/// A body that says when nobody reads it any more.
struct Watched {
    body: WasiBody,
    _sent: oneshot::Sender<()>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
