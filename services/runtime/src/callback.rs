//! Calls into components: at most so many at once, each with a deadline, cancelled when nobody waits any more.

use std::future::Future;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

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
        let mut closed = self.shared.closed.subscribe();
        let _slot = self
            .shared
            .slots
            .acquire()
            .await
            .map_err(|_closed| CallbackError::Cancelled)?;
        tokio::select! {
            biased;
            result = tokio::time::timeout(deadline, component_model(call)) => result.map_err(|_| CallbackError::TimedOut),
            _ = closed.wait_for(|closed| *closed) => Err(CallbackError::Cancelled),
        }
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
