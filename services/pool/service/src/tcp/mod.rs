//! Bytes: one client borrows one connection, and the pool does not know what they say to each other, unless a component
//! teaches it.
//!
//! - `lease`: clients that say what they want, and when they are done with it
//! - `teach`: the hooks

mod lease;
mod teach;

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use mainstay_pool_core::pool::{CloseReason, ConnectFailure};
use mainstay_runtime::net::Socket;
use tokio::io::AsyncWriteExt;

use crate::component::Component;
use crate::config::Reuse;
use crate::hooks::Usage;
use crate::pool::{self, Lease, Pool};
use crate::pump::{End, Failed, exchange, finish, pump, read_on, unless_gone};
use crate::upstream::{Transport, Upstream, overheard};

pub(crate) use lease::lease;
pub(crate) use teach::Teacher;

/// A server that says nothing for so long after its client has gone has said all.
const SILENCE: Duration = Duration::from_millis(50);

/// When one end will say nothing more, so long may the other one say nothing either: what is half closed may be gone.
const HALF_CLOSED: Duration = Duration::from_secs(60);

/// What a server said before it failed may take so long to reach its client.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Connects, and lets the hooks log in.
pub(crate) struct Connector<C> {
    pub(crate) upstream: Upstream,
    pub(crate) teacher: Teacher<C>,
    /// The number of the last connection.
    pub(crate) last: Cell<u64>,
}

/// What the clients of a pool share.
pub(crate) struct Mode<C: Component> {
    pub(crate) pool: Rc<Pool<Connector<C>>>,
    pub(crate) reuse: Reuse,
    pub(crate) acquire_timeout: Duration,
}

/// A connection, whoever has it.
pub(crate) struct Connection {
    stream: Box<dyn Transport>,
    /// Index of the address that it leads to.
    host: usize,
    /// As hooks and holders of leases know it.
    number: u64,
    /// What the server said before anybody had it: a greeting, as of SMTP, is the first client's.
    said: BytesMut,
    /// Somebody has had it: what the server says now is nobody's, and the connection of no use.
    used: bool,
}

/// A server that greets with more than this is not to be waited for with.
const GREETING: usize = 64 * 1024;

impl<C: Component> pool::Connector for Connector<C> {
    type Connection = Connection;

    async fn connect(&self, host: usize) -> Result<Connection, ConnectFailure> {
        let connect = async {
            let stream = self.upstream.connect(host).await?;
            self.last.set(self.last.get() + 1);
            let mut connection = Connection {
                stream,
                host,
                number: self.last.get(),
                said: BytesMut::new(),
                used: false,
            };
            self.teacher.connect(&mut connection).await?;
            Ok(connection)
        };
        self.upstream.within(host, connect).await
    }

    fn seems_alive(&self, connection: &mut Connection) -> bool {
        loop {
            match overheard(&mut *connection.stream, &mut connection.said) {
                None => return false,
                Some(0) => return true,
                Some(_) if connection.used || connection.said.len() > GREETING => return false,
                Some(_) => {}
            }
        }
    }

    async fn check(&self, connection: &mut Connection) -> bool {
        self.teacher.validate(connection).await && self.seems_alive(connection)
    }

    async fn close(&self, mut connection: Connection, reason: CloseReason) {
        let mut end = End {
            output: BytesMut::from(&*self.teacher.evict(&connection, reason).await),
            ..End::default()
        };
        // That the server does not learn it is of no consequence.
        let _ = finish(&mut *connection.stream, &mut end).await;
        let _ = connection.stream.shutdown().await;
    }
}

impl<C: Component> Mode<C> {
    /// Gives a connection back whose user had its last answer. Says whether it was fit for that.
    async fn take_back(&self, mut lease: Lease<Connector<C>>, usage: Usage) -> bool {
        let connection = &mut lease.connection;
        connection.used = true;
        let connector = self.pool.connector();
        if !pool::Connector::seems_alive(connector, connection) {
            return false;
        }
        if self.reuse == Reuse::Callback && !connector.teacher.release(connection, usage).await {
            return false;
        }
        lease.give_back();
        true
    }
}

