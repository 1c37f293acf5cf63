//! A client and the servers that it gets.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mainstay_pool_core::pool::AcquireError;
use mainstay_pool_core::postgres::{Heard, Pooling, Relay, Wanted, fatal};
use mainstay_runtime::net::Socket;
use tokio::task::spawn_local;

use super::welcome::{Welcomed, explain, refuse};
use super::{Connector, Mode, Session};
use crate::pool::Lease;
use crate::pump::{End, Failed, exchange, finish, pump, read_on, unless_gone};

/// What a client that is gone had asked may take so much longer; then it is cancelled.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Whether a client goes on.
enum After {
    /// Its server is free again.
    Next,
    /// It is gone.
    Gone,
}

/// Serves a client until it goes.
pub(super) async fn serve(mode: &Rc<Mode>, stream: &mut Socket, end: &mut End, welcomed: Welcomed) -> io::Result<()> {
    let Welcomed { registered, settings } = welcomed;
    let mut relay = Relay::new(mode.pooling, Rc::clone(&mode.registry), settings);
    loop {
        let wanted = relay.wants(&mut end.input, &mut end.output);
        if !end.output.is_empty() {
            finish(stream, end).await?;
        }
        match wanted {
            Ok(Wanted::More) => {
                if !read_on(stream, end).await? {
                    return Ok(());
                }
                continue;
            }
            Ok(Wanted::Nothing) => return Ok(()),
            Ok(Wanted::Server) => {}
            Err(fault) => return refuse(stream, end, "08P01", &fault.to_string()).await,
        }
        let lease = match acquire(mode, stream, end).await? {
            Some(Ok(lease)) => lease,
            Some(Err(error)) => {
                let (code, message) = explain(mode, &error);
                return refuse(stream, end, code, &message).await;
            }
            None => return Ok(()),
        };
        let session = &lease.connection;
        registered.target.set(session.host, session.server.key());
        let after = with_server(mode, stream, end, &mut relay, lease, &registered.target).await?;
        if matches!(after, After::Gone) {
            return Ok(());
        }
    }
}

/// A server, unless the client goes while it waits.
async fn acquire(
    mode: &Rc<Mode>,
    stream: &mut Socket,
    end: &mut End,
) -> io::Result<Option<Result<Lease<Connector>, AcquireError>>> {
    unless_gone(stream, end, mode.pool.acquire(mode.acquire_timeout), |_| true).await
}

/// The client has a server, until the server is free or the client is gone.
async fn with_server(
    mode: &Rc<Mode>,
    stream: &mut Socket,
    end: &mut End,
    relay: &mut Relay,
    mut lease: Lease<Connector>,
    target: &super::cancel::Target,
) -> io::Result<After> {
    let session = &mut lease.connection;
    let mut server_end = End {
        input: std::mem::take(&mut session.input),
        ..End::default()
    };
    relay.begin(&mut session.server, &mut server_end.output);
    let ended = converse(mode, stream, end, relay, session, &mut server_end).await;
    if matches!(ended, Ended::Goodbye | Ended::Client(_)) {
        let seen_off = see_off(relay, session, &mut server_end);
        // A server that fails or takes longer is not given back anyway.
        let _ = tokio::time::timeout(LAST_WORDS, seen_off).await;
    }
    session.input = server_end.input;
    let at_rest = relay.is_at_rest() && server_end.output.is_empty() && !server_end.ended;
    let within_message = relay.is_within_message();
    relay.end();
    match ended {
        Ended::Rest | Ended::Goodbye | Ended::Client(_) if at_rest => {
            target.unset().await;
            give_back(mode, lease);
            match ended {
                Ended::Rest => Ok(After::Next),
                Ended::Client(error) => Err(error),
                _ => Ok(After::Gone),
            }
        }
        Ended::Rest | Ended::Goodbye | Ended::Client(_) => {
            // In the middle of something: nobody else can have this server. What it does is of no use any more.
            let key = lease.connection.server.key().cloned();
            let (mode, host) = (Rc::clone(mode), lease.connection.host);
            drop(lease);
            if let Some(key) = key {
                spawn_local(async move {
                    if let Err(error) = mode.pool.connector().cancel(host, &key).await {
                        tracing::debug!(pool = mode.pool.name(), "cancel: {error}");
                    }
                });
            }
            match ended {
                Ended::Client(error) => Err(error),
                _ => Ok(After::Gone),
            }
        }
        Ended::Refused(error) => {
            // The server takes no settings like these, and is as it was.
            if at_rest {
                give_back(mode, lease);
            } else {
                drop(lease);
            }
            fatal(&mut end.output, &error);
            finish(stream, end).await?;
            Ok(After::Gone)
        }
        Ended::Fault(code, message) => {
            drop(lease);
            if within_message {
                return Ok(After::Gone);
            }
            refuse(stream, end, code, &message).await?;
            Ok(After::Gone)
        }
        Ended::Server(message) => {
            lease.lost();
            mode.pool.meters().error("server-lost");
            tracing::warn!(
                pool = mode.pool.name(),
                "a server is lost in the middle of a conversation: {message}"
            );
            if within_message {
                // What is said now would be taken for the rest of it.
                return Ok(After::Gone);
            }
            refuse(stream, end, "08006", &format!("the server is lost: {message}")).await?;
            Ok(After::Gone)
        }
    }
}

