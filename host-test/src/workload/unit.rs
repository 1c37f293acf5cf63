//! One component of a workload, compiled, linked and ready to be instantiated.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::component::InstancePre;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};
use wasmtime_wasi_http::WasiHttpCtx;

use super::http_egress::Egress;
use super::sockets::{Network, Role};
use super::state::{Context, State};
use super::stdio::Stdio;
use super::volumes::Preopen;

/// One component of a workload.
pub(super) struct Unit {
    /// Distinguishes the components of a workload.
    pub(super) id: u32,
    /// Its name in messages.
    pub(super) name: Arc<str>,
    pub(super) pre: InstancePre<State>,
    pub(super) recipe: Recipe,
}

/// What it takes to make the [`Context`] of a new instance.
pub(super) struct Recipe {
    pub(super) environment: Vec<(String, String)>,
    pub(super) arguments: Vec<String>,
    pub(super) preopens: Vec<Preopen>,
    pub(super) config: Arc<BTreeMap<String, String>>,
    pub(super) network: Arc<Network>,
    pub(super) stdio: Stdio,
    pub(super) memory_limit: u64,
}

impl Unit {
    /// A store for a new instance.
    pub(super) fn store(&self) -> wasmtime::Result<Store<State>> {
        let state = State::new(self.recipe.context()?, self.recipe.memory_limit);
        let mut store = Store::new(self.pre.engine(), state);
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(1);
        // tokio's own yield: a guest in a busy loop is taken up again only after timers and sockets were looked at.
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))));
        Ok(store)
    }
}

impl Recipe {
    pub(super) fn context(&self) -> wasmtime::Result<Context> {
        Ok(Context {
            wasi: self.wasi()?,
            network: Arc::clone(&self.network),
            config: Arc::clone(&self.config),
            http: WasiHttpCtx::new(),
            egress: Egress(Arc::clone(&self.network.allowed_hosts)),
        })
    }

    fn wasi(&self) -> wasmtime::Result<WasiCtx> {
        let mut builder = WasiCtxBuilder::new();
        builder.envs(&self.environment).args(&self.arguments);
        self.stdio.apply(&mut builder, self.network.role == Role::Service);
        for preopen in &self.preopens {
            builder.preopened_dir(&preopen.directory, &preopen.path, preopen.permissions)?;
        }
        let network = Arc::clone(&self.network);
        builder
            .allow_ip_name_lookup(true)
            .allow_tcp(true)
            .allow_udp(true)
            .socket_addr_check(move |address, usage| {
                let permitted = network.permits(address, usage);
                Box::pin(async move { permitted })
            });
        Ok(builder.build())
    }
}
