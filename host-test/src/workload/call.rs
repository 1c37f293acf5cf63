//! A call from one component into another.
//!
//! What a guest can tell is as in wash: an async function runs in an instance of its own (or a warm one) and overlaps
//! with others; a sync function runs in the caller's store, where the callee keeps its state, and blocks the caller. A
//! call that traps or passes its deadline is an error of the host function, which traps the caller.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use wasmtime::component::{ComponentExportIndex, Instance, LinkerInstance, Val};
use wasmtime::{AsContextMut as _, StoreContextMut, format_err};

use super::Host;
use super::fault;
use super::job::{Call, Reply, Values};
use super::pool::Pool;
use super::resources::{self, Defined};
use super::signature::Handles;
use super::state::{LinkedInstance, State};
use super::status::CallCounts;
use super::streams;
use super::task;
use super::unit::Unit;

/// How long calls may take.
#[derive(Debug, Clone)]
pub struct Deadlines {
    /// Of an async function: 10 minutes, as wash has it.
    pub concurrent: Duration,
    /// Of a sync function, which holds up its caller: 30 seconds, as wash has it.
    pub blocking: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            concurrent: Duration::from_secs(600),
            blocking: Duration::from_secs(30),
        }
    }
}

/// What all calls of a workload share.
pub(super) struct Caller {
    pub(super) host: Host,
    pub(super) deadlines: Deadlines,
    pub(super) counts: CallCounts,
}

/// A function of a component that others import.
pub(super) struct Target {
    pub(super) caller: Arc<Caller>,
    pub(super) callee: Arc<Unit>,
    pub(super) pool: Option<Arc<Pool>>,
    pub(super) function: ComponentExportIndex,
    /// Whether the service is the one who calls.
    pub(super) by_service: bool,
    /// What parameters and results carry besides plain values.
    pub(super) handles: Handles,
    /// The resources that the callee exports.
    pub(super) resources: Arc<[ComponentExportIndex]>,
    /// `mainstay:cron/job@0.1.0.run`, for messages.
    pub(super) name: String,
}

impl Target {
    /// Defines an `async func` that calls this.
    pub(super) fn define_concurrent(
        self: Arc<Self>,
        linker: &mut LinkerInstance<'_, State>,
        name: &str,
    ) -> wasmtime::Result<()> {
        linker.func_new_concurrent(name, move |accessor, _type, parameters, results| {
            let target = Arc::clone(&self);
            Box::pin(async move {
                let mut values = parameters.to_vec();
                let pipes = match target.handles == Handles::Streams {
                    true => accessor.with(|mut access| streams::take(&mut access.as_context_mut(), &mut values))?,
                    false => Vec::new(),
                };
                let call = target.call(Values { values, pipes }, results.len());
                let Values { mut values, pipes } = target.counted(call).await?;
                accessor.with(|mut access| streams::put(&mut access.as_context_mut(), &mut values, pipes))?;
                results.iter_mut().zip(values).for_each(|(slot, value)| *slot = value);
                Ok(())
            })
        })
    }

    /// Defines a `func` that calls this.
    pub(super) fn define_blocking(
        self: Arc<Self>,
        linker: &mut LinkerInstance<'_, State>,
        name: &str,
    ) -> wasmtime::Result<()> {
        linker.func_new_async(name, move |store, _type, parameters, results| {
            let target = Arc::clone(&self);
            Box::new(async move { target.counted(target.call_in_place(store, parameters, results)).await })
        })
    }

    /// Calls it with plain values, from outside of any guest.
    pub(super) async fn call_plain(&self, values: Vec<Val>, results: usize) -> wasmtime::Result<Vec<Val>> {
        let values = Values {
            values,
            pipes: Vec::new(),
        };
        Ok(self.counted(self.call(values, results)).await?.values)
    }

    async fn counted<T>(&self, call: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
        self.caller.counts.count(call).await.map_err(|error| {
            let failure = fault::in_words(&error);
            format_err!("{} of component \"{}\" failed: {failure}", self.name, self.callee.name)
        })
    }