/// Hears what a server has to say to a client that is gone: short-lived components often go without waiting for the last
/// answer, and that need not cost a connection.
async fn see_off(relay: &mut Relay, session: &mut Session, server_end: &mut End) -> io::Result<()> {
    let mut unheard = BytesMut::new();
    while (relay.is_owed() || !server_end.output.is_empty()) && !server_end.ended {
        exchange(&mut *session.stream, server_end, true).await?;
        relay
            .server(&mut server_end.input, &mut session.server, &mut unheard)
            .map_err(io::Error::other)?;
        unheard.clear();
    }
    Ok(())
}

/// How a conversation ended.
enum Ended {
    /// The server is free.
    Rest,
    /// The client said goodbye, or hung up.
    Goodbye,
    /// The client cannot be reached.
    Client(io::Error),
    /// The server does not take the client's settings: the fields of its error.
    Refused(Bytes),
    /// The client breaks the protocol: SQLSTATE and message.
    Fault(&'static str, String),
    /// The server is gone, or breaks the protocol.
    Server(String),
}

async fn converse(
    mode: &Mode,
    stream: &mut Socket,
    end: &mut End,
    relay: &mut Relay,
    session: &mut Session,
    server_end: &mut End,
) -> Ended {
    let mut goodbye = false;
    loop {
        if !end.input.is_empty() && !goodbye {
            let server = &mut session.server;
            match relay.client(&mut end.input, server, &mut server_end.output, &mut end.output) {
                Ok(Heard::Passed) => {}
                Ok(Heard::Goodbye) => goodbye = true,
                Err(fault) => return Ended::Fault("08P01", fault.to_string()),
            }
        }
        let free = relay.is_at_rest() && server_end.output.is_empty();
        // What was asked before a goodbye is done; who hangs up does not read it any more.
        if end.ended || (goodbye && !relay.is_owed()) {
            return Ended::Goodbye;
        }
        if free && mode.pooling == Pooling::Transaction {
            // The client reads the last of its answers while the server goes to the next one already.
            return Ended::Rest;
        }
        // Of a message that is not complete, the rest is waited for.
        let enough = goodbye || relay.holds_back();
        let send_timeout = mode.pool.connector().upstream.send_timeout;
        let pumped = pump(stream, end, &mut *session.stream, server_end, enough, send_timeout);
        let moved = match pumped.await {
            Ok(moved) => moved,
            Err(Failed::Client(error)) => return Ended::Client(error),
            Err(Failed::Server(error)) => return Ended::Server(error.to_string()),
        };
        if moved.from_server {
            if let Err(fault) = relay.server(&mut server_end.input, &mut session.server, &mut end.output) {
                return Ended::Server(fault.to_string());
            }
            if let Some(error) = relay.refused() {
                return Ended::Refused(error);
            }
            if server_end.ended {
                return Ended::Server("it hung up".to_owned());
            }
        }
    }
}

/// Gives a server back, by way of a reset if it was changed.
fn give_back(mode: &Rc<Mode>, mut lease: Lease<Connector>) {
    if !mode.pool.connector().must_reset(&lease.connection) {
        return lease.give_back();
    }
    let mode = Rc::clone(mode);
    spawn_local(async move {
        match mode.pool.connector().reset(&mut lease.connection).await {
            Ok(()) => {
                mode.pool.meters().reset();
                lease.give_back();
            }
            Err(error) => {
                mode.pool.meters().error("reset");
                tracing::warn!(pool = mode.pool.name(), "{error}");
            }
        }
    });
}
