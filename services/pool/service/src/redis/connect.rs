//! A connection to a server: login, checks.

use std::cell::RefCell;
use std::io;

use bytes::BytesMut;
use mainstay_pool_core::pool::{CloseReason, ConnectFailure};
use mainstay_pool_core::redis::{Identity, Kind, Login, LoginError, Scanner};
use mainstay_runtime::config::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::link::PING;
use crate::pool;
use crate::upstream::{Transport, Upstream, overheard, unreachable};

/// How much is read at once while nothing much is said.
const READ: usize = 4 * 1024;

/// A connection, whoever has it.
pub(crate) struct Connection {
    pub(crate) stream: Box<dyn Transport>,
}

/// Logs in to the servers of a pool.
pub(crate) struct Connector {
    pub(crate) upstream: Upstream,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) database: u32,
    /// Who answered last; nobody before the first connection, and no name before Redis 6.
    pub(crate) identity: RefCell<Option<Option<Identity>>>,
}

impl Connector {
    async fn login(&self, host: usize) -> Result<Connection, ConnectFailure> {
        let mut stream = self.upstream.connect(host).await?;
        let endpoint = self.upstream.endpoint(host)?;
        let lost = |error: io::Error| unreachable(format!("{endpoint}: {error}"));
        let (mut login, out) = Login::begin(
            self.user.as_deref(),
            self.password.as_ref().map(Secret::reveal),
            self.database,
        );
        say(&mut *stream, &out).await.map_err(lost)?;
        let mut input = BytesMut::new();
        loop {
            hear(&mut *stream, &mut input).await.map_err(lost)?;
            let identity = login.answer(&mut input).map_err(|error| match error {
                // It is loading its data, or full: that passes.
                LoginError::Rejected(text) if text.starts_with("LOADING") || text.starts_with("ERR max") => {
                    unreachable(format!("{endpoint}: the server says: {text}"))
                }
                LoginError::Rejected(_) => ConnectFailure::Rejected(format!("{endpoint}: {error}")),
                error => unreachable(format!("{endpoint}: {error}")),
            })?;
            if let Some(identity) = identity {
                *self.identity.borrow_mut() = Some(identity);
                return Ok(Connection { stream });
            }
        }
    }
}

/// Says something and has it answered, on a connection on which nothing is owed. Gives whether it is an error.
pub(crate) async fn ask(connection: &mut Connection, command: &[u8]) -> io::Result<Kind> {
    say(&mut *connection.stream, command).await?;
    let (mut scanner, mut input) = (Scanner::default(), BytesMut::new());
    loop {
        hear(&mut *connection.stream, &mut input).await?;
        let progress = scanner.scan(&input).map_err(io::Error::other)?;
        let _ = input.split_to(progress.consumed);
        match progress.complete {
            Some(Kind::Push) | None => {}
            Some(kind) if input.is_empty() => return Ok(kind),
            Some(_) => return Err(io::Error::other("an answer that nobody asked for")),
        }
    }
}

async fn say(stream: &mut dyn Transport, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

async fn hear(stream: &mut dyn Transport, input: &mut BytesMut) -> io::Result<()> {
    input.reserve(READ);
    match stream.read_buf(input).await? {
        0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server hung up")),
        _ => Ok(()),
    }
}

impl pool::Connector for Connector {
    type Connection = Connection;

    async fn connect(&self, host: usize) -> Result<Connection, ConnectFailure> {
        self.upstream.within(host, self.login(host)).await
    }

    /// A server says nothing to who has asked nothing.
    fn seems_alive(&self, connection: &mut Connection) -> bool {
        overheard(&mut *connection.stream, &mut BytesMut::new()) == Some(0)
    }

    async fn check(&self, connection: &mut Connection) -> bool {
        matches!(ask(connection, PING).await, Ok(Kind::Reply))
    }

    async fn close(&self, mut connection: Connection, _: CloseReason) {
        // That the server does not learn it is of no consequence.
        let _ = connection.stream.shutdown().await;
    }
}
