//! Clients that say what they want, and when they are done with it: `pool-client.wasm`.

use std::rc::Rc;
use std::time::Duration;

use mainstay_pool_core::lease::{Ask, Refusal, Tell};
use mainstay_runtime::net::Socket;

use super::{Connector, Mode};
use crate::component::Component;
use crate::hooks::Usage;
use crate::pool::Lease;
use crate::pump::{End, Failed, finish, pump, read_on};

/// Serves one lease: waits for a connection, and passes on what both sides say until it is given back. Gives what there is
/// to be said to the client last, if it is still there.
pub(crate) async fn lease<C: Component>(
    mode: Rc<Mode<C>>,
    timeout: Option<Duration>,
    stream: &mut Socket,
    client: &mut End,
) -> Option<Tell> {
    let acquire = mode.pool.acquire(timeout.unwrap_or(mode.acquire_timeout));
    let acquired = tokio::select! {
        acquired = acquire => acquired,
        // It says nothing before it is told something: it is gone.
        _ = read_on(stream, client) => return None,
    };
    mode.pool.meters().clients(1.0);
    let last = match acquired {
        Ok(lease) => hold(&mode, stream, client, lease).await,
        Err(error) => Some(Tell::Refused(Refusal::from(&error), error.to_string())),
    };
    mode.pool.meters().clients(-1.0);
    last
}

async fn hold<C: Component>(
    mode: &Mode<C>,
    stream: &mut Socket,
    client: &mut End,
    mut lease: Lease<Connector<C>>,
) -> Option<Tell> {
    let connection = lease.connection.number;
    Tell::Granted { connection }.encode(&mut client.output);
    let mut server = End {
        input: std::mem::take(&mut lease.connection.said),
        ..End::default()
    };
    let send_timeout = mode.pool.connector().upstream.send_timeout;
    let (mut usage, mut told_end) = (Usage { sent: 0, received: 0 }, false);
    loop {
        if !server.input.is_empty() {
            usage.received += server.input.len() as u64;
            Tell::Data(server.input.split().freeze()).encode(&mut client.output);
        }
        if server.ended && !told_end {
            told_end = true;
            Tell::End.encode(&mut client.output);
        }
        loop {
            match Ask::decode(&mut client.input) {
                Ok(None) => break,
                Ok(Some(Ask::Data(bytes))) => {
                    usage.sent += bytes.len() as u64;
                    server.output.extend_from_slice(&bytes);
                }
                Ok(Some(Ask::Release { read })) => return Some(release(mode, lease, server, usage, read).await),
                Ok(Some(_)) => return Some(Tell::Refused(Refusal::Protocol, "one lease a connection".to_owned())),
                Err(error) => return Some(Tell::Refused(Refusal::Protocol, error.to_string())),
            }
        }
        if client.ended {
            return None;
        }
        let upstream = &mut *lease.connection.stream;
        match pump(stream, client, upstream, &mut server, false, send_timeout).await {
            Ok(_) => {}
            Err(Failed::Client(_)) => return None,
            Err(Failed::Server(error)) => {
                lease.lost();
                return Some(Tell::Refused(Refusal::Lost, error.to_string()));
            }
        }
    }
}

/// Gives the connection back, if its holder left nothing behind; closes it otherwise.
async fn release<C: Component>(
    mode: &Mode<C>,
    mut lease: Lease<Connector<C>>,
    mut server: End,
    usage: Usage,
    read: u64,
) -> Tell {
    let unclean = |why: String| Tell::Refused(Refusal::Unclean, why);
    let said = finish(&mut *lease.connection.stream, &mut server);
    match tokio::time::timeout(mode.pool.connector().upstream.timeout, said).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            lease.lost();
            return Tell::Refused(Refusal::Lost, error.to_string());
        }
        Err(_) => return unclean("the upstream does not take what was written".to_owned()),
    }
    if server.ended {
        lease.lost();
        return unclean("the upstream has hung up".to_owned());
    }
    if read != usage.received {
        let left = usage.received.saturating_sub(read);
        return unclean(format!("{left} bytes of the upstream were not read"));
    }
    match mode.take_back(lease, usage).await {
        true => Tell::Released,
        false => unclean("the upstream said more, has hung up, or the hook refuses it".to_owned()),
    }
}
