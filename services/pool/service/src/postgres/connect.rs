//! A session on a server: TLS, login, checks, resets.

use std::cell::RefCell;
use std::io;

use bytes::{Buf, Bytes, BytesMut};
use mainstay_pool_core::pool::{CloseReason, ConnectFailure};
use mainstay_pool_core::postgres::{
    Credentials, ErrorFields, Exchange, Login, LoginError, Parameters, Server, cancel_request, next_frame, query,
    ssl_request, tls_server_end_point,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::config::Reset;
use crate::pool;
use crate::upstream::{Transport, Upstream, overheard, unreachable};

/// How much is read at once before a session is established.
const READ: usize = 8 * 1024;

/// How long a reset may take.
const RESET: std::time::Duration = std::time::Duration::from_secs(5);

/// A session on a server, whoever has it.
pub(crate) struct Session {
    pub(crate) stream: Box<dyn Transport>,
    /// What the server said and nobody has looked at.
    pub(crate) input: BytesMut,
    pub(crate) server: Server,
    /// Which address it is.
    pub(crate) host: usize,
}

/// Logs in to the servers of a pool.
pub(crate) struct Connector {
    pub(crate) upstream: Upstream,
    pub(crate) credentials: Credentials,
    pub(crate) reset: Reset,
    /// Statements that a server keeps prepared.
    pub(crate) prepared: usize,
    /// The settings that the last new session reported: what a client is told at its start.
    pub(crate) parameters: RefCell<Option<Parameters>>,
}

impl Connector {
    /// Whether TLS is spoken is the server's to say, before anything else.
    async fn secured(&self, host: usize) -> Result<(Box<dyn Transport>, Option<Vec<u8>>), ConnectFailure> {
        let mut plain = self.upstream.dial(host).await?;
        let Some(tls) = &self.upstream.tls else {
            return Ok((Box::new(plain), None));
        };
        let endpoint = self.upstream.endpoint(host)?;
        let answer = async {
            plain.write_all(&ssl_request()).await?;
            plain.flush().await?;
            plain.read_u8().await
        };
        match answer
            .await
            .map_err(|error| unreachable(format!("{endpoint}: {error}")))?
        {
            b'S' => {
                let stream = self.upstream.encrypt(host, tls, plain).await?;
                let certificates = stream.get_ref().1.peer_certificates();
                let binding = certificates
                    .and_then(|certificates| certificates.first())
                    .and_then(|certificate| tls_server_end_point(certificate));
                Ok((Box::new(stream), binding))
            }
            b'N' if self.upstream.prefer => Ok((Box::new(plain), None)),
            b'N' => Err(ConnectFailure::Rejected(format!(
                "{endpoint}: the server has no TLS, and tls is set to require it"
            ))),
            other => Err(unreachable(format!(
                "{endpoint}: {other:#04x} in answer to a wish for TLS"
            ))),
        }
    }

    async fn login(&self, host: usize) -> Result<Session, ConnectFailure> {
        let (mut stream, binding) = self.secured(host).await?;
        let endpoint = self.upstream.endpoint(host)?;
        let failed = |error: LoginError| {
            let text = format!("{endpoint}: {error}");
            match error.is_rejection() {
                true => ConnectFailure::Rejected(text),
                false => ConnectFailure::Unreachable(text),
            }
        };
        let (mut login, mut out) = Login::begin(self.credentials.clone(), binding).map_err(failed)?;
        let mut input = BytesMut::new();
        loop {
            if !out.is_empty() {
                let written = async {
                    stream.write_all(&out.split()).await?;
                    stream.flush().await
                };
                written
                    .await
                    .map_err(|error| unreachable(format!("{endpoint}: {error}")))?;
            }
            let (tag, body) = next(&mut *stream, &mut input)
                .await
                .map_err(|error| unreachable(format!("{endpoint}: {error}")))?;
            if let Some(established) = login.message(tag, &body, &mut out).map_err(failed)? {
                *self.parameters.borrow_mut() = Some(established.parameters.clone());
                return Ok(Session {
                    stream,
                    input,
                    server: Server::new(established, self.prepared),
                    host,
                });
            }
        }
    }

    /// Whether a session has to be reset before somebody else gets it.
    pub(crate) fn must_reset(&self, session: &Session) -> bool {
        match self.reset {
            Reset::Changed => session.server.is_changed(),
            Reset::Always => true,
            Reset::Never => false,
        }
    }

    /// Makes a session as it was when it was new.
    pub(crate) async fn reset(&self, session: &mut Session) -> io::Result<()> {
        let done = tokio::time::timeout(RESET, ask(session, "DISCARD ALL")).await?;
        done?.map_err(|error| io::Error::other(format!("the session is not reset: {error}")))?;
        session.server.was_reset();
        Ok(())
    }

    /// Asks a server to cancel what one of its sessions does.
    pub(crate) async fn cancel(&self, host: usize, (process, secret): &(u32, Bytes)) -> Result<(), ConnectFailure> {
        let sent = async {
            let (mut stream, _) = self.secured(host).await?;
            let sent = async {
                stream.write_all(&cancel_request(*process, secret)).await?;
                stream.flush().await?;
                // The server hangs up when it has done so.
                stream.read_u8().await.map(drop).or_else(|error| match error.kind() {
                    io::ErrorKind::UnexpectedEof => Ok(()),
                    _ => Err(error),
                })
            };
            sent.await.map_err(unreachable)
        };
        self.upstream.within(host, sent).await
    }
}

/// A query of the pool's own, to a session that is at rest.
async fn ask(session: &mut Session, sql: &str) -> io::Result<Result<(), ErrorFields>> {
    let mut out = BytesMut::new();
    query(&mut out, sql);
    session.stream.write_all(&out).await?;
    session.stream.flush().await?;
    let mut exchange = Exchange::default();
    loop {
        let (tag, body) = next(&mut *session.stream, &mut session.input).await?;
        let done = exchange.message(tag, &body, session.server.parameters_mut());
        if let Some(done) = done.map_err(io::Error::other)? {
            return Ok(done);
        }
    }
}

/// The next message of a server.
async fn next(stream: &mut dyn Transport, input: &mut BytesMut) -> io::Result<(u8, Bytes)> {
    loop {
        let frame = next_frame(input).map_err(io::Error::other)?;
        if let Some(frame) = frame.filter(|frame| input.len() >= frame.length) {
            let mut message = input.split_to(frame.length).freeze();
            message.advance(5);
            return Ok((frame.tag, message));
        }
        input.reserve(READ);
        if stream.read_buf(input).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server hung up"));
        }
    }
}

