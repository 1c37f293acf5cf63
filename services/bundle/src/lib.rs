//! Several services in the one slot that a workload has.
//!
//! Each is as it is alone: its settings, its callbacks, its ports. They share the event loop, the log, the metrics and the
//! health pages, which are ready when all are. `MAINSTAY_SERVICES` says which run.
//!
//! - [`Service`]: those there are
//! - [`start`]: the start of all
//!
//! The component itself is the last few lines. The MCP service is not among them: it exports a handler of HTTP, so it may
//! not block while it waits, which costs the others their rest.

use mainstay_runtime::config::{ConfigError, Settings};
use mainstay_runtime::{Context, Error};
use tokio::task::JoinSet;

/// A service of the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// `mainstay-cron`
    Cron,
    /// `mainstay-nats`
    Nats,
    /// `mainstay-otel`
    Otel,
    /// `mainstay-pool`
    Pool,
}

impl Service {
    /// All, by the names that `MAINSTAY_SERVICES` has for them.
    pub const NAMES: [(&str, Self); 4] = [
        ("cron", Self::Cron),
        ("nats", Self::Nats),
        ("otel", Self::Otel),
        ("pool", Self::Pool),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cron => "cron",
            Self::Nats => "nats",
            Self::Otel => "otel",
            Self::Pool => "pool",
        }
    }

    #[cfg(target_family = "wasm")]
    async fn start(self, context: Context) -> Result<(), Error> {
        match self {
            Self::Cron => mainstay_cron::service::start(context, mainstay_cron::component::Imported).await,
            Self::Nats => mainstay_nats::service::start(context, mainstay_nats::component::Imported).await,
            Self::Otel => mainstay_otel::service::start(context, mainstay_otel::component::Imported).await,
            Self::Pool => mainstay_pool::service::start(context, mainstay_pool::component::Imported).await,
        }
    }
}

/// Which services run: `MAINSTAY_SERVICES`, in the order in which they start.
///
/// # Errors
/// It is not set, names none, one that is not there, or one twice.
pub fn services(settings: &mut Settings) -> Result<Vec<Service>, ConfigError> {
    // The log's settings, which are read before any service is.
    let _ = (settings.value("log"), settings.value("log_format"));
    let list = settings.required("services", "cron,otel")?;
    let mut services = Vec::new();
    for value in list.list()? {
        let service = value.one_of(&Service::NAMES)?;
        if services.contains(&service) {
            return Err(value.error("named twice"));
        }
        services.push(service);
    }
    if services.is_empty() {
        return Err(list.error("names no service, must name some of cron, nats, otel, pool"));
    }
    Ok(services)
}

/// Runs the services until all have ended, or one could not begin.
///
/// # Errors
/// A setting is wrong, or a service cannot begin: then none goes on.
#[cfg(target_family = "wasm")]
pub async fn start(context: Context) -> Result<(), Error> {
    let services = Settings::read("MAINSTAY_", services)?;
    let parts = context.parts(services.iter().map(|service| service.name()));
    let mut running = JoinSet::new();
    for (service, part) in services.into_iter().zip(parts) {
        running.spawn_local(service.start(part));
    }
    while let Some(ended) = running.join_next().await {
        ended.map_err(Error::start)??;
    }
    Ok(())
}

#[cfg(target_family = "wasm")]
mod export {
    struct Bundle;

    wasip3::cli::command::export!(Bundle);

    impl wasip3::exports::cli::run::Guest for Bundle {
        async fn run() -> Result<(), ()> {
            mainstay_runtime::run("bundle", crate::start).await
        }
    }
}
