//! Warm instances of one component.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use wasmtime::format_err;

use super::fault;
use super::job::{Call, Reply, Values};
use super::task::{self, Task};
use super::unit::Unit;

/// How many warm instances there may be, and what each may serve.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) instances: usize,
    /// Calls at a time in one instance.
    pub(super) concurrency: usize,
    /// Calls after which an instance is thrown away.
    pub(super) calls: u64,
}

/// The warm instances of one component.
pub(super) struct Pool {
    component: Arc<Unit>,
    limits: Limits,
    warm: Mutex<Vec<Arc<Warm>>>,
}

/// A warm instance, from outside. Dropping the last reference ends it.
struct Warm {
    requests: mpsc::UnboundedSender<Request>,
    in_flight: AtomicUsize,
    served: AtomicU64,
    /// Why it ended, if it trapped.
    fault: Arc<OnceLock<String>>,
    _task: Task<()>,
}

struct Request {
    call: Call,
    reply: Reply,
}

/// A call's place in a warm instance.
struct Lease<'a> {
    pool: &'a Pool,
    warm: Arc<Warm>,
    answered: bool,
}

impl Pool {
    pub(super) fn new(component: &Arc<Unit>, limits: Limits) -> Self {
        Self {
            component: Arc::clone(component),
            limits,
            warm: Mutex::default(),
        }
    }

    /// Runs a call in a warm instance; gives it back if all of them are busy.
    pub(super) async fn offer(&self, call: Call) -> Result<wasmtime::Result<Values>, Call> {
        let Some(mut lease) = self.lease() else {
            return Err(call);
        };
        let (reply, answer) = oneshot::channel();
        if let Err(unsent) = lease.warm.requests.send(Request { call, reply }) {
            return Err(unsent.0.call);
        }
        let answer = answer.await;
        lease.answered = true;
        Ok(answer.unwrap_or_else(|_| Err(lease.warm.ended())))
    }

    fn lease(&self) -> Option<Lease<'_>> {
        let mut all = self.lock();
        all.retain(|warm| !warm.requests.is_closed());
        let free = all.iter().find(|warm| {
            warm.in_flight.load(Ordering::Relaxed) < self.limits.concurrency
                && warm.served.load(Ordering::Relaxed) < self.limits.calls
        });
        let warm = match free {
            Some(warm) => Arc::clone(warm),
            None if all.len() < self.limits.instances => {
                let warm = Arc::new(self.start());
                all.push(Arc::clone(&warm));
                warm
            }
            None => return None,
        };
        warm.in_flight.fetch_add(1, Ordering::Relaxed);
        warm.served.fetch_add(1, Ordering::Relaxed);
        Some(Lease {
            pool: self,
            warm,
            answered: false,
        })
    }

    fn start(&self) -> Warm {
        let (requests, incoming) = mpsc::unbounded_channel();
        let fault = Arc::new(OnceLock::new());
        let (component, noted) = (Arc::clone(&self.component), Arc::clone(&fault));
        let task = task::spawn(async move {
            if let Err(error) = serve(&component, incoming).await {
                let _ = noted.set(fault::in_words(&error));
            }
        });
        Warm {
            requests,
            in_flight: AtomicUsize::new(0),
            served: AtomicU64::new(0),
            fault,
            _task: task,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Warm>>> {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Warm {
    fn ended(&self) -> wasmtime::Error {
        match self.fault.get() {
            Some(fault) => format_err!("{fault}"),
            None => format_err!("its warm instance was ended"),
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let left = self.warm.in_flight.fetch_sub(1, Ordering::Relaxed).saturating_sub(1);
        let worn_out = left == 0 && self.warm.served.load(Ordering::Relaxed) >= self.pool.limits.calls;
        // An instance in which a call was abandoned may be stuck in it: nobody else should wait there.
        if !self.answered || worn_out {
            self.pool.lock().retain(|warm| !Arc::ptr_eq(warm, &self.warm));
        }
    }
}

/// Serves requests in one instance until nobody can send any, or one traps.
async fn serve(unit: &Unit, mut requests: mpsc::UnboundedReceiver<Request>) -> wasmtime::Result<()> {
    let mut store = unit.store()?;
    let instance = unit.pre.instantiate_async(&mut store).await?;
    let served = store.run_concurrent(async move |accessor| {
        let mut calls = FuturesUnordered::new();
        loop {
            tokio::select! {
                request = requests.recv() => match request {
                    Some(Request { call, reply }) => calls.push(call.run(accessor, instance, reply)),
                    None => return Ok(()),
                },
                Some(ended) = calls.next() => ended?,
            }
        }
    });
    served
        .await
        .flatten()
        .map_err(|error| match store.data().limits.refusal() {
            Some(refusal) => error.context(refusal),
            None => error,
        })
}
