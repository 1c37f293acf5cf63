//! Running a service: from `wasi:cli/run` to its own code, and its end back to the host.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;

use crate::config::ConfigError;
use crate::event_loop::{self, Waiting};
use crate::health::{self, Health};
use crate::log;
use crate::metrics::Registry;
use crate::net;

/// What a service is given. Cloning shares all of it.
#[derive(Clone, Debug)]
pub struct Context {
    /// The service's name, as logs, metrics and health pages show it.
    pub name: &'static str,
    /// Whether the service is ready; not before it says so.
    pub health: Health,
    /// The service's metrics, the event loop's among them.
    pub metrics: Registry,
    /// For one of several services in a component.
    whole: Option<Rc<Whole>>,
}

/// What several services in one component have together.
#[derive(Debug)]
struct Whole {
    context: Context,
    /// Where its pages are served.
    pages: RefCell<BTreeSet<SocketAddr>>,
}

impl Context {
    /// A context of its own: what [`run`] makes for a service, and what a native test makes for what it tests.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            health: Health::default(),
            metrics: Registry::default(),
            whole: None,
        }
    }

    /// Contexts for several services in one component: each has a readiness of its own, which is part of the whole's;
    /// metrics and pages are the whole's, served wherever one of them wants its own.
    pub fn parts(&self, names: impl IntoIterator<Item = &'static str>) -> Vec<Self> {
        let whole = Rc::new(Whole {
            context: self.clone(),
            pages: RefCell::default(),
        });
        let part = |name| Self {
            name,
            health: self.health.part(name),
            metrics: self.metrics.clone(),
            whole: Some(Rc::clone(&whole)),
        };
        names.into_iter().map(part).collect()
    }

    /// Serves `/healthz`, `/readyz` and `/metrics` from now on, by a local task; nowhere if there is no address, as
    /// [`health::address`] reads it. A port in use, as an earlier life of the service may leave it, is tried again.
    pub fn serve_health(&self, address: Option<SocketAddr>) {
        let Some(address) = address else { return };
        let context = match &self.whole {
            None => self.clone(),
            Some(whole) if whole.pages.borrow_mut().insert(address) => whole.context.clone(),
            Some(_) => return,
        };
        health::serve(context, address);
    }
}

/// Why a service ended. Services end for two reasons only: their configuration is wrong, or they cannot begin.
/// Everything else is tried again, see [`crate::supervise`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A wrong setting.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Something that a start cannot do without.
    #[error("{0}")]
    Start(String),
}

impl Error {
    /// An error that ends the service, told in one line: `what` was tried, the value, the rule, the way out.
    pub fn start(what: impl fmt::Display) -> Self {
        Self::Start(what.to_string())
    }
}

/// What may differ from one service to the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Where the event loop waits.
    pub waiting: Waiting,
}

/// Runs a service until it ends: what the `run` of `wasi:cli/run@0.3.0` returns.
///
/// Sets up logging from the environment, then runs `main` and the local tasks it spawns. An error is logged, once and
/// in one line; for a host to start the service again, `run` then returns `Err`.
pub async fn run<M, E>(name: &'static str, main: M) -> Result<(), ()>
where
    M: AsyncFnOnce(Context) -> Result<(), E> + 'static,
    E: fmt::Display + 'static,
{
    run_with(Options::default(), name, main).await
}

/// [`run`] with [`Options`].
pub async fn run_with<M, E>(options: Options, name: &'static str, main: M) -> Result<(), ()>
where
    M: AsyncFnOnce(Context) -> Result<(), E> + 'static,
    E: fmt::Display + 'static,
{
    let log_settings = log::Settings::from_environment(|key| std::env::var(key).ok());
    log_settings
        .as_ref()
        .map_or_else(|_| log::init(&log::Settings::default()), log::init);
    if let Err(error) = log_settings {
        tracing::error!(service = name, "{error}");
        return Err(());
    }
    let context = Context::new(name);
    let metrics = context.metrics.clone();
    let service = service(context, main);
    match event_loop::drive(options.waiting, &metrics, service).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(message)) => {
            tracing::error!(service = name, "{message}");
            Err(())
        }
        Err(error) => {
            tracing::error!(service = name, "the event loop did not start: {error}");
            Err(())
        }
    }
}

/// Makes a crate the component of a service: it exports `wasi:cli/run`, and runs what starts the service by that name.
///
/// For a crate that no other uses, since whatever it is linked into has its exports too. Nothing on a native target.
#[macro_export]
macro_rules! component {
    ($name:literal, $start:expr) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Service;

            $crate::wasip3::cli::command::export!(Service);

            impl $crate::wasip3::exports::cli::run::Guest for Service {
                async fn run() -> Result<(), ()> {
                    $crate::run($name, $start).await
                }
            }
        };
    };
}

async fn service<M, E>(context: Context, main: M) -> Result<(), String>
where
    M: AsyncFnOnce(Context) -> Result<(), E>,
    E: fmt::Display,
{
    net::linger::start(&context.metrics);
    main(context).await.map_err(|error| error.to_string())
}
