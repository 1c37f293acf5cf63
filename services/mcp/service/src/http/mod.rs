//! MCP over HTTP, wherever requests come from.
//!
//! - [`port`]: a port of the workload's loopback
//! - `handler`: `wasi:http/handler`, which the host calls

#[cfg(target_family = "wasm")]
pub mod handler;
pub(crate) mod port;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mainstay_mcp_core::auth::Guard;
use mainstay_mcp_core::channel::Event;
use mainstay_mcp_core::engine::Identity;
use mainstay_mcp_core::error::RpcError;
use mainstay_mcp_core::http::{Gate, Head, Reply, Response, Stream};
use mainstay_mcp_core::sse;
use mainstay_runtime::health::Health;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Endpoints;
use crate::hub::{self, Hub};
use crate::report::Report;
use crate::rotation::Rotation;

/// A response that takes longer than this becomes a stream, so that nobody on the way gives it up.
const PATIENCE: Duration = Duration::from_secs(2);

/// A stream in which nothing happens says so this often. It is also how long it takes to see that a client is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// What requests meet.
#[derive(Debug)]
pub(crate) struct Site {
    hub: Rc<Hub>,
    gate: Gate,
    guard: Option<Guard>,
    /// Where the guard's keys come from, if they are fetched.
    rotation: Option<Rc<Rotation>>,
    max_message: usize,
    max_clients: usize,
    /// One for each request that is being answered.
    slots: Arc<Semaphore>,
    report: Rc<Report>,
    health: Health,
}

/// Who asks, as far as that is asked, and the place that the request takes until it is answered.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    identity: Option<Rc<Identity>>,
    slot: Rc<OwnedSemaphorePermit>,
}

