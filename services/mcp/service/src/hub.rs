//! The protocol as the tasks share it: who waits for what.
//!
//! All of it is one thread's. Nothing borrowed is held over an `await`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::pin;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use mainstay_mcp_core::channel::{ChannelId, Event, Next};
use mainstay_mcp_core::engine::{Action, AskId, Engine};
use mainstay_mcp_core::error::RpcError;
use tokio::sync::{Notify, oneshot};

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
        loop {
            let mut taken = pin!(self.taken.notified());
            taken.as_mut().enable();
            if self.engine.borrow().backlog(channel) <= self.backlog {
                return;
            }
            taken.await;
        }
    }

    /// What is to be done next, when there is something.
    pub(crate) async fn action(&self) -> Action {
        loop {
            if let Some(action) = self.engine.borrow_mut().next_action() {
                return action;
            }
            self.work.notified().await;
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
