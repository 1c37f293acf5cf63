//! Bytes: one client borrows one connection, and the pool does not know what they say to each other.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use mainstay_pool_core::pool::ConnectFailure;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::config::Reuse;
use crate::pool::{self, Lease, Pool};
use crate::pump::{End, Failed, exchange, part, pump};
use crate::upstream::{Transport, Upstream, overheard};

/// A server that says nothing for so long after its client has gone has said all.
const SILENCE: Duration = Duration::from_millis(50);

/// Connects, and no more.
pub(crate) struct Connector {
    pub(crate) upstream: Upstream,
}

/// What the clients of a pool share.
pub(crate) struct Mode {
    pub(crate) pool: Rc<Pool<Connector>>,
    pub(crate) reuse: Reuse,
    pub(crate) acquire_timeout: Duration,
}

/// A connection, whoever has it.
pub(crate) struct Connection {
    stream: Box<dyn Transport>,
    /// What the server said before anybody had it: a greeting, as of SMTP, is the next client's.
    said: BytesMut,
}

/// A server that greets with more than this is not to be waited for with.
const GREETING: usize = 64 * 1024;

impl pool::Connector for Connector {
    type Connection = Connection;

    async fn connect(&self, host: usize) -> Result<Connection, ConnectFailure> {
        let stream = self.upstream.within(host, self.upstream.connect(host)).await?;
        Ok(Connection {
            stream,
            said: BytesMut::new(),
        })
    }

    fn seems_alive(&self, connection: &mut Connection) -> bool {
        loop {
            match overheard(&mut *connection.stream, &mut connection.said) {
                None => return false,
                Some(0) => return true,
                Some(_) if connection.said.len() > GREETING => return false,
                Some(_) => {}
            }
        }
    }

    /// Nobody knows what to ask.
    async fn check(&self, connection: &mut Connection) -> bool {
        self.seems_alive(connection)
    }

    async fn close(&self, mut connection: Connection) {
        // That the server does not learn it is of no consequence.
        let _ = connection.stream.shutdown().await;
    }
}

/// Serves a client until both ends have said all.
pub(crate) async fn client(mode: Rc<Mode>, mut stream: TcpStream) {
    // There is no word for an error in a protocol that is not known: the client sees that the connection ends.
    let lease = match mode.pool.acquire(mode.acquire_timeout).await {
        Ok(lease) => lease,
        Err(error) => {
            tracing::warn!(pool = mode.pool.name(), "client: {error}");
            return;
        }
    };
    if let Err(error) = relay(&mode, &mut stream, lease).await {
        tracing::debug!(pool = mode.pool.name(), "client: {error}");
    }
    part(stream).await;
}

async fn relay(mode: &Mode, stream: &mut TcpStream, mut lease: Lease<Connector>) -> io::Result<()> {
    let (mut client, mut server) = (End::default(), End::default());
    client.output = std::mem::take(&mut lease.connection.said);
    let (mut told_server, mut told_client, mut last_word) = (false, false, false);
    loop {
        if client.ended && !told_server && server.output.is_empty() {
            if mode.reuse == Reuse::OnIdle && last_word && client.output.is_empty() {
                let upstream = &mut *lease.connection.stream;
                if tokio::time::timeout(SILENCE, exchange(upstream, &mut server, true))
                    .await
                    .is_err()
                {
                    lease.give_back();
                    return Ok(());
                }
                client.output.extend_from_slice(&server.input.split());
            }
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
        match pump(stream, &mut client, &mut *lease.connection.stream, &mut server).await {
            Ok(moved) => {
                if moved.from_client && !client.ended {
                    last_word = false;
                } else if moved.from_server && !server.ended {
                    last_word = true;
                }
            }
            Err(Failed::Client(error)) => return Err(error),
            Err(Failed::Server(error)) => {
                lease.lost();
                return Err(error);
            }
        }
        append(&mut server.output, &mut client.input);
        append(&mut client.output, &mut server.input);
    }
}

fn append(to: &mut BytesMut, from: &mut BytesMut) {
    if to.is_empty() {
        std::mem::swap(to, from);
    } else {
        to.extend_from_slice(&from.split());
    }
}
