//! A client with a connection of its own.

use std::io;

use bytes::{Buf, BytesMut};
use mainstay_pool_core::redis::{Answer, Class, Dedicated, Fault, Kind, Local, classify};
use tokio::task::spawn_local;

use super::Connector;
use super::client::{Client, written};
use super::connect::ask;
use super::link::{HELLO_2, HELLO_3};
use crate::pool::Lease;
use crate::pump::{End, Failed, finish, pump, unless_gone};

/// How it went on.
enum Ended {
    /// The connection is as it was.
    Clean,
    /// The client has said RESET.
    Reset,
    /// The client has gone, or said goodbye.
    Gone,
    /// The server has gone, or breaks the protocol.
    Lost(String),
    /// The client breaks the protocol.
    Fault(Fault),
    Client(io::Error),
}

/// Gives the client a connection of its own, until it needs none any more. False when the client is gone.
pub(super) async fn own(client: &mut Client<'_>) -> io::Result<bool> {
    let Some(acquired) = acquire(client).await? else {
        return Ok(false);
    };
    let mut lease = match acquired {
        Ok(lease) => lease,
        Err(error) => {
            refuse(client, &error);
            return Ok(true);
        }
    };
    let mut server_end = End::default();
    let third = client.session.protocol() == 3;
    if third {
        server_end.output.extend_from_slice(HELLO_3);
    }
    let mut dedicated = Dedicated::new(usize::from(third));
    match converse(client, &mut lease, &mut server_end, &mut dedicated).await {
        Ended::Clean => {
            give_back(lease, third);
            Ok(true)
        }
        Ended::Reset => {
            drop(lease);
            client.end.output.extend_from_slice(b"+RESET\r\n");
            Ok(true)
        }
        Ended::Gone => {
            drop(lease);
            Ok(false)
        }
        Ended::Client(error) => {
            drop(lease);
            Err(error)
        }
        Ended::Fault(fault) => {
            drop(lease);
            client
                .end
                .output
                .extend_from_slice(format!("-ERR {fault}\r\n").as_bytes());
            finish(client.stream, &mut client.end).await?;
            Ok(false)
        }
        Ended::Lost(reason) => {
            lease.lost();
            let pool = &client.mode.pool;
            pool.meters().error("server-lost");
            tracing::warn!(pool = pool.name(), "a connection of one client is lost: {reason}");
            // What it was in the middle of is gone with it: as a direct connection would, this one ends.
            Ok(false)
        }
    }
}

/// A connection, unless the client goes while it waits.
async fn acquire(
    client: &mut Client<'_>,
) -> io::Result<Option<Result<Lease<Connector>, mainstay_pool_core::pool::AcquireError>>> {
    let acquire = client.mode.pool.acquire(client.mode.acquire_timeout);
    unless_gone(client.stream, &mut client.end, acquire, |_| true).await
}

/// The command that needs a connection fails; the next one may do better.
fn refuse(client: &mut Client<'_>, error: &mainstay_pool_core::pool::AcquireError) {
    if let Ok(Some(command)) = client.commands.next(&client.end.input) {
        let length = command.length;
        client.end.input.advance(length);
    }
    let text = format!("-ERR pool {:?}: {error}\r\n", client.mode.pool.name());
    client.end.output.extend_from_slice(text.as_bytes());
}

