//! The protocol as the tasks share it: who waits for what.
//!
//! All of it is one thread's. Nothing borrowed is held over an `await`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mainstay_mcp_core::channel::{ChannelId, Event, Next};
use mainstay_mcp_core::engine::{Action, AskId, Engine};
use mainstay_mcp_core::error::RpcError;
use tokio::sync::{Notify, oneshot};

/// While something goes on that may come to its end by itself, it is looked for this often though nothing happens.
const SWEEP: Duration = Duration::from_secs(10);

/// The protocol, and who waits for what.
#[derive(Debug)]
pub(crate) struct Hub {
    engine: RefCell<Engine>,
    /// Those who wait for the next message of a channel.
    readers: RefCell<HashMap<ChannelId, Rc<Notify>>>,
    /// Those who wait for the answer of a client.
    asks: RefCell<HashMap<AskId, oneshot::Sender<Result<String, RpcError>>>>,
    /// Told when there is something to be done.
    work: Notify,
    /// Told when a client took a message.
    taken: Notify,
    /// While more bytes than this wait for a client, nothing more is read from it, and components wait that report to it.
    backlog: usize,
}

impl Hub {
    pub(crate) fn new(engine: Engine, backlog: usize) -> Rc<Self> {
        Rc::new(Self {
            engine: RefCell::new(engine),
            readers: RefCell::default(),
            asks: RefCell::default(),
            work: Notify::new(),
            taken: Notify::new(),
            backlog,
        })
    }

    /// Does something with the protocol, and wakes those whom it concerns.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Engine) -> T) -> T {
        let (outcome, touched) = {
            let mut engine = self.engine.borrow_mut();
            engine.tick(now());
            (act(&mut engine), engine.take_touched())
        };
        let readers = self.readers.borrow();
        for channel in touched {
            if let Some(reader) = readers.get(&channel) {
                reader.notify_waiters();
            }
        }
        self.work.notify_one();
        outcome
    }

    /// The next message of a channel after a number, when it is there; none at the end of the channel.
    pub(crate) async fn next(&self, channel: ChannelId, after: u64) -> Option<Event> {
        loop {
            match self.try_next(channel, after) {
                Next::Event(event) => return Some(event),
                Next::End => return None,
                Next::Wait => {}
            }
            // Nothing else runs in between, so nothing is missed.
            let reader = Reader::of(self, channel);
            reader.touched.notified().await;
        }
    }

    /// The next message of a channel after a number, if it is there.
    pub(crate) fn try_next(&self, channel: ChannelId, after: u64) -> Next {
        let next = self.engine.borrow_mut().take(channel, after);
        if matches!(next, Next::Event(_)) {
            self.taken.notify_waiters();
        }
        next
    }

    /// Waits until not too much waits for a client.
    pub(crate) async fn room(&self, channel: ChannelId) {
        while self.engine.borrow().backlog(channel) > self.backlog {
            // Nothing else runs in between, so nothing is missed.
            self.taken.notified().await;
        }
    }

    /// What is to be done next, when there is something.
    pub(crate) async fn action(&self) -> Action {
        loop {
            if let Some(action) = self.engine.borrow_mut().next_action() {
                return action;
            }
            if self.engine.borrow().waits() {
                if tokio::time::timeout(SWEEP, self.work.notified()).await.is_err() {
                    self.with(|_| ());
                }
            } else {
                self.work.notified().await;
            }
        }
    }

    /// Waits for the answer of a client to a question of the call that `token` names.
    pub(crate) async fn answer(&self, token: &str, ask: AskId) -> Result<String, RpcError> {
        let (sender, receiver) = oneshot::channel();
        self.asks.borrow_mut().insert(ask, sender);
        let _asked = Asked { hub: self, token, ask };
        let gone = |_| RpcError::internal("the client is gone");
        receiver.await.map_err(gone)?
    }

    /// A client has answered.
    pub(crate) fn answered(&self, ask: AskId, answer: Result<String, RpcError>) {
        if let Some(waiting) = self.asks.borrow_mut().remove(&ask) {
            // Nobody may wait any more.
            let _ = waiting.send(answer);
        }
    }
}

/// Somebody who waits for the next message of a channel. The last one that goes takes the channel's entry along.
struct Reader<'a> {
    hub: &'a Hub,
    channel: ChannelId,
    touched: Rc<Notify>,
}

impl<'a> Reader<'a> {
    fn of(hub: &'a Hub, channel: ChannelId) -> Self {
        let touched = Rc::clone(hub.readers.borrow_mut().entry(channel).or_default());
        Self { hub, channel, touched }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        // The entry's and this one's.
        if Rc::strong_count(&self.touched) <= 2 {
            self.hub.readers.borrow_mut().remove(&self.channel);
        }
    }
}

