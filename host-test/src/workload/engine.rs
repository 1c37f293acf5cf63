//! One Wasmtime engine for all workloads of a process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::Semaphore;
use wasmtime::component::Linker;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::image;
use super::state::State;
use super::ticker::Ticker;
use super::wasi;

/// How many instances the process can hold at a time, over all workloads.
const MAX_INSTANCES: u32 = 1_000;

/// How many of them calls by services may take. The rest is for what those call in turn, for warm instances and for
/// HTTP requests, so that callers never wait for their callees' room.
const CALLS_BY_SERVICES: usize = 500;

/// Bytes of a slot that are cleared by writing zeros instead of by a system call when its instance ends.
const KEEP_RESIDENT: usize = 128 << 10;

/// Bytes of address space for a memory, and for the guard behind it, where address space is scarce.
const SMALL_RESERVATION: u64 = 16 << 20;
const SMALL_GUARD: u64 = 64 << 10;

/// What the workloads of a process share: the engine, the host's own interfaces, the compile cache.
#[derive(Clone)]
pub struct Host {
    engine: Engine,
    interfaces: Arc<Linker<State>>,
    ticker: Arc<Ticker>,
    slots: Arc<Semaphore>,
    cache: Option<PathBuf>,
}

impl Host {
    /// A host that keeps compiled components in `cache`, or nowhere.
    ///
    /// # Errors
    /// If this machine cannot run Wasmtime.
    pub fn new(cache: Option<&Path>) -> anyhow::Result<Self> {
        let engine = pooling().or_else(|_| on_demand()).context("starting Wasmtime")?;
        let ticker = Ticker::start(&engine).context("starting the thread that interrupts guests")?;
        let interfaces = Arc::new(wasi::interfaces(&engine).map_err(anyhow::Error::from)?);
        Ok(Self {
            engine,
            interfaces,
            ticker: Arc::new(ticker),
            slots: Arc::new(Semaphore::new(CALLS_BY_SERVICES)),
            cache: cache.map(Path::to_owned),
        })
    }

    /// Compiles a component ahead of its first start, or finds it compiled.
    ///
    /// # Errors
    /// If the file cannot be read or is not a component; the error names it.
    pub fn compile(&self, image: &Path) -> anyhow::Result<wasmtime::component::Component> {
        image::load(&self.engine, self.cache.as_deref(), image)
    }

    /// Threads that run guests tell when they sleep.
    pub(super) fn ticker(&self) -> &Arc<Ticker> {
        &self.ticker
    }

    /// One for each fresh instance that a call by a service may have. Others wait, rather than fail for want of room.
    pub(super) fn slots(&self) -> &Arc<Semaphore> {
        &self.slots
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// WASI and the other interfaces that the host itself offers.
    pub(super) fn interfaces(&self) -> &Linker<State> {
        &self.interfaces
    }
}

fn config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    config.wasm_component_model_async_stackful(true);
    config.epoch_interruption(true);
    config.wasm_backtrace_max_frames(std::num::NonZeroUsize::new(16));
    config
}

/// Instances in prepared slots: a fresh instance costs microseconds instead of hundreds of them.
fn pooling() -> anyhow::Result<Engine> {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(MAX_INSTANCES)
        .total_core_instances(8 * MAX_INSTANCES)
        .total_memories(2 * MAX_INSTANCES)
        .total_tables(4 * MAX_INSTANCES)
        .total_stacks(2 * MAX_INSTANCES)
        .max_memories_per_module(2)
        .max_tables_per_module(4)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        .async_stack_keep_resident(KEEP_RESIDENT)
        // Linux 6.7 tells which pages a guest wrote, so that only those are cleared: a third less for a fresh instance.
        .pagemap_scan(Enabled::Auto);
    let mut config = config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Ok(Engine::new(&config)?)
}

/// For machines that do not let a process reserve the address space of the pool, nor 4 GiB for each memory.
fn on_demand() -> anyhow::Result<Engine> {
    let mut config = config();
    config
        .memory_reservation(SMALL_RESERVATION)
        .memory_guard_size(SMALL_GUARD);
    Ok(Engine::new(&config)?)
}
