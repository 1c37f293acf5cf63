//! Calls into components: at most so many at once, each with a deadline, cancelled when nobody waits any more.

use std::future::Future;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, watch};

use crate::event_loop::component_model;

/// Bounds the calls that a service has in flight. Cloning shares the bound.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use mainstay_runtime::callback::Callbacks;
/// use std::time::Duration;
///
/// # async fn run(name: &str) -> usize { name.len() }
/// let callbacks = Callbacks::new(256);
/// // `run` stands for a generated binding of an `async func` import.
/// let outcome = callbacks.call(Duration::from_secs(30), run("backup")).await;
/// assert_eq!(outcome, Ok(6));
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct Callbacks {
    shared: std::rc::Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    slots: Semaphore,
    limit: usize,
    closed: watch::Sender<bool>,
}

/// Why a call gave no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// The component did not return before the deadline; the call was cancelled.
    #[error("no result within the deadline")]
    TimedOut,
    /// The service is ending: [`Callbacks::close`] was called before the component returned.
    #[error("cancelled, the service is ending")]
    Cancelled,
}

impl Callbacks {
    /// At most `max_in_flight` calls at once; zero counts as one.
    pub fn new(max_in_flight: usize) -> Self {
        let limit = max_in_flight.clamp(1, Semaphore::MAX_PERMITS);
        let shared = Shared {
            slots: Semaphore::new(limit),
            limit,
            closed: watch::Sender::new(false),
        };
        Self {
            shared: std::rc::Rc::new(shared),
        }
    }

    /// Makes a call when there is room for it, first come first served, and waits for its result.
    ///
    /// `deadline` counts from when the call begins, not from when it is asked for. A call past its deadline is
    /// cancelled, as is one whose future is dropped. What a cancelled component had done by then stays done.
    pub async fn call<T>(&self, deadline: Duration, call: impl Future<Output = T>) -> Result<T, CallbackError> {
        self.room().await?.call(deadline, call).await
    }

    /// Waits until there is room for a call, first come first served: for those who do not want to wait for ever.
    pub async fn room(&self) -> Result<Room<'_>, CallbackError> {
        let slot = self.shared.slots.acquire().await;
        let slot = slot.map_err(|_closed| CallbackError::Cancelled)?;
        Ok(Room {
            closed: &self.shared.closed,
            _slot: slot,
        })
    }

    /// Cancels the calls in flight and those that wait for room, and refuses later ones.
    pub fn close(&self) {
        self.shared.slots.close();
        self.shared.closed.send_replace(true);
    }

    /// Calls in flight now.
    pub fn in_flight(&self) -> usize {
        self.shared.limit - self.shared.slots.available_permits().min(self.shared.limit)
    }

    /// The most calls that may be in flight.
    pub fn limit(&self) -> usize {
        self.shared.limit
    }
}

/// Room for one call, until this is dropped.
#[derive(Debug)]
pub struct Room<'a> {
    closed: &'a watch::Sender<bool>,
    _slot: SemaphorePermit<'a>,
}

impl Room<'_> {
    /// Makes the call, as [`Callbacks::call`] does.
    pub async fn call<T>(self, deadline: Duration, call: impl Future<Output = T>) -> Result<T, CallbackError> {
        let mut closed = self.closed.subscribe();
        tokio::select! {
            biased;
            result = tokio::time::timeout(deadline, component_model(call)) => result.map_err(|_| CallbackError::TimedOut),
            _ = closed.wait_for(|closed| *closed) => Err(CallbackError::Cancelled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::future::pending;
    use std::rc::Rc;
    use tokio::task::{JoinSet, LocalSet};
    use tokio::time::Instant;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn no_more_calls_than_the_limit_are_in_flight_and_all_complete() {
        let most = Rc::new(Cell::new(0));
        let callbacks = Callbacks::new(32);
        let calls = (0..1000_u64).map(|id| {
            let (callbacks, most) = (callbacks.clone(), Rc::clone(&most));
            async move {
                let inner = callbacks.clone();
                let call = async move {
                    most.set(most.get().max(inner.in_flight()));
                    tokio::time::sleep(Duration::from_millis(id % 7)).await;
                    id
                };
                callbacks.call(MINUTE, call).await.unwrap()
            }
        });
        let sum: u64 = futures::future::join_all(calls).await.into_iter().sum();
        assert_eq!((sum, most.get(), callbacks.in_flight()), (999 * 500, 32, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_counts_from_when_the_call_begins() {
        let callbacks = Callbacks::new(1);
        let began = Instant::now();
        let calls = (0..5).map(|_| callbacks.call(Duration::from_secs(1), pending::<()>()));
        let outcomes = futures::future::join_all(calls).await;
        assert_eq!(outcomes, [Err(CallbackError::TimedOut); 5]);
        assert!(began.elapsed() >= Duration::from_secs(5));
    }

    #[tokio::test]
    async fn a_dropped_call_is_cancelled_and_frees_its_slot() {
        let callbacks = Callbacks::new(1);
        let cancelled = Rc::new(Cell::new(false));
        let call = {
            struct OnDrop(Rc<Cell<bool>>);
            impl Drop for OnDrop {
                fn drop(&mut self) {
                    self.0.set(true);
                }
            }
            let on_drop = OnDrop(Rc::clone(&cancelled));
            async move {
                let _on_drop = on_drop;
                pending::<()>().await;
            }
        };
        let tasks = LocalSet::new();
        let task = tasks.spawn_local({
            let callbacks = callbacks.clone();
            async move { callbacks.call(MINUTE, call).await }
        });
        tasks.run_until(tokio::task::yield_now()).await;
        assert_eq!((callbacks.in_flight(), crate::event_loop::in_flight()), (1, 1));
        task.abort();
        tasks.await;
        assert!(cancelled.get());
        assert_eq!((callbacks.in_flight(), crate::event_loop::in_flight()), (0, 0));
        assert_eq!(callbacks.call(MINUTE, async { 7 }).await, Ok(7));
    }

    #[tokio::test]
    async fn closing_cancels_calls_in_flight_and_waiting_and_refuses_later_ones() {
        let callbacks = Callbacks::new(2);
        let tasks = LocalSet::new();
        let mut calls = JoinSet::new();
        for _ in 0..5 {
            let callbacks = callbacks.clone();
            calls.spawn_local_on(async move { callbacks.call(MINUTE, pending::<()>()).await }, &tasks);
        }
        tasks.run_until(tokio::task::yield_now()).await;
        assert_eq!(callbacks.in_flight(), 2);
        callbacks.close();
        let outcomes = tasks.run_until(calls.join_all()).await;
        assert_eq!(outcomes, [Err(CallbackError::Cancelled); 5]);
        assert_eq!(callbacks.call(MINUTE, async { 7 }).await, Err(CallbackError::Cancelled));
    }

    #[tokio::test]
    async fn a_limit_of_zero_still_lets_one_call_through() {
        let callbacks = Callbacks::new(0);
        assert_eq!(callbacks.limit(), 1);
        assert_eq!(callbacks.call(MINUTE, async { 7 }).await, Ok(7));
    }
}