/// What is answered.
pub(crate) enum Answer {
    /// This.
    Whole(Response),
    /// These headers, and events as they come.
    Events(Vec<(&'static str, String)>, Events),
}

/// Messages of a channel as events. When it is dropped, the client is gone.
pub(crate) struct Events {
    hub: Rc<Hub>,
    stream: Stream,
    sent: u64,
    /// What comes before the messages.
    first: Option<Bytes>,
    _slot: Rc<OwnedSemaphorePermit>,
}

impl Site {
    pub(crate) fn new(
        hub: Rc<Hub>,
        guard: Option<Guard>,
        rotation: Option<Rc<Rotation>>,
        endpoints: &Endpoints,
        report: Rc<Report>,
        health: Health,
    ) -> Self {
        let max_clients = endpoints.max_clients;
        Self {
            hub,
            gate: endpoints.gate.clone(),
            guard,
            rotation,
            max_message: endpoints.max_message,
            max_clients,
            slots: Arc::new(Semaphore::new(max_clients.min(Semaphore::MAX_PERMITS))),
            report,
            health,
        }
    }

    /// Looks at the head of a request: who asks.
    ///
    /// # Errors
    /// It goes no further, with this response.
    pub(crate) async fn admit(&self, head: &Head) -> Result<Asker, Response> {
        if let Some(page) = self.health_page(head) {
            return Err(page);
        }
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            self.report.refused();
            let message = format!("{} requests are being answered, the most at once", self.max_clients);
            let refused = Response::refusal(503, &RpcError::internal(message));
            return Err(self.for_pages(head, refused));
        };
        if let (Some(guard), Some(rotation)) = (&self.guard, &self.rotation)
            && guard.lacks_key_of(head)
            && self.gate.admit(head).is_ok()
        {
            rotation.refresh().await;
        }
        let admitted = match &self.guard {
            None => self.gate.admit(head).map(|()| None),
            Some(guard) => self.gate.admit_or(head, || guard.metadata(head)).and_then(|()| {
                let identity = guard.identify(head, hub::now() / 1000)?;
                Ok(Some(identity))
            }),
        };
        let slot = Rc::new(slot);
        admitted
            .map(|identity| Asker { identity, slot })
            .map_err(|response| self.for_pages(head, response))
    }

    /// What a probe is told. It is no client: it names itself by no host that was allowed, and shows no token.
    fn health_page(&self, head: &Head) -> Option<Response> {
        if head.method != "GET" || head.path == self.gate.path {
            return None;
        }
        let (status, body) = self.health.page(&head.path)?;
        Some(Response {
            status,
            headers: vec![
                ("content-type", "text/plain; charset=utf-8".to_owned()),
                ("cache-control", "no-store".to_owned()),
            ],
            body,
        })
    }

    /// The response to a body that is too large.
    pub(crate) fn too_large(&self) -> Response {
        let message = format!("the body is larger than {} bytes", self.max_message);
        Response::refusal(413, &RpcError::request(message))
    }

    /// What is answered to a request that was admitted.
    pub(crate) async fn answer(&self, head: &Head, body: &[u8], asker: &Asker) -> Answer {
        if let (Some(guard), Some(identity)) = (&self.guard, &asker.identity)
            && let Err(response) = guard.permit(identity, body)
        {
            return Answer::Whole(self.for_pages(head, response));
        }
        let stream = match self.hub.with(|engine| engine.http(head, body, asker.identity.as_ref())) {
            Reply::Done(response) => return Answer::Whole(self.for_pages(head, response)),
            Reply::Stream(stream) => stream,
        };
        let mut events = Events::new(Rc::clone(&self.hub), stream, Rc::clone(&asker.slot));
        let mut headers = self.gate.for_pages(head);
        if let Some(session) = &events.stream.session {
            headers.push(("mcp-session-id", session.clone()));
        }
        if !events.stream.events
            && let Some(event) = events.whole().await
        {
            let mut response = Response::json(event.status, event.json.to_string());
            response.headers.append(&mut headers);
            return Answer::Whole(response);
        }
        headers.push(("content-type", "text/event-stream".to_owned()));
        headers.push(("cache-control", "no-store".to_owned()));
        // 2026-07-28 §Receiving Messages: for proxies that would hold events back.
        headers.push(("x-accel-buffering", "no".to_owned()));
        Answer::Events(headers, events)
    }

    fn for_pages(&self, head: &Head, mut response: Response) -> Response {
        response.headers.extend(self.gate.for_pages(head));
        response
    }
}

impl Events {
    fn new(hub: Rc<Hub>, stream: Stream, slot: Rc<OwnedSemaphorePermit>) -> Self {
        let first = stream
            .primed
            .then(|| Bytes::from(sse::priming(stream.channel, stream.after)));
        Self {
            hub,
            sent: stream.after,
            stream,
            first,
            _slot: slot,
        }
    }

    /// The first message, if it is the last too.
    async fn whole(&mut self) -> Option<Event> {
        let next = self.hub.next(self.stream.channel, self.sent);
        let event = tokio::time::timeout(PATIENCE, next).await.ok().flatten()?;
        self.sent = event.number;
        if event.last {
            return Some(event);
        }
        let event = sse::event(self.stream.channel, &event, self.stream.resumable);
        let mut first = self.first.take().map_or_else(Vec::new, |first| first.to_vec());
        first.extend_from_slice(event.as_bytes());
        self.first = Some(first.into());
        None
    }

    /// What is to be sent next; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let next = self.hub.next(self.stream.channel, self.sent);
        match tokio::time::timeout(KEEP_ALIVE, next).await {
            Err(_) => Some(Bytes::from_static(sse::KEEP_ALIVE.as_bytes())),
            Ok(None) => None,
            Ok(Some(event)) => {
                self.sent = event.number;
                Some(sse::event(self.stream.channel, &event, self.stream.resumable).into())
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let (peer, reader) = (self.stream.peer, self.stream.reader);
        self.hub.with(|engine| {
            engine.hung_up(peer);
            engine.released(peer, reader);
        });
    }
}
