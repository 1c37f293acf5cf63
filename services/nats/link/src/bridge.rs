//! The multiplexer as the tasks share it: publish, subscribe, request, flush.
//!
//! All of it is one thread's, and nothing borrowed is held over an `await` or while a route is called.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mainstay_nats_core::headers;
use mainstay_nats_core::mux::{ConnectionId, Delivered, LocalId, Mux};
use mainstay_nats_core::protocol::from_client::ClientOperation;
use mainstay_nats_core::protocol::from_server::{ServerInfo, ServerOperation};
use mainstay_nats_core::protocol::refusal::Refusal;
use mainstay_nats_core::protocol::{Message, ProtocolError};
use mainstay_nats_core::subject::Pattern;
use tokio::sync::{Notify, oneshot, watch};

use crate::observer::Observer;

type Receive = Rc<dyn Fn(Message)>;

/// The multiplexer, and who waits for what.
pub struct Bridge {
    mux: RefCell<Mux>,
    observer: Rc<dyn Observer>,
    /// Publishes wait while more bytes than this wait for the server.
    pending_limit: usize,
    /// Told when there is something to be written to a client.
    clients: RefCell<HashMap<ConnectionId, Rc<Notify>>>,
    routes: RefCell<HashMap<LocalId, Receive>>,
    requests: RefCell<HashMap<Bytes, oneshot::Sender<Message>>>,
    flushes: RefCell<HashMap<u64, oneshot::Sender<()>>>,
    last_number: Cell<u64>,
    /// Told when there is something to be written to the server.
    outgoing: Notify,
    /// Told when less waits for the server.
    room: Notify,
    /// Whether nothing more is to be read from the server.
    paused: watch::Sender<bool>,
    /// Counts the connections that there were; even while there is none.
    epoch: watch::Sender<u64>,
    /// Where all requests are answered.
    answers: OnceCell<Route>,
}

/// A subscription of the service itself; it ends when this is dropped.
pub struct Route {
    bridge: Weak<Bridge>,
    id: LocalId,
}

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Nobody has subscribed to the subject.
    #[error("nobody answers there")]
    NoResponders,
    /// No answer in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

/// The connection was lost before the server could say that it has everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection was lost")]
pub struct ConnectionLost;

impl Bridge {
    /// Nothing goes anywhere until a [`crate::Link`] runs. Publishes wait for room while more than `pending_limit` bytes
    /// wait for the server.
    pub fn new(mux: Mux, pending_limit: usize, observer: Rc<dyn Observer>) -> Rc<Self> {
        let bridge = Rc::new(Self {
            mux: RefCell::new(mux),
            observer,
            pending_limit,
            clients: RefCell::default(),
            routes: RefCell::default(),
            requests: RefCell::default(),
            flushes: RefCell::default(),
            last_number: Cell::new(0),
            outgoing: Notify::new(),
            room: Notify::new(),
            paused: watch::Sender::new(false),
            epoch: watch::Sender::new(0),
            answers: OnceCell::new(),
        });
        if let Ok(pattern) = Pattern::new(bridge.inbox("r.*")) {
            let weak = Rc::downgrade(&bridge);
            let answers = bridge.subscribe(pattern, None, move |message| {
                if let Some(bridge) = weak.upgrade() {
                    bridge.answered(message);
                }
            });
            // It was empty until now.
            let _ = bridge.answers.set(answers);
        }
        bridge
    }

    fn number(&self) -> u64 {
        self.last_number.set(self.last_number.get() + 1);
        self.last_number.get()
    }

    /// A subject at which the service itself can be answered.
    pub fn inbox(&self, rest: &str) -> Bytes {
        self.mux.borrow().local_inbox(rest)
    }

    /// An inbox that there was not before.
    pub fn new_inbox(&self, kind: &str) -> Bytes {
        self.inbox(&format!("{kind}.{}", self.number()))
    }

    /// Publishes a message. It waits in memory while there is no connection; see [`Bridge::has_room`].
    pub fn publish(&self, message: &Message) {
        self.mux.borrow_mut().publish_local(message);
        self.outgoing.notify_one();
    }

    /// Waits until not too much waits for the server.
    pub async fn has_room(&self) {
        loop {
            let room = self.room.notified();
            if self.mux.borrow().upstream_pending() < self.pending_limit {
                return;
            }
            room.await;
        }
    }

