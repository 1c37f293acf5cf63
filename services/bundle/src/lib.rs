//! Several services in the one slot that a workload has.
//!
//! Each is as it is alone: its settings, its callbacks, its ports. They share the event loop, the log, the metrics and the
//! health pages, which are ready when all are. `MAINSTAY_SERVICES` says which run.
//!
//! - [`Service`]: those there are
//! - [`services`]: which of them run
//! - `start`: the start of all
//!
//! The MCP service is not among them: it exports a handler of HTTP, so it may not block while it waits, which costs the
//! others their rest.

#[cfg(target_family = "wasm")]
pub mod start;

use mainstay_runtime::config::{ConfigError, Settings};

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
    /// All.
    pub const ALL: [Self; 4] = [Self::Cron, Self::Nats, Self::Otel, Self::Pool];

    /// Its name, in `MAINSTAY_SERVICES` too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cron => "cron",
            Self::Nats => "nats",
            Self::Otel => "otel",
            Self::Pool => "pool",
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
    let known = Service::ALL.map(|service| (service.name(), service));
    let mut services = Vec::new();
    for value in list.list()? {
        let service = value.one_of(&known)?;
        if services.contains(&service) {
            return Err(value.error("named twice"));
        }
        services.push(service);
    }
    if services.is_empty() {
        let known = Service::ALL.map(Service::name).join(", ");
        return Err(list.error(format!("names no service, must name some of {known}")));
    }
    Ok(services)
}