async fn converse(
    client: &mut Client<'_>,
    lease: &mut Lease<Connector>,
    server_end: &mut End,
    dedicated: &mut Dedicated,
) -> Ended {
    let mut first = true;
    loop {
        let mut waits_for_more = false;
        while first || dedicated.is_open() {
            match say(client, &mut server_end.output, dedicated) {
                Ok(Said::Passed) => first = false,
                Ok(Said::More) => {
                    waits_for_more = true;
                    break;
                }
                Ok(Said::NotYet) => break,
                Ok(Said::Reset) => return Ended::Reset,
                Ok(Said::Quit) => {
                    client.end.output.extend_from_slice(b"+OK\r\n");
                    return match finish(client.stream, &mut client.end).await {
                        Ok(()) => Ended::Gone,
                        Err(error) => Ended::Client(error),
                    };
                }
                Err(fault) => return Ended::Fault(fault),
            }
        }
        if client.end.ended {
            return Ended::Gone;
        }
        let stream = &mut *lease.connection.stream;
        let enough = !waits_for_more;
        let send_timeout = client.mode.pool.connector().upstream.send_timeout;
        let pumped = pump(client.stream, &mut client.end, stream, server_end, enough, send_timeout);
        match pumped.await {
            Ok(moved) if moved.from_server => {}
            Ok(_) => continue,
            Err(Failed::Client(error)) => return Ended::Client(error),
            Err(Failed::Server(error)) => return Ended::Lost(error.to_string()),
        }
        if let Err(fault) = dedicated.input(&mut server_end.input, &mut client.end.output) {
            return Ended::Lost(fault.to_string());
        }
        if dedicated.is_clean() && server_end.output.is_empty() && server_end.input.is_empty() {
            return Ended::Clean;
        }
        if server_end.ended {
            return match finish(client.stream, &mut client.end).await {
                Ok(()) => Ended::Lost("the server hung up".to_owned()),
                Err(error) => Ended::Client(error),
            };
        }
    }
}

/// What became of the client's next command.
enum Said {
    Passed,
    /// It is not complete.
    More,
    /// Its turn comes when the server has answered those before.
    NotYet,
    Reset,
    Quit,
}

fn say(client: &mut Client<'_>, out: &mut BytesMut, dedicated: &mut Dedicated) -> Result<Said, Fault> {
    let Some(command) = client.commands.next(&client.end.input)? else {
        return Ok(Said::More);
    };
    let length = command.length;
    let local = match classify(&command, client.mode.database) {
        Class::Local(local) => local,
        _ => Local::Ok,
    };
    match local {
        Local::Reset | Local::Quit => {
            let answer = client.session.answer(local, &command, None);
            client.end.input.advance(length);
            return Ok(if answer == Answer::Quit {
                Said::Quit
            } else {
                Said::Reset
            });
        }
        Local::Nothing => client.end.input.advance(length),
        Local::Auth | Local::Hello if dedicated.is_owed() => return Ok(Said::NotYet),
        Local::Auth | Local::Hello => {
            // Tokens are the pool's, and the protocol of the connection is that of the moment at which it was had.
            let before = client.session.protocol();
            let known = client.mode.pool.connector().identity.borrow();
            let switches = local == Local::Hello
                && command
                    .word(1)
                    .is_some_and(|version| version != before.to_string().as_bytes());
            let answer = if dedicated.is_in_transaction() {
                Answer::Say("-ERR Command not allowed inside a transaction\r\n".into())
            } else if switches {
                Answer::Say(
                    "-ERR not through a pool: HELLO switches the protocol before a subscription or a transaction\r\n"
                        .into(),
                )
            } else {
                client
                    .session
                    .answer(local, &command, known.as_ref().and_then(Option::as_ref))
            };
            drop(known);
            client.end.input.advance(length);
            client.count_login(&answer);
            if let Answer::Say(text) = answer {
                client.end.output.extend_from_slice(&text);
            }
        }
        _ => {
            dedicated.say(&command, client.mode.database);
            if command.inline {
                out.extend_from_slice(&written(&command));
                client.end.input.advance(length);
            } else {
                out.extend_from_slice(&client.end.input.split_to(length));
            }
        }
    }
    Ok(Said::Passed)
}

/// Gives a connection back in the protocol that it had.
fn give_back(mut lease: Lease<Connector>, third: bool) {
    if !third {
        return lease.give_back();
    }
    spawn_local(async move {
        let back = tokio::time::timeout(std::time::Duration::from_secs(5), ask(&mut lease.connection, HELLO_2)).await;
        if matches!(back, Ok(Ok(Kind::Reply))) {
            lease.give_back();
        }
    });
}
