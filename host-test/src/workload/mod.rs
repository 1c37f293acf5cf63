//! A workload: a service, the components that it calls, and the life of both.
//!
//! What goes in: [`spec`] (what a workload is made of), [`options`] (how to run it here), [`egress`] (where it may
//! connect). What comes out: [`status`], and output by [`stdio`].
//!
//! From one to the other:
//! - `engine`, `image`, `wasi`: Wasmtime for the whole process, compiled components, the host's own interfaces
//! - `prepare`, `link`, `signature`, `unit`: everything compiled, linked and checked before anything runs
//! - `call`, `job`, `pool`: a call from one component into another, in a fresh or a warm instance
//! - [`export`]: the same call, from outside of any guest
//! - `handles`, `streams`, `resources`: what a call passes besides plain values
//! - `state`, `limits`, `volumes`, `sockets`, `http_egress`: what a guest has and what it may do
//! - `life`, `service`, `restart`, `http`, `live`, `task`, `ticker`: a thread that runs it all until the end
//! - `explain`, `fault`: what does not link and what failed, in words

mod call;
pub mod egress;
mod engine;
mod explain;
pub mod export;
mod fault;
mod handles;
mod http;
mod http_egress;
mod image;
mod job;
mod life;
mod limits;
mod link;
mod live;
pub mod options;
mod pool;
mod prepare;
mod resources;
mod restart;
mod service;
mod signature;
mod sockets;
pub mod spec;
mod state;
pub mod status;
pub mod stdio;
mod streams;
mod task;
mod ticker;
mod unit;
mod volumes;
mod wasi;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};

pub use call::Deadlines;
pub use engine::Host;
pub(crate) use explain::SERVED;
pub use options::Options;
pub use restart::RestartPolicy;
pub use spec::Spec;
pub use status::{Phase, Status};
pub use ticker::TIME_SLICE;

use export::Export;
use life::Reporter;
use link::Linked;
use restart::Budget;
use stdio::{Captured, Stdio};

/// A workload that was started. Dropping it stops it.
pub struct Workload {
    status: watch::Receiver<Status>,
    changes: Option<mpsc::UnboundedReceiver<Status>>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    caller: Arc<call::Caller>,
    components: Vec<Linked>,
    http: Option<SocketAddr>,
    loopback: Ipv4Addr,
    stdio: Stdio,
}

impl Workload {
    /// Compiles and links a workload, and starts it. Takes as long as compiling does.
    ///
    /// # Errors
    /// Whatever keeps it from starting: an image that is missing or no component, an import that nobody exports, a
    /// volume that does not exist, an HTTP address that is taken. Nothing has run then.
    pub fn start(host: &Host, spec: &Spec, options: &Options) -> anyhow::Result<Self> {
        let mut prepared = prepare::prepare(host, spec, options)?;
        let listener = options
            .http
            .filter(|_| prepared.handler.is_some())
            .map(bind)
            .transpose()?;
        let http = listener.as_ref().map(TcpListener::local_addr).transpose()?;
        let (stop, on_stop) = watch::channel(false);
        let (current, status) = watch::channel(Status::starting(&spec.name));
        let (changes, on_change) = mpsc::unbounded_channel();
        let caller = Arc::clone(&prepared.caller);
        let components = std::mem::take(&mut prepared.linked);
        let (loopback, stdio) = (prepared.loopback.address(), prepared.stdio.clone());
        let reporter = Reporter {
            current,
            changes,
            caller: Arc::clone(&caller),
        };
        let max_restarts = spec.service.as_ref().map_or(0, |service| service.max_restarts);
        let budget = Budget::new(options.restart.clone(), max_restarts);
        let thread = std::thread::Builder::new()
            .name(format!("workload {}", spec.name))
            .spawn(move || life::run(prepared, listener, budget, &reporter, on_stop))
            .context("starting the workload's thread")?;
        Ok(Self {
            status,
            changes: Some(on_change),
            stop,
            thread: Some(thread),
            caller,
            components,
            http,
            loopback,
            stdio,
        })
    }

    /// How it is now.
    #[must_use]
    pub fn status(&self) -> Status {
        let mut status = self.status.borrow().clone();
        status.calls = self.caller.counts.read();
        status
    }

    /// Every status that it has had since its start and will have, the first time this is called. Ends after the
    /// [final](Status::is_final) one.
    pub fn changes(&mut self) -> Option<mpsc::UnboundedReceiver<Status>> {
        self.changes.take()
    }

    /// Its status as it changes, without those that were over before they could be seen.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Waits until nothing will happen any more.
    pub async fn ended(&self) -> Status {
        // The sender is dropped only after a final status.
        let _ = self.status.clone().wait_for(Status::is_final).await;
        self.status()
    }

    /// Ends the service and all calls, and waits until that is done: its loopback ports are free, its ephemeral volumes
    /// gone.
    pub async fn stop(mut self) -> Status {
        let status = self.stop_and_wait().await;
        if let Some(thread) = self.thread.take() {
            let _ = tokio::task::spawn_blocking(|| thread.join()).await;
        }
        status
    }

    async fn stop_and_wait(&self) -> Status {
        self.stop.send_replace(true);
        self.ended().await
    }

    /// A function that one of its components exports, to be called from here.
    ///
    /// # Errors
    /// No component exports it, or it is none that can be called from outside.
    pub fn export(&self, interface: &str, function: &str) -> anyhow::Result<Export> {
        Export::find(&self.caller, &self.components, interface, function)
    }

    /// Where HTTP is served, if it was asked for and the service or a component exports a handler.
    #[must_use]
    pub fn http(&self) -> Option<SocketAddr> {
        self.http
    }

    /// The machine's address of what the workload's guests call `127.0.0.1`.
    #[must_use]
    pub fn loopback(&self) -> Ipv4Addr {
        self.loopback
    }

    /// What its components wrote to standard output, if it is captured.
    #[must_use]
    pub fn stdout(&self) -> Option<&Captured> {
        self.stdio.stdout()
    }

    /// What its components wrote to standard error, if it is captured.
    #[must_use]
    pub fn stderr(&self) -> Option<&Captured> {
        self.stdio.stderr()
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).with_context(|| format!("serving HTTP on {address}"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