    async fn call(&self, values: Values, results: usize) -> wasmtime::Result<Values> {
        let deadline = self.caller.deadlines.concurrent;
        let call = Call {
            function: self.function,
            values,
            results,
            stream_deadline: deadline,
        };
        let answer = tokio::time::timeout(deadline, async {
            let call = match &self.pool {
                Some(pool) => match pool.offer(call).await {
                    Ok(answer) => return answer,
                    Err(declined) => declined,
                },
                None => call,
            };
            self.call_in_fresh_instance(call).await
        });
        answer
            .await
            .unwrap_or_else(|_| Err(format_err!("no answer within {deadline:?}")))
    }

    async fn call_in_fresh_instance(&self, call: Call) -> wasmtime::Result<Values> {
        let (reply, answer) = oneshot::channel();
        let slot = match self.by_service {
            true => Some(Arc::clone(self.caller.host.slots()).acquire_owned().await?),
            false => None,
        };
        let callee = Arc::clone(&self.callee);
        // In a task of its own, because one store's event loop cannot run within another's.
        let instance = task::spawn(async move {
            let ended = in_fresh_instance(&callee, call, reply).await;
            drop(slot);
            ended
        });
        match answer.await {
            Ok(answer) => {
                if self.handles == Handles::Streams {
                    instance.detach();
                }
                answer
            }
            Err(_) => instance
                .await
                .and_then(|()| Err(format_err!("it ended without an answer"))),
        }
    }

    async fn call_in_place(
        &self,
        mut store: StoreContextMut<'_, State>,
        parameters: &[Val],
        results: &mut [Val],
    ) -> wasmtime::Result<()> {
        let id = self.callee.id;
        if !store.data().linked.contains_key(&id) {
            let linked = self.instantiate_in_place(&mut store).await?;
            store.data_mut().linked.insert(id, linked);
        }
        let instance = store.data_mut().exchange_context(id)?;
        let deadline = self.caller.deadlines.blocking;
        let call = self.call_linked(&mut store, instance, parameters, results);
        let call = tokio::time::timeout(deadline, call).await;
        store.data_mut().exchange_context(id)?;
        call.map_err(|_| format_err!("no answer within {deadline:?}"))?
    }

    async fn call_linked(
        &self,
        store: &mut StoreContextMut<'_, State>,
        instance: Instance,
        parameters: &[Val],
        results: &mut [Val],
    ) -> wasmtime::Result<()> {
        let function = instance
            .get_func(&mut *store, self.function)
            .ok_or_else(|| format_err!("no such export"))?;
        if self.handles < Handles::Resources {
            return function.call_async(store, parameters, results).await;
        }
        let defined = Defined::by(store, self.callee.id, &instance, &self.resources);
        let mut parameters = parameters.to_vec();
        let lent = resources::lent_of_the_host(&mut parameters)?;
        defined.unwrap(store, &mut parameters)?;
        let called = function.call_async(&mut *store, &parameters, results).await;
        for handle in lent {
            // What was lent for the call has to be given back before it ends.
            handle.resource_drop_async(&mut *store).await?;
        }
        called?;
        defined.wrap(store, results)
    }

    async fn instantiate_in_place(&self, store: &mut StoreContextMut<'_, State>) -> wasmtime::Result<LinkedInstance> {
        let context = self.callee.recipe.context()?;
        let caller = std::mem::replace(&mut store.data_mut().active, context);
        let instance = self.callee.pre.instantiate_async(&mut *store).await;
        let context = std::mem::replace(&mut store.data_mut().active, caller);
        Ok(LinkedInstance {
            instance: instance?,
            context,
        })
    }
}

/// One call in an instance made for it.
async fn in_fresh_instance(callee: &Unit, call: Call, reply: Reply) -> wasmtime::Result<()> {
    let mut store = callee.store()?;
    let instance = callee.pre.instantiate_async(&mut store).await?;
    let ended = store
        .run_concurrent(async move |accessor| call.run(accessor, instance, reply).await)
        .await
        .flatten();
    ended.map_err(|error| match store.data().limits.refusal() {
        Some(refusal) => error.context(refusal),
        None => error,
    })
}
