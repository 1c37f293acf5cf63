//! A component's function, called from outside of any guest: what a native provider in this host would do.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use wasmtime::component::Val;
use wasmtime::component::types::ComponentItem;

use super::call::{Caller, Target};
use super::link::Linked;
use super::signature::{self, Handles};

/// An `async func` that a component of a workload exports. Cloning is cheap.
#[derive(Clone)]
pub struct Export {
    target: Arc<Target>,
    results: usize,
}

impl Export {
    pub(super) fn find(
        caller: &Arc<Caller>,
        components: &[Linked],
        interface: &str,
        name: &str,
    ) -> anyhow::Result<Self> {
        let found = components.iter().find_map(|linked| {
            let component = linked.unit.pre.component();
            let (_, instance) = component.get_export(None, interface)?;
            let (item, function) = component.get_export(Some(&instance), name)?;
            Some((linked, item, function))
        });
        let (linked, item, function) = found.with_context(|| format!("no component exports {interface}.{name}"))?;
        let ComponentItem::ComponentFunc(signature) = item else {
            bail!("{interface}.{name} is no function");
        };
        if !signature.async_() || signature::handles(&signature) != Handles::None {
            bail!("{interface}.{name} is not an async function of plain values");
        }
        let target = Target {
            caller: Arc::clone(caller),
            callee: Arc::clone(&linked.unit),
            pool: linked.pool.clone(),
            function,
            by_service: true,
            handles: Handles::None,
            resources: Arc::new([]),
            name: format!("{interface}.{name}"),
        };
        Ok(Self {
            target: Arc::new(target),
            results: signature.results().len(),
        })
    }

    /// Calls it as the workload's service would, in a fresh or a warm instance. The instance runs on the tokio runtime
    /// that this is first awaited on, not on the workload's thread.
    ///
    /// # Errors
    /// The callee trapped, or did not answer within the deadline.
    pub async fn call(&self, parameters: Vec<Val>) -> anyhow::Result<Vec<Val>> {
        Ok(self.target.call_plain(parameters, self.results).await?)
    }
}