/// A question whose answer somebody waits for. If it does so no more, the client is told.
struct Asked<'a> {
    hub: &'a Hub,
    token: &'a str,
    ask: AskId,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if self.hub.asks.borrow_mut().remove(&self.ask).is_some() {
            self.hub.with(|engine| engine.withdraw(self.token, self.ask));
        }
    }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use mainstay_mcp_core::http::Head;
    use mainstay_mcp_core::jsonrpc::Lines;
    use mainstay_runtime::Context;
    use serde_json::Value;
    use tokio::task::LocalSet;

    use super::*;
    use crate::calls::{self, Patience};
    use crate::config::Configuration;
    use crate::http::{Answer, Site};
    use crate::line::Connection;
    use crate::report::Report;
    use crate::scripted::{self, Scripted, offered, text};
    use mainstay_runtime::callback::Callbacks;

    /// A server whose calls are answered as `components` do, and its HTTP for so many requests at once.
    async fn served(components: Scripted, max_clients: &str) -> (Rc<Hub>, Site) {
        let components = Rc::new(components);
        let (hub, _) = offered(&components).await;
        let context = Context::new("test");
        let report = Report::new(&context);
        let patience = Patience {
            call: Duration::from_secs(60),
            task: Duration::from_secs(60),
        };
        let callbacks = Callbacks::new(64);
        let calls = calls::run(Rc::clone(&hub), components, callbacks, patience, Rc::clone(&report));
        tokio::task::spawn_local(calls);
        let endpoints = Configuration::read_from([("MCP_MAX_CLIENTS", max_clients)])
            .unwrap()
            .endpoints;
        let site = Site::new(Rc::clone(&hub), None, None, &endpoints, report, context.health.clone());
        (hub, site)
    }

    fn head(session: Option<&str>) -> Head {
        let headers = [
            ("host", "localhost"),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        let session = session.map(|session| ("mcp-session-id", session));
        let headers = headers.into_iter().chain(session);
        Head {
            method: "POST".to_owned(),
            path: "/mcp".to_owned(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    async fn post(site: &Site, session: Option<&str>, body: &Value) -> Answer {
        let head = head(session);
        let asker = site.admit(&head).await.unwrap();
        site.answer(&head, body.to_string().as_bytes(), &asker).await
    }

    async fn session(site: &Site) -> String {
        let Answer::Whole(begun) = post(site, None, &scripted::initialize()).await else {
            panic!("a stream")
        };
        let header = begun.headers.iter().find(|(name, _)| *name == "mcp-session-id");
        header.unwrap().1.clone()
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_of_those_who_have_read_or_gone() {
        let test = async {
            let slow = |request: mainstay_mcp_core::engine::CallRequest| async move {
                drop(request);
                tokio::time::sleep(Duration::from_millis(10)).await;
                text("done")
            };
            let (hub, site) = served(Scripted::new(slow), "100").await;
            let session = session(&site).await;
            for id in 0..100 {
                let Answer::Whole(response) = post(&site, Some(&session), &scripted::call(id)).await else {
                    panic!("a stream")
                };
                assert_eq!(response.status, 200);
            }
            assert_eq!(hub.readers.borrow().len(), 0, "after answers as JSON");
            for _ in 0..10 {
                let connection = Connection::open(Rc::clone(&hub));
                let ping = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
                connection.received(&mut Lines::new(1000), ping).await;
                let (mut sent, more) = (0, Duration::from_secs(1));
                connection.next(&mut sent).await.unwrap();
                assert!(tokio::time::timeout(more, connection.next(&mut sent)).await.is_err());
            }
            assert_eq!(hub.readers.borrow().len(), 0, "after connections");
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_of_streams_that_clients_leave() {
        let test = async {
            let (hub, site) = served(Scripted::new(|_| pending()), "2").await;
            let session = session(&site).await;
            let mut streams = Vec::new();
            for id in 0..2 {
                let Answer::Events(_, mut events) = post(&site, Some(&session), &scripted::call(id)).await else {
                    panic!("no stream")
                };
                assert!(events.next().await.is_some());
                streams.push(events);
            }
            let refused = site.admit(&head(None)).await.unwrap_err();
            assert_eq!(refused.status, 503);
            assert!(
                refused.body.contains("2 requests are being answered, the most at once"),
                "{refused:?}"
            );
            streams.clear();
            assert_eq!(hub.readers.borrow().len(), 0);
            assert!(site.admit(&head(None)).await.is_ok());
        };
        LocalSet::new().run_until(test).await;
    }
}