impl pool::Connector for Connector {
    type Connection = Session;

    async fn connect(&self, host: usize) -> Result<Session, ConnectFailure> {
        self.upstream.within(host, self.login(host)).await
    }

    /// A server says something to who has asked nothing when its settings are reloaded, and when it is about to go.
    fn seems_alive(&self, session: &mut Session) -> bool {
        loop {
            match overheard(&mut *session.stream, &mut session.input) {
                None => return false,
                Some(0) => break,
                Some(_) => {}
            }
        }
        loop {
            match next_frame(&session.input) {
                Ok(Some(frame)) if session.input.len() >= frame.length => {
                    let mut message = session.input.split_to(frame.length).freeze();
                    message.advance(5);
                    match frame.tag {
                        b'S' => {
                            let mut parts = message.split(|byte| *byte == 0);
                            if let (Some(name), Some(value)) = (parts.next(), parts.next()) {
                                session.server.parameters_mut().set(name, value);
                            }
                        }
                        b'N' | b'A' => {}
                        _ => return false,
                    }
                }
                Ok(_) => return session.input.len() < READ,
                Err(_) => return false,
            }
        }
    }

    async fn check(&self, session: &mut Session) -> bool {
        // The shortest question that a server answers: an empty query.
        matches!(ask(session, "").await, Ok(Ok(())))
    }

    async fn close(&self, mut session: Session, _: CloseReason) {
        // Terminate. That it does not arrive is of no consequence.
        let _ = session.stream.write_all(b"X\0\0\0\x04").await;
        let _ = session.stream.shutdown().await;
    }
}
