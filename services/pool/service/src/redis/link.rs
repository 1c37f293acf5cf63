//! A connection that many clients share, for as long as the pool is there: made, lost, and made again.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use mainstay_pool_core::redis::{ClientId, Kind, Mux};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::connect::ask;
use super::{Connector, Mode};
use crate::pool::Lease;
use crate::pump::{End, exchange};

/// What is said at once.
const FLIGHT: usize = 64 * 1024;

/// A client that does not read its answers holds up the others for so long, and then has to go.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is written to a client at once.
const ANSWERS: usize = 1024 * 1024;

/// A connection for many.
pub(super) struct Link {
    mux: RefCell<Mux>,
    clients: RefCell<HashMap<ClientId, Rc<Notify>>>,
    /// Somebody has said something.
    said: Notify,
    protocol: u8,
}

/// Why a connection was given up.
enum Ended {
    Lost(String),
    Return,
}

impl Link {
    pub(super) fn start(mode: &Rc<Mode>, protocol: u8) -> Rc<Self> {
        let link = Rc::new(Self {
            mux: RefCell::default(),
            clients: RefCell::default(),
            said: Notify::new(),
            protocol,
        });
        tokio::task::spawn_local(Rc::clone(&link).run(Rc::clone(mode)));
        link
    }

    /// A client comes. It is notified of its answers.
    pub(super) fn open(&self, client: ClientId) -> Rc<Notify> {
        let notify = Rc::new(Notify::new());
        self.mux.borrow_mut().open(client);
        self.clients.borrow_mut().insert(client, Rc::clone(&notify));
        notify
    }

    /// A client goes.
    pub(super) fn close(&self, client: ClientId) {
        self.mux.borrow_mut().close(client);
        self.clients.borrow_mut().remove(&client);
    }

    /// A client says commands.
    pub(super) fn push(&self, client: ClientId, bytes: Bytes, count: usize, read_only: bool) {
        self.mux.borrow_mut().push(client, bytes, count, read_only);
        self.said.notify_one();
    }

    /// A client is answered by no server, in its turn.
    pub(super) fn answer(&self, client: ClientId, answer: Bytes) {
        self.mux.borrow_mut().answer(client, answer);
    }

    /// Moves what a client is answered to where it is written from. False if the client has to go.
    pub(super) fn take(&self, client: ClientId, end: &mut End) -> bool {
        let mut mux = self.mux.borrow_mut();
        if end.output.len() >= ANSWERS {
            return mux.is_open(client);
        }
        let congested = mux.congested() == Some(client);
        match mux.take_answers(client) {
            Some(answers) if end.output.is_empty() => end.output = answers,
            Some(answers) => end.output.extend_from_slice(&answers),
            None => return false,
        }
        if congested {
            self.said.notify_one();
        }
        true
    }

    /// Whether a client has answers that it has not taken.
    pub(super) fn has_answers(&self, client: ClientId) -> bool {
        self.mux.borrow().unread(client) > 0
    }

    /// Answers that a client waits for.
    pub(super) fn owed(&self, client: ClientId) -> usize {
        self.mux.borrow().owed(client)
    }

    async fn run(self: Rc<Self>, mode: Rc<Mode>) {
        // That the upstream is gone is said once, not for each command that comes meanwhile.
        let mut failing = false;
        loop {
            if !self.mux.borrow().has_output() {
                self.said.notified().await;
                continue;
            }
            match mode.pool.hold(mode.acquire_timeout).await {
                Ok(lease) => {
                    failing = false;
                    self.hold(&mode, lease).await;
                }
                Err(error) => {
                    let failed = self
                        .mux
                        .borrow_mut()
                        .fail(&format!("pool {:?}: {error}", mode.pool.name()));
                    if failing {
                        tracing::debug!(pool = mode.pool.name(), failed, "commands failed: {error}");
                    } else {
                        tracing::warn!(pool = mode.pool.name(), failed, "commands fail: {error}");
                    }
                    failing = true;
                    self.wake();
                }
            }
        }
    }

