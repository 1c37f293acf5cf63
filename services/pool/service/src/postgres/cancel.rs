//! Which server a cancel request is for: the one that the client has now, and no other.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

/// A server that is given back waits for a cancel request that is on its way, but no longer than this.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a client was told to name itself by.
pub(super) type Key = (u32, [u8; 4]);

/// The clients of a pool, by what they name themselves by.
#[derive(Default)]
pub(super) struct Cancels {
    clients: RefCell<HashMap<Key, Rc<Target>>>,
    next: Cell<u32>,
}

/// The server that a client has.
#[derive(Default)]
pub(super) struct Target {
    server: RefCell<Option<(usize, (u32, Bytes))>>,
    on_the_way: Cell<u32>,
    arrived: Notify,
}

/// A client, for as long as it is there.
pub(super) struct Registered {
    cancels: Rc<super::Mode>,
    pub(super) key: Key,
    pub(super) target: Rc<Target>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.cancels.cancels.clients.borrow_mut().remove(&self.key);
    }
}

/// Gives a client a key of its own.
pub(super) fn register(mode: &Rc<super::Mode>) -> Registered {
    let cancels = &mode.cancels;
    let process = cancels.next.get().wrapping_add(1);
    cancels.next.set(process);
    let key = (process, rand::random());
    let target = Rc::new(Target::default());
    cancels.clients.borrow_mut().insert(key, Rc::clone(&target));
    Registered {
        cancels: Rc::clone(mode),
        key,
        target,
    }
}

impl Target {
    /// The client has this server from now on.
    pub(super) fn set(&self, host: usize, key: Option<&(u32, Bytes)>) {
        *self.server.borrow_mut() = key.map(|key| (host, key.clone()));
    }

    /// It has none any more. Returns when no cancel request for it is on its way, which would hit the next one.
    pub(super) async fn unset(&self) {
        self.server.borrow_mut().take();
        while self.on_the_way.get() > 0 {
            if tokio::time::timeout(PATIENCE, self.arrived.notified()).await.is_err() {
                return;
            }
        }
    }
}

/// Cancels what a client's server does, if the client is there and has one. Nobody is told whether it was so, as
/// PostgreSQL does not either.
pub(super) async fn cancel(mode: &super::Mode, process: u32, secret: &[u8]) {
    let Ok(secret) = <[u8; 4]>::try_from(secret) else {
        return;
    };
    let target = mode.cancels.clients.borrow().get(&(process, secret)).cloned();
    let Some(target) = target else { return };
    let server = target.server.borrow().clone();
    let Some((host, key)) = server else { return };
    target.on_the_way.set(target.on_the_way.get() + 1);
    if let Err(error) = mode.pool.connector().cancel(host, &key).await {
        tracing::warn!(pool = mode.pool.name(), "cancel: {error}");
    }
    target.on_the_way.set(target.on_the_way.get().saturating_sub(1));
    target.arrived.notify_one();
}