/// Serves a client until both ends have said all.
pub(crate) async fn client<C: Component>(mode: Rc<Mode<C>>, mut stream: Socket) {
    let mut end = End::default();
    let acquire = mode.pool.acquire(mode.acquire_timeout);
    // Who has asked something and half closes waits for the answer.
    let acquired = unless_gone(&mut stream, &mut end, acquire, |end| end.input.is_empty()).await;
    let served = match acquired {
        Ok(Some(Ok(lease))) => relay(&mode, &mut stream, end, lease).await,
        // There is no word for an error in a protocol that is not known: the client sees that the connection ends.
        Ok(Some(Err(error))) => {
            tracing::warn!(pool = mode.pool.name(), "client: {error}");
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::debug!(pool = mode.pool.name(), "client: {error}");
    }
}

async fn relay<C: Component>(
    mode: &Mode<C>,
    stream: &mut Socket,
    mut client: End,
    mut lease: Lease<Connector<C>>,
) -> io::Result<()> {
    let mut server = End::default();
    client.output = std::mem::take(&mut lease.connection.said);
    let (mut told_server, mut told_client, mut last_word) = (false, false, false);
    let mut usage = Usage { sent: 0, received: 0 };
    let send_timeout = mode.pool.connector().upstream.send_timeout;
    loop {
        usage.sent += client.input.len() as u64;
        usage.received += server.input.len() as u64;
        append(&mut server.output, &mut client.input);
        append(&mut client.output, &mut server.input);
        if client.ended && !told_server && server.output.is_empty() {
            let settled = last_word && client.output.is_empty() && !server.ended;
            let upstream = &mut *lease.connection.stream;
            let reused = settled
                && match mode.reuse {
                    Reuse::Never => false,
                    Reuse::Callback => true,
                    Reuse::OnIdle => is_silent(upstream, &mut server).await,
                };
            if reused {
                mode.take_back(lease, usage).await;
                return Ok(());
            }
            append(&mut client.output, &mut server.input);
            told_server = true;
            lease.connection.stream.shutdown().await?;
        }
        if server.ended && !told_client && client.output.is_empty() {
            told_client = true;
            stream.shutdown().await?;
        }
        if told_server && told_client {
            return Ok(());
        }
        let half_closed = client.ended || server.ended;
        let upstream = &mut *lease.connection.stream;
        let pumped = pump(stream, &mut client, upstream, &mut server, false, send_timeout);
        let pumped = if half_closed {
            tokio::time::timeout(HALF_CLOSED, pumped).await
        } else {
            Ok(pumped.await)
        };
        match pumped {
            Ok(Ok(moved)) => {
                if moved.from_client && !client.ended {
                    last_word = false;
                } else if moved.from_server && !server.ended {
                    last_word = true;
                }
            }
            Ok(Err(Failed::Client(error))) => return Err(error),
            Ok(Err(Failed::Server(error))) => {
                // One that takes nothing any more was listened to all the while.
                if error.kind() != io::ErrorKind::TimedOut {
                    let last_words = last_words(stream, &mut client, upstream, &mut server);
                    let _ = tokio::time::timeout(LAST_WORDS, last_words).await;
                }
                lease.lost();
                return Err(error);
            }
            Err(_) => {
                let error =
                    format!("one end will say nothing more, and the other one said nothing for {HALF_CLOSED:?}");
                return Err(io::Error::new(io::ErrorKind::TimedOut, error));
            }
        }
    }
}

/// What a server that has failed said before is the client's all the same, as it would be without a pool: many hang up
/// without a goodbye, or say why before they do.
async fn last_words(
    stream: &mut Socket,
    client: &mut End,
    upstream: &mut dyn Transport,
    server: &mut End,
) -> io::Result<()> {
    loop {
        append(&mut client.output, &mut server.input);
        finish(stream, client).await?;
        match read_on(upstream, server).await {
            Ok(true) => {}
            Ok(false) | Err(_) => return stream.shutdown().await,
        }
    }
}

/// Whether a server that had the last word has nothing to add.
async fn is_silent(stream: &mut dyn Transport, server: &mut End) -> bool {
    tokio::time::timeout(SILENCE, exchange(stream, server, true))
        .await
        .is_err()
}

fn append(to: &mut BytesMut, from: &mut BytesMut) {
    if to.is_empty() {
        std::mem::swap(to, from);
    } else {
        to.extend_from_slice(&from.split());
    }
}