    /// Uses a connection until it ends, or has to be given back.
    async fn hold(&self, mode: &Mode, mut lease: Lease<Connector>) {
        if self.protocol == 3 && !matches!(ask(&mut lease.connection, HELLO_3).await, Ok(Kind::Reply)) {
            lease.lost();
            let failed = self.mux.borrow_mut().fail("the server does not speak RESP3");
            tracing::warn!(pool = mode.pool.name(), failed, "the server does not speak RESP3");
            self.wake();
            return;
        }
        match self.use_it(mode, &mut lease).await {
            Ended::Return if self.protocol == 2 => lease.give_back(),
            // Its protocol is not that of the others.
            Ended::Return => drop(lease),
            Ended::Lost(reason) => {
                lease.lost();
                let error = format!(
                    "pool {:?}: the connection was lost ({reason}); nobody knows whether this was done",
                    mode.pool.name()
                );
                let lost = self.mux.borrow_mut().disconnected(&error);
                let (retried, failed) = (lost.retried, lost.failed);
                mode.pool.meters().error("server-lost");
                tracing::warn!(
                    pool = mode.pool.name(),
                    retried,
                    failed,
                    "a shared connection is lost: {reason}"
                );
                self.wake();
            }
        }
    }

    async fn use_it(&self, mode: &Mode, lease: &mut Lease<Connector>) -> Ended {
        let mut end = End::default();
        let mut held_up: Option<(ClientId, Instant)> = None;
        // Since when the server has said nothing, and whether it owed something then.
        let mut silent = (Instant::now(), false);
        loop {
            let congested = self.mux.borrow().congested();
            held_up = congested.map(|client| match held_up {
                Some((same, since)) if same == client => (client, since),
                _ => (client, Instant::now()),
            });
            let leaving = lease.should_return();
            if !leaving && end.output.len() < FLIGHT {
                self.mux.borrow_mut().take_output(&mut end.output, FLIGHT);
            }
            let awaits = self.mux.borrow().awaits();
            if leaving && !awaits && end.output.is_empty() {
                return Ended::Return;
            }
            if held_up.is_some() || awaits != silent.1 {
                // It is not listened to, or owes an answer since now.
                silent = (Instant::now(), awaits);
            }
            let until = match held_up {
                Some((_, since)) => Some(since + PATIENCE),
                None if awaits => Some(silent.0 + mode.command_timeout),
                None => mode.keepalive.map(|keepalive| silent.0 + keepalive),
            };
            let moved = tokio::select! {
                biased;
                () = mode.pool.operated() => continue,
                () = self.said.notified(), if end.output.is_empty() || held_up.is_some() => continue,
                moved = exchange(&mut *lease.connection.stream, &mut end, held_up.is_none()) => moved,
                () = due(until) => {
                    match held_up {
                        Some((client, _)) => self.expel(mode, client),
                        None if awaits => {
                            return Ended::Lost(format!("no answer within {:?}", mode.command_timeout));
                        }
                        // Whether it is still there, and for whatever is in between.
                        None => self.push(NOBODY, Bytes::from_static(PING), 1, false),
                    }
                    continue;
                }
            };
            match moved {
                Ok(false) => continue,
                Ok(true) => {}
                Err(error) => return Ended::Lost(error.to_string()),
            }
            silent.0 = Instant::now();
            let heard = self.mux.borrow_mut().input(&mut end.input);
            self.wake();
            if let Err(fault) = heard {
                return Ended::Lost(fault.to_string());
            }
            if end.ended {
                return Ended::Lost("the server hung up".to_owned());
            }
        }
    }

    /// Parts with a client that does not read its answers, for the sake of the others.
    fn expel(&self, mode: &Mode, client: ClientId) {
        self.mux.borrow_mut().close(client);
        mode.pool.meters().error("client-slow");
        tracing::warn!(
            pool = mode.pool.name(),
            "a client that does not read its answers has to go, as others share its connection"
        );
        if let Some(notify) = self.clients.borrow().get(&client) {
            notify.notify_one();
        }
    }

    /// Wakes who has something to read.
    fn wake(&self) {
        let touched = self.mux.borrow_mut().touched();
        let clients = self.clients.borrow();
        for client in touched {
            if let Some(notify) = clients.get(&client) {
                notify.notify_one();
            }
        }
    }
}

async fn due(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// Who asks when no client does: its answers are thrown away.
const NOBODY: ClientId = ClientId(0);

/// Asks whether a server is there.
pub(super) const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

/// Switches a connection to RESP3.
pub(super) const HELLO_3: &[u8] = b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n";

/// And back.
pub(super) const HELLO_2: &[u8] = b"*2\r\n$5\r\nHELLO\r\n$1\r\n2\r\n";
