//! What a store holds: the context of the component that is running, and of those that it called synchronously.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use wasmtime::component::{Instance, ResourceTable};
use wasmtime::format_err;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::http_egress::Egress;
use super::limits::Limits;
use super::sockets::Network;

/// The data of every store.
pub(super) struct State {
    /// Whose calls to the host are being served. A synchronous call into another component puts that one's context
    /// here while it lasts.
    pub(super) active: Context,
    /// Components that were instantiated in this store because a synchronous call needed them.
    pub(super) linked: HashMap<u32, LinkedInstance>,
    pub(super) limits: Limits,
    pub(super) table: ResourceTable,
}

/// A component in another one's store.
pub(super) struct LinkedInstance {
    pub(super) instance: Instance,
    /// Its own context, or its caller's while the call lasts.
    pub(super) context: Context,
}

/// What one component sees of the host.
pub(super) struct Context {
    pub(super) wasi: WasiCtx,
    pub(super) network: Arc<Network>,
    pub(super) config: Arc<BTreeMap<String, String>>,
    pub(super) http: WasiHttpCtx,
    pub(super) egress: Egress,
}

impl State {
    pub(super) fn new(active: Context, memory_limit: u64) -> Self {
        Self {
            active,
            linked: HashMap::new(),
            limits: Limits::new(memory_limit),
            table: ResourceTable::new(),
        }
    }
}

impl State {
    /// Makes a linked component the active one, or the one before it again.
    pub(super) fn exchange_context(&mut self, id: u32) -> wasmtime::Result<Instance> {
        let linked = self
            .linked
            .get_mut(&id)
            .ok_or_else(|| format_err!("a linked component is gone"))?;
        std::mem::swap(&mut self.active, &mut linked.context);
        Ok(linked.instance)
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.active.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.active.egress,
            table: &mut self.table,
            ctx: &mut self.active.http,
        }
    }
}
