//! Settings: what the server says of itself, where it listens, whom it lets in, what it allows.
//!
//! - `server`: name, instructions, pages, caching
//! - `endpoint`: stdio, TCP, HTTP
//! - `auth`: whose tokens are taken over HTTP; `issuer`: where their keys are fetched from

mod auth;
mod endpoint;
mod issuer;
mod server;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

use mainstay_mcp_core::auth::Guard;
use mainstay_mcp_core::engine;
use mainstay_runtime::config::{ConfigError, Secret, Settings};
use mainstay_runtime::health;

pub use endpoint::Endpoints;
pub use issuer::Issuer;

/// Everything that the service is told.
#[derive(Debug)]
pub struct Configuration {
    /// What the server says of itself, and the protocol's bounds.
    pub server: engine::Settings,
    /// What state is sealed with that goes through clients; a key of this life of the service if none.
    pub state_secret: Option<Secret>,
    /// Where clients and components find it.
    pub endpoints: Endpoints,
    /// Whose tokens are taken over HTTP; anybody is let in if none.
    pub guard: Option<Guard>,
    /// Where the guard's keys are fetched from, if they are not given.
    pub issuer: Option<Issuer>,
    /// How long a component may take for a call.
    pub timeout: Duration,
    /// Calls of components in flight at once.
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
        Settings::read("MCP_", Self::from_settings)
    }

    /// [`Configuration::read`] from an environment that is given.
    ///
    /// # Errors
    /// As [`Configuration::read`].
    pub fn read_from<K: Into<String>, V: Into<String>>(
        environment: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, ConfigError> {
        Settings::read_from("MCP_", environment, Self::from_settings)
    }

    fn from_settings(settings: &mut Settings) -> Result<Self, ConfigError> {
        let second = Duration::from_secs(1);
        let (guard, issuer) = auth::read(settings)?.unzip();
        Ok(Self {
            health: health::address(settings)?,
            server: server::read(settings)?,
            state_secret: settings.secret("state_secret")?,
            endpoints: Endpoints::read(settings)?,
            guard,
            issuer: issuer.flatten(),
            timeout: settings.or("timeout", second * 60, |value| {
                value.duration(second / 1000..=second * 86_400)
            })?,
            max_in_flight: settings.or("max_in_flight", 64, |value| value.integer(1..=10_000))?,
        })
    }
}
