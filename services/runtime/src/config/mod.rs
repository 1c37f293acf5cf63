//! Settings from the environment and one TOML file, all checked at start.
//!
//! - `settings`: [`Settings`], which finds values and refuses what nobody asked for
//! - `value`: [`Value`], one setting and the ways to read it
//! - `duration`, `size`: `1m30s`, `64KiB`
//! - `secret`: [`Secret`], a text that no log shows
//! - `file`: the TOML file, with the line of each value
//!
//! A setting `timeout` of the service with the prefix `CRON_` is the variable `CRON_TIMEOUT`, or `timeout` in the file
//! that `CRON_CONFIG` names. A variable wins over the file. Secrets come by variable, or by a file of their own:
//! `NATS_PASSWORD`, or `NATS_PASSWORD_FILE=/run/secrets/password`.
//!
//! ```
//! use mainstay_runtime::config::Settings;
//! use std::time::Duration;
//!
//! let environment = [("CRON_TIMEOUT", "1m30s"), ("PATH", "/bin")];
//! let timeout = Settings::read_from("CRON_", environment, |settings| {
//!     let range = Duration::from_secs(1)..=Duration::from_secs(3600);
//!     settings.or("timeout", Duration::from_secs(30), |value| value.duration(range))
//! });
//! assert_eq!(timeout.unwrap(), Duration::from_secs(90));
//! ```

mod duration;
mod file;
mod secret;
mod settings;
mod size;
#[cfg(test)]
mod tests;
mod value;

pub use duration::{format_duration, parse_duration};
pub use secret::Secret;
pub use settings::Settings;
pub use size::{format_size, parse_size};
pub use value::Value;

/// A wrong setting, told in one line: where it stands, what it holds, what it may hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    /// An error that names the setting, its value, the rule and the way out, in lower case and one line.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}
