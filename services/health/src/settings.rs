//! Where the service answers, and how long it may take.

use std::net::SocketAddr;
use std::time::Duration;

use mainstay_runtime::config::{ConfigError, Settings};
use mainstay_runtime::health::ADDRESS;

/// Where to ask for the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where the service serves its pages, by default where every service does.
    pub address: SocketAddr,
    /// For the whole exchange.
    pub timeout: Duration,
}

impl Target {
    /// Reads `HEALTH_TARGET` and `HEALTH_TIMEOUT`.
    pub fn read(settings: &mut Settings) -> Result<Self, ConfigError> {
        let (least, most) = (Duration::from_millis(10), Duration::from_secs(20));
        Ok(Self {
            address: settings.or("target", ADDRESS, |value| match value.address()? {
                address if address.port() == 0 => Err(value.error("port 0 is not one to connect to")),
                address => Ok(address),
            })?,
            timeout: settings.or("timeout", Duration::from_secs(1), |value| value.duration(least..=most))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(environment: &[(&str, &str)]) -> Result<Target, String> {
        let environment = environment.iter().copied();
        Settings::read_from("HEALTH_", environment, Target::read).map_err(|error| error.to_string())
    }

    #[test]
    fn without_settings_the_pages_of_any_service_are_found() {
        let target = read(&[("CRON_SCHEDULE", "@hourly")]).unwrap();
        assert_eq!(
            (target.address.to_string(), target.timeout),
            ("127.0.0.1:8081".to_owned(), Duration::from_secs(1))
        );
    }

    #[test]
    fn settings_are_taken_and_wrong_ones_refused() {
        let target = read(&[("HEALTH_TARGET", "[::1]:9"), ("HEALTH_TIMEOUT", "250ms")]).unwrap();
        assert_eq!(
            (target.address.to_string(), target.timeout),
            ("[::1]:9".to_owned(), Duration::from_millis(250))
        );
        for (variable, value) in [
            ("HEALTH_TARGET", "localhost:8081"),
            ("HEALTH_TARGET", "127.0.0.1"),
            ("HEALTH_TARGET", "127.0.0.1:0"),
            ("HEALTH_TIMEOUT", "1"),
            ("HEALTH_TIMEOUT", "1h"),
            ("HEALTH_TIMOUT", "1s"),
        ] {
            let error = read(&[(variable, value)]).unwrap_err();
            assert!(error.contains(variable), "{error}");
        }
    }
}