    /// Hands each message of a pattern to `receive`, until the route is dropped.
    pub fn subscribe(
        self: &Rc<Self>,
        pattern: Pattern,
        queue: Option<&str>,
        receive: impl Fn(Message) + 'static,
    ) -> Route {
        let id = self.mux.borrow_mut().subscribe_local(pattern, queue);
        self.routes.borrow_mut().insert(id, Rc::new(receive));
        self.outgoing.notify_one();
        Route {
            bridge: Rc::downgrade(self),
            id,
        }
    }

    /// Sends a request and waits for one answer. While there is no connection nothing is sent, for nobody may be waiting
    /// any more by the time there is one.
    pub async fn request(&self, mut message: Message, timeout: Duration) -> Result<Message, RequestError> {
        let reply = self.new_inbox("r");
        let (sender, receiver) = oneshot::channel();
        message.reply = Some(reply.clone());
        let answer = async {
            self.connection().await;
            self.requests.borrow_mut().insert(reply.clone(), sender);
            let _asked = Asked { bridge: self, reply };
            self.publish(&message);
            receiver.await
        };
        let answer = tokio::time::timeout(timeout, answer)
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or(RequestError::TimedOut(timeout))?;
        let status = answer.headers.as_deref().and_then(headers::status);
        if status.is_some_and(|status| status.code == headers::NO_RESPONDERS) {
            return Err(RequestError::NoResponders);
        }
        Ok(answer)
    }

    fn answered(&self, message: Message) {
        if let Some(sender) = self.requests.borrow_mut().remove(&message.subject) {
            // Who asked may have stopped waiting just now.
            let _ = sender.send(message);
        }
    }

    /// Waits until the server has seen all that was said so far.
    pub async fn flush(&self) -> Result<(), ConnectionLost> {
        let number = self.number();
        let (sender, receiver) = oneshot::channel();
        self.flushes.borrow_mut().insert(number, sender);
        self.mux.borrow_mut().flush_local(number);
        self.outgoing.notify_one();
        receiver.await.map_err(|_| ConnectionLost)
    }

    /// Lets components publish to the reply subject of a message that one of them is handed.
    pub fn permit_reply(&self, reply: &[u8]) {
        self.mux.borrow().permit_reply(reply);
    }

    /// Whether a message with this reply subject can be answered; not where the answer would be a request to JetStream or
    /// to the server itself.
    pub fn may_answer(&self, reply: &[u8]) -> bool {
        self.mux.borrow().may_answer(reply)
    }

    /// Waits until there is a connection; its number.
    pub async fn connection(&self) -> u64 {
        let mut epoch = self.epoch.subscribe();
        let number = epoch.wait_for(|epoch| epoch % 2 == 1).await.map(|epoch| *epoch);
        // An error would mean that the bridge is gone, which is borrowed here.
        number.unwrap_or_default()
    }

    /// Waits until the connection with this number is lost.
    pub async fn lost(&self, number: u64) {
        let mut epoch = self.epoch.subscribe();
        // As above.
        let _ = epoch.wait_for(|epoch| *epoch != number).await;
    }

    /// Reads nothing more from the server until [`Bridge::resume`]: no message, no answer to a request, no PONG.
    pub fn pause(&self) {
        self.paused.send_replace(true);
    }

    /// Undoes [`Bridge::pause`].
    pub fn resume(&self) {
        self.paused.send_replace(false);
    }
}

/// A request on its way; forgotten when nobody waits any more.
struct Asked<'a> {
    bridge: &'a Bridge,
    reply: Bytes,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.bridge.requests.borrow_mut().remove(&self.reply);
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        let Some(bridge) = self.bridge.upgrade() else { return };
        let route = bridge.routes.borrow_mut().remove(&self.id);
        bridge.mux.borrow_mut().unsubscribe_local(self.id);
        bridge.outgoing.notify_one();
        drop(route);
    }
}

/// For the one who holds the connection to the server.
impl Bridge {
    /// Waits until something may be read from the server.
    pub(crate) async fn may_read(&self) {
        self.reading(true).await;
    }

    /// Waits until nothing may be read from the server.
    pub(crate) async fn must_not_read(&self) {
        self.reading(false).await;
    }

    async fn reading(&self, wanted: bool) {
        // An error would mean that the bridge is gone, which is borrowed here.
        let _ = self.paused.subscribe().wait_for(|paused| *paused != wanted).await;
    }

    /// There is a connection.
    pub(crate) fn connected(&self, info: ServerInfo) {
        self.mux.borrow_mut().connected(info);
        self.epoch.send_modify(|epoch| *epoch += 1);
        self.outgoing.notify_one();
        self.wake_clients();
    }

