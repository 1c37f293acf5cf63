//! What is said with a client before its first query.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use mainstay_pool_core::pool::AcquireError;
use mainstay_pool_core::postgres::{
    self as protocol, Fault, Parameters, Severity, Startup, StartupMessage, next_frame, read_startup,
};
use mainstay_pool_core::tokens::Tokens;
use mainstay_runtime::net::Socket;

use super::Mode;
use super::cancel::{self, Registered};
use crate::pump::{End, finish, read_on};

/// A client has to say who it is within this, as PostgreSQL's `authentication_timeout`.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client that may go on.
pub(super) struct Welcomed {
    pub(super) registered: Registered,
    pub(super) settings: Parameters,
}

/// Why a client may not go on: SQLSTATE and message.
type Refusal = (&'static str, String);

/// The session's first part. None for who wanted no session.
pub(super) async fn welcome(mode: &Rc<Mode>, stream: &mut Socket, end: &mut End) -> io::Result<Option<Welcomed>> {
    let began = async {
        let Some(startup) = first(mode, stream, end).await? else {
            return Ok(None);
        };
        match admit(mode, stream, end, &startup).await? {
            Ok(settings) => Ok(Some(greet(mode, stream, end, settings).await?)),
            Err((code, message)) => {
                refuse(stream, end, code, &message).await?;
                Ok(None)
            }
        }
    };
    let late = || io::Error::new(io::ErrorKind::TimedOut, "no login in time");
    tokio::time::timeout(PATIENCE + mode.acquire_timeout, began)
        .await
        .unwrap_or_else(|_| Err(late()))
}

/// Tells a client why it has to go.
pub(super) async fn refuse(stream: &mut Socket, end: &mut End, code: &str, message: &str) -> io::Result<()> {
    protocol::error(&mut end.output, Severity::Fatal, code, message, None);
    finish(stream, end).await
}

/// As PostgreSQL's own errors would say it.
pub(super) fn explain(mode: &Mode, error: &AcquireError) -> Refusal {
    let code = match error {
        AcquireError::TimedOut { .. } | AcquireError::QueueFull { .. } => "53300",
        AcquireError::Draining => "57P03",
        _ => "08006",
    };
    (code, format!("pool {:?}: {error}", mode.pool.name()))
}

/// The first message that asks for a session.
async fn first(mode: &Rc<Mode>, stream: &mut Socket, end: &mut End) -> io::Result<Option<Startup>> {
    loop {
        match read_startup(&mut end.input) {
            Ok(None) => {
                if !read_on(stream, end).await? {
                    return Ok(None);
                }
            }
            Ok(Some(StartupMessage::Ssl | StartupMessage::Gss)) => {
                // The loopback is the workload's own: nobody listens in.
                end.output.extend_from_slice(b"N");
                finish(stream, end).await?;
            }
            Ok(Some(StartupMessage::Cancel { process, secret })) => {
                cancel::cancel(mode, process, &secret).await;
                return Ok(None);
            }
            Ok(Some(StartupMessage::Startup(startup))) => return Ok(Some(startup)),
            Err(fault) => {
                let code = if matches!(fault, Fault::Version { .. }) {
                    "0A000"
                } else {
                    "08P01"
                };
                refuse(stream, end, code, &fault.to_string()).await?;
                return Ok(None);
            }
        }
    }
}

/// Whether the client may have what it asks for, and the settings that it brings.
async fn admit(
    mode: &Rc<Mode>,
    stream: &mut Socket,
    end: &mut End,
    startup: &Startup,
) -> io::Result<Result<Parameters, Refusal>> {
    let unknown = startup.protocol_options();
    if startup.minor > 2 || !unknown.is_empty() {
        protocol::negotiate(&mut end.output, startup.minor.min(2), &unknown);
    }
    if !mode.tokens.is_empty() {
        protocol::cleartext_password(&mut end.output);
        finish(stream, end).await?;
        if let Some(component) = says(stream, end, &mode.tokens).await? {
            mode.pool.meters().login(&component);
        } else {
            mode.pool.meters().error("token");
            let user = startup.parameter("user").unwrap_or_default();
            return Ok(Err((
                "28P01",
                format!("password authentication failed for user {user:?}: it is no token of the pool"),
            )));
        }
    }
    let brought = match brought(mode, startup) {
        Ok(brought) => brought,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut settings = match template(mode).await {
        Ok(settings) => settings,
        Err(error) => return Ok(Err(explain(mode, &error))),
    };
    for (name, value) in brought {
        settings.set(name.as_bytes(), value.as_bytes());
    }
    Ok(Ok(settings))
}

/// Whose token the client's password is.
async fn says(stream: &mut Socket, end: &mut End, tokens: &Tokens) -> io::Result<Option<String>> {
    loop {
        let frame = next_frame(&end.input).map_err(io::Error::other)?;
        if let Some(frame) = frame {
            if frame.tag != b'p' || frame.length > 10_000 {
                return Ok(None);
            }
            if end.input.len() >= frame.length {
                let message = end.input.split_to(frame.length);
                let password = protocol::password(message.get(5..).unwrap_or_default());
                let owner = password.ok().and_then(|password| tokens.owner(password));
                return Ok(owner.map(str::to_owned));
            }
        }
        if !read_on(stream, end).await? {
            return Ok(None);
        }
    }
}

/// The settings that a client brings. Those that a pool cannot carry from server to server are refused: the client
/// would believe to have them.
fn brought(mode: &Mode, startup: &Startup) -> Result<Vec<(&'static str, String)>, Refusal> {
    let user = startup.parameter("user").unwrap_or_default();
    let database = startup.parameter("database").unwrap_or(user);
    if ![mode.database.as_str(), mode.pool.name(), user].contains(&database) {
        let (name, leads) = (mode.pool.name(), &mode.database);
        return Err((
            "3D000",
            format!("database {database:?} is not behind the pool {name:?}, which leads to {leads:?}"),
        ));
    }
    let mut brought = Vec::new();
    for (name, value) in &startup.parameters {
        match name.as_str() {
            "user" | "database" => {}
            // The same since version 12, whatever is said.
            "extra_float_digits" => {}
            name if name.starts_with("_pq_.") => {}
            "options" if value.trim().is_empty() => {}
            "replication" if ["false", "off", "no", "0"].contains(&value.as_str()) => {}
            "replication" => {
                return Err((
                    "0A000",
                    "replication needs a connection to the server itself".to_owned(),
                ));
            }
            name => match Parameters::tracked(name) {
                Some(tracked) => brought.push((tracked, value.clone())),
                None => {
                    return Err((
                        "08P01",
                        format!(
                            "startup parameter {name:?} cannot be pooled: set it for the role, by ALTER ROLE .. SET"
                        ),
                    ));
                }
            },
        }
    }
    Ok(brought)
}

/// The settings of a new session: of the last one that was made, or of one that is made now.
async fn template(mode: &Rc<Mode>) -> Result<Parameters, AcquireError> {
    let known = mode.pool.connector().parameters.borrow().clone();
    if let Some(known) = known {
        return Ok(known);
    }
    let lease = mode.pool.acquire(mode.acquire_timeout).await?;
    let parameters = lease.connection.server.parameters().clone();
    lease.give_back();
    Ok(parameters)
}

async fn greet(mode: &Rc<Mode>, stream: &mut Socket, end: &mut End, settings: Parameters) -> io::Result<Welcomed> {
    let registered = cancel::register(mode);
    protocol::authentication_ok(&mut end.output);
    settings.report(&mut end.output);
    protocol::backend_key(&mut end.output, registered.key.0, registered.key.1);
    protocol::ready(&mut end.output);
    finish(stream, end).await?;
    Ok(Welcomed { registered, settings })
}
