//! The start of all, which only a component can make: what they call are its imports.

use mainstay_runtime::config::Settings;
use mainstay_runtime::{Context, Error};
use tokio::task::JoinSet;

use crate::{Service, services};

/// Runs the services until all have ended, or one could not begin: then none goes on.
///
/// # Errors
/// A setting is wrong, or a service could not begin.
pub async fn all(context: Context) -> Result<(), Error> {
    let services = Settings::read("MAINSTAY_", services)?;
    let parts = context.parts(services.iter().map(|service| service.name()));
    let mut running = JoinSet::new();
    for (service, part) in services.into_iter().zip(parts) {
        running.spawn_local(one(service, part));
    }
    while let Some(ended) = running.join_next().await {
        ended.map_err(Error::start)??;
    }
    Ok(())
}

async fn one(service: Service, context: Context) -> Result<(), Error> {
    match service {
        Service::Cron => mainstay_cron::service::start(context, mainstay_cron::component::Imported).await,
        Service::Nats => mainstay_nats::service::start(context, mainstay_nats::component::Imported).await,
        Service::Otel => mainstay_otel::service::start(context, mainstay_otel::component::Imported).await,
        Service::Pool => mainstay_pool::service::start(context, mainstay_pool::component::Imported).await,
    }
}
