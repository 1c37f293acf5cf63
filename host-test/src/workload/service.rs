//! One run of a service, from a new store to its end.

use anyhow::{Context as _, bail};
use wasmtime::Store;
use wasmtime::component::Component;
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings as p2;
use wasmtime_wasi::p3::bindings as p3;
use wasmtime_wasi_http::handler::Proxy;
use wasmtime_wasi_http::p3::bindings as p3_http;

use super::fault;
use super::live::{self, Inbox, Requests};
use super::state::State;
use super::unit::Unit;
use std::sync::Arc;

/// A service that can be run, any number of times.
pub(super) struct Service {
    unit: Arc<Unit>,
    command: Command,
}

/// The generations of `wasi:cli/run`.
enum Command {
    /// `@0.2`: a blocking function.
    P2(p2::CommandPre<State>),
    /// `@0.3`: an async function.
    P3(p3::CommandPre<State>),
    /// `@0.3`, beside `wasi:http/handler@0.3`: both on one instance.
    Serving(Inbox),
}

impl Service {
    /// The service, and where it takes HTTP requests if it answers such.
    pub(super) fn new(component: &Component, unit: Arc<Unit>) -> anyhow::Result<(Self, Option<Requests>)> {
        let exports = component.component_type();
        let exports_any = |prefix: &str| {
            let mut names = exports.exports(component.engine());
            names.any(|(name, _)| name.starts_with(prefix))
        };
        let exports_run = |version: &str| exports_any(&format!("wasi:cli/run{version}"));
        let mut requests = None;
        let command = if exports_run("@0.3.") && exports_any("wasi:http/handler@0.3.") {
            let (sender, inbox) = live::channel();
            requests = Some(sender);
            Command::Serving(inbox)
        } else if exports_run("@0.3.") {
            Command::P3(p3::CommandPre::new(unit.pre.clone()).map_err(anyhow::Error::from)?)
        } else if exports_run("@0.2.") {
            Command::P2(p2::CommandPre::new(unit.pre.clone()).map_err(anyhow::Error::from)?)
        } else {
            bail!(
                "service \"{}\" does not export wasi:cli/run@0.3.0 or @0.2.x: it cannot be run",
                unit.name
            );
        };
        Ok((Self { unit, command }, requests))
    }

    /// The component that it is.
    pub(super) fn unit(&self) -> &Arc<Unit> {
        &self.unit
    }

    /// Runs the service to its end.
    ///
    /// # Errors
    /// Why it failed: a trap of its own or of a callee, an exit code, an `err`.
    pub(super) async fn run(&self) -> anyhow::Result<()> {
        let mut store = self
            .unit
            .store()
            .map_err(anyhow::Error::from)
            .context("preparing the service")?;
        let ended = match &self.command {
            Command::P2(command) => match command.instantiate_async(&mut store).await {
                Ok(instance) => instance.wasi_cli_run().call_run(&mut store).await,
                Err(error) => Err(error),
            },
            Command::P3(command) => match command.instantiate_async(&mut store).await {
                Ok(instance) => {
                    let run = store.run_concurrent(async |accessor| instance.wasi_cli_run().call_run(accessor).await);
                    run.await.flatten()
                }
                Err(error) => Err(error),
            },
            Command::Serving(inbox) => self.run_serving(&mut store, inbox).await,
        };
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(())) => bail!("its run function returned an error"),
            Err(error) if matches!(error.downcast_ref(), Some(I32Exit(0))) => Ok(()),
            Err(error) => {
                tracing::debug!("service \"{}\": {error:?}", self.unit.name);
                match store.data().limits.refusal() {
                    Some(refusal) => bail!("{refusal}: {}", fault::in_words(&error)),
                    None => bail!("{}", fault::in_words(&error)),
                }
            }
        }
    }

    /// Runs the service and answers requests, on one instance, until `run` ends.
    async fn run_serving(&self, store: &mut Store<State>, inbox: &Inbox) -> wasmtime::Result<Result<(), ()>> {
        let instance = self.unit.pre.instantiate_async(&mut *store).await?;
        let command = p3::Command::new(&mut *store, &instance)?;
        let proxy = Proxy::P3(p3_http::Service::new(&mut *store, &instance)?);
        let (command, proxy) = (&command, &proxy);
        let ended = store.run_concurrent(async move |accessor| {
            tokio::select! {
                biased;
                ended = command.wasi_cli_run().call_run(accessor) => ended,
                failed = live::serve(accessor, proxy, inbox) => failed.map(|()| Ok(())),
            }
        });
        ended.await.flatten()
    }
}
