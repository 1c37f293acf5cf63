//! A call of an async function, as data that can go to another task and another store.

use std::time::Duration;

use tokio::sync::oneshot;
use wasmtime::component::{Accessor, ComponentExportIndex, Instance, Val};
use wasmtime::{AsContextMut as _, format_err};

use super::state::State;
use super::streams::{self, Pipe};

/// What to call.
pub(super) struct Call {
    pub(super) function: ComponentExportIndex,
    pub(super) values: Values,
    /// How many results there will be.
    pub(super) results: usize,
    /// How long the callee may go on feeding the streams of its answer.
    pub(super) stream_deadline: Duration,
}

/// Parameters or results on the way between stores.
#[derive(Default)]
pub(super) struct Values {
    pub(super) values: Vec<Val>,
    /// The bytes of the streams among the values, in order.
    pub(super) pipes: Vec<Pipe>,
}

/// Where the answer goes.
pub(super) type Reply = oneshot::Sender<wasmtime::Result<Values>>;

impl Call {
    /// Makes the call in an instance, sends the answer, and goes on until its streams have been fed.
    ///
    /// # Errors
    /// A trap, after which the instance is of no use. `reply` is dropped then.
    pub(super) async fn run(
        self,
        accessor: &Accessor<State>,
        instance: Instance,
        reply: Reply,
    ) -> wasmtime::Result<()> {
        let Values {
            values: mut parameters,
            pipes,
        } = self.values;
        let function = accessor.with(|mut access| {
            streams::put(&mut access.as_context_mut(), &mut parameters, pipes)?;
            let function = instance.get_func(&mut access, self.function);
            function.ok_or_else(|| format_err!("no such export"))
        })?;
        let mut values = vec![Val::Bool(false); self.results];
        function.call_concurrent(accessor, &parameters, &mut values).await?;
        let pipes = accessor.with(|mut access| streams::take(&mut access.as_context_mut(), &mut values))?;
        let fed = streams::all_fed(&pipes);
        // A caller that is gone does not need its answer.
        if reply.send(Ok(Values { values, pipes })).is_ok() {
            let _ = tokio::time::timeout(self.stream_deadline, fed).await;
        }
        Ok(())
    }
}
