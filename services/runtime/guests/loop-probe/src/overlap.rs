//! How many callbacks are in flight at once while a socket is served.
//!
//! Each callback connects to the service and waits for an answer. The answers are held back until all callbacks are
//! there and an echo has gone to and fro on the service's loopback many times: a count, no clock.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mainstay_runtime::callback::Callbacks;
use mainstay_runtime::listener::Listener;
use mainstay_runtime::net::Socket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, spawn_local};

use crate::callee;

const ECHOES: u64 = 200;
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) async fn probe(callbacks_at_once: usize) -> Result<String, String> {
    let barrier = listen()?;
    let barrier_port = barrier.address().port();
    let echo = serve_echo()?;

    let callbacks = Callbacks::new(callbacks_at_once);
    let mut calls = JoinSet::new();
    let mut expected = 0;
    for id in 0..callbacks_at_once as u64 {
        let callbacks = callbacks.clone();
        calls.spawn_local(async move { callbacks.call(DEADLINE, callee::meet(id, barrier_port)).await });
        expected += id + 1;
    }

    let mut held = Vec::new();
    while held.len() < callbacks_at_once {
        let accepted = tokio::time::timeout(DEADLINE, barrier.accept()).await;
        let Ok(accepted) = accepted else {
            return Err(format!(
                "{} of {callbacks_at_once} callbacks in flight, no more came",
                held.len()
            ));
        };
        held.push(accepted.map_err(|error| error.to_string())?.0);
    }
    let in_flight = callbacks.in_flight();
    let echoes = exchange_echoes(echo).await.map_err(|error| format!("echo: {error}"))?;

    for mut stream in held {
        let id = stream.read_u64().await.map_err(|error| error.to_string())?;
        stream.write_u64(id + 1).await.map_err(|error| error.to_string())?;
    }
    let mut sum = 0;
    while let Some(call) = calls.join_next().await {
        let answer = call
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())?;
        sum += answer?;
    }
    Ok(format!(
        "{{\"in_flight\":{in_flight},\"echoes\":{echoes},\"sum\":{sum},\"expected\":{expected},\"left\":{}}}",
        callbacks.in_flight()
    ))
}

pub(crate) fn listen() -> Result<Listener, String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Listener::bind(address).map_err(|error| format!("listen on {address}: {error}"))
}

/// Serves an echo of numbers from now on, and says where. As libraries do, it answers from tasks of the runtime's own.
pub(crate) fn serve_echo() -> Result<SocketAddr, String> {
    let echo = listen()?;
    let address = echo.address();
    spawn_local(echo.serve(4, async |stream, _| drop(tokio::spawn(answer_echoes(stream)))));
    Ok(address)
}

async fn answer_echoes(mut stream: Socket) {
    while let Ok(number) = stream.read_u64().await {
        if stream.write_u64(number).await.is_err() {
            return;
        }
    }
}

/// Sends numbers to the echo and counts those that come back.
pub(crate) async fn exchange_echoes(address: SocketAddr) -> std::io::Result<u64> {
    let mut stream = TcpStream::connect(address).await?;
    for number in 0..ECHOES {
        stream.write_u64(number).await?;
        if stream.read_u64().await? != number {
            return Ok(number);
        }
    }
    Ok(ECHOES)
}