    /// The connection is lost.
    pub(crate) fn disconnected(&self) {
        let unanswered = self.mux.borrow_mut().disconnected();
        for number in unanswered {
            self.flushes.borrow_mut().remove(&number);
        }
        self.epoch.send_modify(|epoch| *epoch += 1);
        self.wake_clients();
    }

    /// The server has said something new of itself.
    pub(crate) fn informed(&self, info: ServerInfo) {
        self.mux.borrow_mut().informed(info);
        self.wake_clients();
    }

    /// The server says something; [`Bridge::wake_clients`] when all of it was handed over.
    pub(crate) fn incoming(&self, operation: ServerOperation) {
        let delivered = self.mux.borrow_mut().server(operation);
        match delivered {
            Delivered::Nothing => {}
            Delivered::Local(id, message) => {
                let receive = self.routes.borrow().get(&id).cloned();
                if let Some(receive) = receive {
                    receive(message);
                }
            }
            Delivered::Flushed(number) => {
                if let Some(sender) = self.flushes.borrow_mut().remove(&number) {
                    // Who asked may have stopped waiting.
                    let _ = sender.send(());
                }
            }
            Delivered::Slow {
                connection,
                subject,
                messages,
                bytes,
            } => {
                let mux = self.mux.borrow();
                let client = mux.client_name(connection);
                self.observer.client_dropped(client, &subject, messages, bytes);
            }
        }
    }

    /// Lets clients with something to be written write it, and the answers to the server as well.
    pub fn wake_clients(&self) {
        let ready = self.mux.borrow_mut().take_ready();
        let clients = self.clients.borrow();
        for client in ready.iter().filter_map(|id| clients.get(id)) {
            client.notify_one();
        }
        if self.mux.borrow().upstream_pending() > 0 {
            self.outgoing.notify_one();
        }
    }

    /// Waits until there is something to be written to the server, and takes it.
    pub(crate) async fn outgoing(&self) -> BytesMut {
        loop {
            let out = {
                let mut mux = self.mux.borrow_mut();
                mux.prompt();
                mux.take_upstream()
            };
            if !out.is_empty() {
                return out;
            }
            self.outgoing.notified().await;
        }
    }

    /// What was taken is written.
    pub(crate) fn written(&self) {
        self.room.notify_waiters();
    }
}

/// For the loopback endpoint.
impl Bridge {
    /// A client connects; it is told when there is something to be written to it.
    pub fn open(&self) -> (ConnectionId, Rc<Notify>) {
        let id = self.mux.borrow_mut().open();
        let wake = Rc::new(Notify::new());
        self.clients.borrow_mut().insert(id, Rc::clone(&wake));
        self.observer.clients(self.mux.borrow().connections());
        wake.notify_one();
        (id, wake)
    }

    /// A client is gone.
    pub fn close(&self, id: ConnectionId) {
        self.mux.borrow_mut().close(id);
        self.clients.borrow_mut().remove(&id);
        self.observer.clients(self.mux.borrow().connections());
        self.outgoing.notify_one();
    }

    /// A client says something; [`Bridge::wake_clients`] when all of it was handed over.
    pub fn client(&self, id: ConnectionId, operation: ClientOperation) {
        let said = self.mux.borrow_mut().client(id, operation);
        if let Err(error) = said {
            self.refused(id, &error);
        }
    }

    /// Tells a client an error.
    pub fn tell(&self, id: ConnectionId, error: &ProtocolError) {
        self.mux.borrow_mut().tell(id, error);
        self.refused(id, error);
        self.wake_clients();
    }

    fn refused(&self, id: ConnectionId, error: &ProtocolError) {
        self.observer.client_refused(self.mux.borrow().client_name(id), error);
    }

    /// Asks a client for a sign of life.
    pub fn probe(&self, id: ConnectionId) {
        self.mux.borrow_mut().probe(id);
        self.wake_clients();
    }

    /// What is to be written to a client now.
    pub fn take_output(&self, id: ConnectionId) -> BytesMut {
        self.mux.borrow_mut().take_output(id)
    }

    /// Whether a client ends when its output is written, or is gone already.
    pub fn is_ending(&self, id: ConnectionId) -> bool {
        self.mux.borrow().is_ending(id)
    }

    /// The largest message that the server takes, headers included, as far as it is known.
    pub fn max_payload(&self) -> usize {
        self.mux.borrow().server_info().max_payload
    }

    /// A server refuses what some client or the service itself has said.
    pub(crate) fn server_refuses(&self, refusal: &Refusal) {
        self.mux.borrow_mut().server_refuses(refusal);
        self.wake_clients();
    }
}
