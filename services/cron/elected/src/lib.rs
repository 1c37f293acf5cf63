//! The cron service for several replicas, of which one runs the jobs: elected by a lease in a bucket of NATS.
//!
//! It is the cron service (`mainstay-cron`) in all else, and exactly that without `CRON_ELECTION`. The lease itself is the
//! core crate's (`mainstay_cron_core::lease`), the connection that of all services (`mainstay-nats-link`).
//!
//! - [`config`]: settings of the election
//! - [`election`]: looks at the lease, and takes it if it is nobody's or up
//! - [`term`]: the time during which this replica leads: it writes the lease, and the state with it
//! - `report`: what happens to the connection and to the lease, in the log, in metrics and on the health pages

pub mod config;
pub mod election;
mod report;
pub mod term;

use mainstay_cron::component::Component;
use mainstay_cron::config::Configuration;
use mainstay_cron::service::serve_elected;
use mainstay_runtime::{Context, Error};

use election::NatsElection;

/// Runs the service for as long as it lives.
///
/// # Errors
/// A setting is wrong, or the state folder cannot be used.
pub async fn start<C: Component>(context: Context, component: C) -> Result<(), Error> {
    let (configuration, election) = Configuration::read_with(config::Election::read)?;
    let (configuration, election) = config::join(configuration, election)?;
    let election = election.map(|settings| NatsElection::new(&context, settings));
    serve_elected(context, configuration, component, election).await
}
