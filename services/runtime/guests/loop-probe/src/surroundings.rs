//! What a service meets in a component that a native test cannot show: calls that are cancelled, a port in use, and
//! the file system of WASI.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use mainstay_runtime::callback::{CallbackError, Callbacks};
use mainstay_runtime::listener::Listener;
use mainstay_runtime::state::{Loaded, StateFile};
use tokio::task::{JoinSet, spawn_local};

use crate::{callee, overlap};

const LONG: u64 = 600_000;

pub(crate) async fn probe() -> Result<String, String> {
    yields().await?;
    let timed_out = deadlines().await?;
    let cancelled = cancellation().await?;
    port_in_use()?;
    let state = state_file(Path::new("/state/probe"))?;
    Ok(format!(
        "{{\"timed_out\":{timed_out},\"cancelled\":{cancelled},\"port_in_use\":true,\"state\":{state:?}}}"
    ))
}

/// A task that yields in the very turn in which a call begins goes on.
async fn yields() -> Result<(), String> {
    let callbacks = Callbacks::new(1);
    for id in 0..100 {
        // Nothing is in flight, so the loop blocks in tokio.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let calling = callbacks.clone();
        let call = spawn_local(async move { calling.call(Duration::from_secs(30), callee::echo(id)).await });
        tokio::task::yield_now().await;
        if call.await.map_err(|error| error.to_string())? != Ok(id) {
            return Err("a call of a task that did not yield failed".to_owned());
        }
    }
    Ok(())
}

/// Calls that never return in time end by their deadline, and leave room for one that does.
async fn deadlines() -> Result<u64, String> {
    let callbacks = Callbacks::new(8);
    let mut calls = JoinSet::new();
    for _ in 0..64 {
        let callbacks = callbacks.clone();
        calls.spawn_local(async move { callbacks.call(Duration::from_millis(20), callee::linger(LONG)).await });
    }
    let mut timed_out = 0;
    while let Some(call) = calls.join_next().await {
        timed_out += u64::from(call.map_err(|error| error.to_string())? == Err(CallbackError::TimedOut));
    }
    completes(&callbacks).await?;
    Ok(timed_out)
}

/// Calls whose tasks are aborted end at once, as do those that a service closes.
async fn cancellation() -> Result<u64, String> {
    let callbacks = Callbacks::new(16);
    let mut aborted = JoinSet::new();
    for _ in 0..32 {
        let callbacks = callbacks.clone();
        aborted.spawn_local(async move { callbacks.call(Duration::from_millis(LONG), callee::linger(LONG)).await });
    }
    while callbacks.in_flight() < callbacks.limit() {
        tokio::task::yield_now().await;
    }
    aborted.shutdown().await;
    completes(&callbacks).await?;

    let mut closed = JoinSet::new();
    for _ in 0..32 {
        let callbacks = callbacks.clone();
        closed.spawn_local(async move { callbacks.call(Duration::from_millis(LONG), callee::linger(LONG)).await });
    }
    while callbacks.in_flight() < callbacks.limit() {
        tokio::task::yield_now().await;
    }
    callbacks.close();
    let mut cancelled = 0;
    while let Some(call) = closed.join_next().await {
        cancelled += u64::from(call.map_err(|error| error.to_string())? == Err(CallbackError::Cancelled));
    }
    Ok(cancelled)
}

async fn completes(callbacks: &Callbacks) -> Result<(), String> {
    let call = callbacks.call(Duration::from_secs(30), callee::echo(7)).await;
    if call != Ok(7) || callbacks.in_flight() != 0 {
        return Err(format!(
            "after cancellation: {call:?}, {} in flight",
            callbacks.in_flight()
        ));
    }
    Ok(())
}

/// A port in use is an error, not a trap, and free again when its listener is gone.
fn port_in_use() -> Result<(), String> {
    let first = overlap::listen()?;
    let address = first.address();
    if TcpListener::bind(address).is_ok() {
        return Err(format!("{address} was bound twice"));
    }
    drop(first);
    Listener::bind(address)
        .map(drop)
        .map_err(|error| format!("{address} not free again: {error}"))
}

/// A state file is written, read, and set aside when it is corrupt.
fn state_file(folder: &Path) -> Result<String, String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let file = StateFile::new(folder.join("counts.state"), "probe", 1);
    let first = file.load::<Vec<u64>>().map_err(|error| error.to_string())?;
    file.save(&vec![1_u64, 2]).map_err(|error| error.to_string())?;
    file.save(&vec![1_u64, 2, 3]).map_err(|error| error.to_string())?;
    let second = file.load::<Vec<u64>>().map_err(|error| error.to_string())?;
    std::fs::write(file.path(), "mainstay-state probe 1 00000000 2\n[]").map_err(|error| error.to_string())?;
    let third = file.load::<Vec<u64>>().map_err(|error| error.to_string())?;
    match (first, second, third) {
        (Loaded::Nothing, Loaded::Found(found), Loaded::SetAside { reason, .. }) if found == [1, 2, 3] => Ok(reason),
        other => Err(format!("state file: {other:?}")),
    }
}
