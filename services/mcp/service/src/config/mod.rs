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

/// A host ends an async call after ten minutes and traps its caller, which is this service: it has to be sooner.
const LONGEST: Duration = Duration::from_secs(540);

/// Bytes of a secret, at least. What is sealed is in the hands of clients, who may guess for as long as they like.
const SECRET: usize = 32;

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
    /// How long it may take for one that has become a task.
    pub task_timeout: Duration,
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
        let within = Duration::from_millis(1)..=LONGEST;
        let (guard, issuer) = auth::read(settings)?.unzip();
        Ok(Self {
            health: health::address(settings)?,
            server: server::read(settings)?,
            state_secret: state_secret(settings)?,
            endpoints: Endpoints::read(settings)?,
            guard,
            issuer: issuer.flatten(),
            timeout: settings.or("timeout", Duration::from_secs(60), |value| {
                value.duration(within.clone())
            })?,
            task_timeout: settings.or("task_timeout", LONGEST, |value| value.duration(within.clone()))?,
            max_in_flight: settings.or("max_in_flight", 64, |value| value.integer(1..=10_000))?,
        })
    }
}

fn state_secret(settings: &mut Settings) -> Result<Option<Secret>, ConfigError> {
    let secret = settings.secret("state_secret")?;
    match &secret {
        Some(short) if short.reveal().len() < SECRET => {
            // The value is told to nobody.
            let length = short.reveal().len();
            let rule = format!("{SECRET} at least, as `openssl rand -hex 32` makes them");
            Err(ConfigError::new(format!(
                "MCP_STATE_SECRET: {length} bytes, not {rule}"
            )))
        }
        _ => Ok(secret),
    }
}
