//! Warm instances of one component.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
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
    instances: Mutex<Instances>,
}

#[derive(Default)]
struct Instances {
    /// Those with room for a call. The one that had a call last goes first: what it needs is still in the caches.
    free: Vec<Arc<Warm>>,
    /// How many there are, those without room among them.
    count: usize,
}

/// A warm instance, from outside. Dropping the last reference ends it.
struct Warm {
    requests: mpsc::UnboundedSender<Request>,
    in_flight: AtomicUsize,
    served: AtomicU64,
    /// It is not counted any more, and gets no calls.
    retired: AtomicBool,
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
            instances: Mutex::default(),
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
        let mut instances = self.lock();
        let warm = loop {
            match instances.free.pop() {
                Some(warm) if warm.requests.is_closed() => instances.retire(&warm),
                Some(warm) => break warm,
                None if instances.count < self.limits.instances => {
                    instances.count += 1;
                    break Arc::new(self.start());
                }
                None => return None,
            }
        };
        let in_flight = warm.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        let served = warm.served.fetch_add(1, Ordering::Relaxed) + 1;
        if in_flight < self.limits.concurrency && served < self.limits.calls {
            instances.free.push(Arc::clone(&warm));
        }
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
            retired: AtomicBool::new(false),
            fault,
            _task: task,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Instances> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Instances {
    fn retire(&mut self, warm: &Arc<Warm>) {
        if !warm.retired.swap(true, Ordering::Relaxed) {
            self.count = self.count.saturating_sub(1);
            self.free.retain(|free| !Arc::ptr_eq(free, warm));
        }
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
        let Self { pool, warm, answered } = self;
        let mut instances = pool.lock();
        let before = warm.in_flight.fetch_sub(1, Ordering::Relaxed);
        let is_spent = warm.served.load(Ordering::Relaxed) >= pool.limits.calls;
        // An instance in which a call was abandoned may be stuck in it: nobody else should wait there.
        if !*answered || warm.requests.is_closed() || (is_spent && before == 1) {
            instances.retire(warm);
        } else if before == pool.limits.concurrency && !is_spent && !warm.retired.load(Ordering::Relaxed) {
            instances.free.push(Arc::clone(warm));
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
