//! Settings: where the servers are and who the service is there, what components may do, which messages call them.
//!
//! - [`Connection`]: servers, credentials, TLS
//! - `endpoint`: the loopback endpoint and its grants
//! - `subscription`: one subscription
//! - `watch`: key-value buckets that the component watches

mod endpoint;
mod subscription;
#[cfg(test)]
mod tests;
mod watch;

use std::net::SocketAddr;

pub use mainstay_nats_link::{Connection, ServerAddress};
use mainstay_runtime::config::{ConfigError, Settings};
use mainstay_runtime::health;

pub use endpoint::Endpoint;
pub use subscription::{Consumer, DeadLetter, Source, StartAt, Subscription};
pub use watch::Watch;

/// Everything that the service is told.
#[derive(Debug)]
pub struct Configuration {
    /// The connection to the servers.
    pub connection: Connection,
    /// The loopback endpoint.
    pub endpoint: Endpoint,
    /// Which messages call the component.
    pub subscriptions: Vec<Subscription>,
    /// Which key-value buckets it is told of.
    pub watches: Vec<Watch>,
    /// Calls in flight at once, of all subscriptions together.
    pub max_in_flight: usize,
    /// Where the health pages are served.
    pub health: Option<SocketAddr>,
}

impl Configuration {
    /// Reads the environment, and the file that it names.
    ///
    /// # Errors
    /// The first setting that is wrong, in one line.
    pub fn read() -> Result<Self, ConfigError> {
        Settings::read("NATS_", Self::from_settings)
    }

    /// [`Configuration::read`] from an environment that is given.
    ///
    /// # Errors
    /// As [`Configuration::read`].
    pub fn read_from<K: Into<String>, V: Into<String>>(
        environment: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, ConfigError> {
        Settings::read_from("NATS_", environment, Self::from_settings)
    }

    fn from_settings(settings: &mut Settings) -> Result<Self, ConfigError> {
        let health = health::address(settings)?;
        let connection = Connection::read(settings)?;
        let endpoint = Endpoint::read(settings)?;
        let max_in_flight = settings.or("max_in_flight", 64, |value| value.integer(1..=10_000))?;
        let mut subscriptions = Vec::new();
        subscriptions.extend(Subscription::read_single(settings)?);
        subscriptions.extend(settings.tables("subscription", Subscription::read)?);
        if let Some(inline) = settings.value("subscriptions") {
            let more = Settings::read_toml("NATS_SUBSCRIPTIONS", inline.text()?, |inline| {
                inline.tables("subscription", Subscription::read)
            })?;
            subscriptions.extend(more);
        }
        for (index, subscription) in subscriptions.iter().enumerate() {
            if subscriptions
                .iter()
                .take(index)
                .any(|other| other.name == subscription.name)
            {
                return Err(ConfigError::new(format!(
                    "subscription {:?} is there twice; each needs a name of its own",
                    subscription.name
                )));
            }
        }
        let watches = watch::watches(settings)?;
        if subscriptions.is_empty() && watches.is_empty() && endpoint.listen.is_none() {
            return Err(ConfigError::new(
                "nothing to do: set NATS_SUBJECTS or NATS_STREAM and NATS_CONSUMER, or [[subscription]] tables in the \
                 file of NATS_CONFIG or the text of NATS_SUBSCRIPTIONS, or NATS_KV_WATCH, or do not switch NATS_LISTEN off",
            ));
        }
        Ok(Self {
            connection,
            endpoint,
            subscriptions,
            watches,
            max_in_flight,
            health,
        })
    }
}
