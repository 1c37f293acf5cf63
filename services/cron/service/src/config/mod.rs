//! Settings to jobs.
//!
//! - `job`: one job's settings, and those that all jobs share
//! - `time`: instants, dates and spans of them
//!
//! A job comes from the variables (`CRON_SCHEDULE` and its like), from a `[[job]]` table of the file that `CRON_CONFIG`
//! names or of the text in `CRON_JOBS`, or from the component itself. Settings outside of a table hold for every job
//! that does not say otherwise.

mod job;
#[cfg(test)]
mod tests;
mod time;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use mainstay_cron_core::{Job, Limits};
use mainstay_runtime::config::{ConfigError, Settings};
use mainstay_runtime::health;
use mainstay_runtime::spans::Receiver;

use job::{Common, Source};
pub use job::{Jobs, NAME_BYTES};

use crate::schedule::Definition;

/// Everything that the service is told.
#[derive(Debug)]
pub struct Configuration {
    /// The jobs so far: those of the component are still to come.
    pub jobs: Jobs,
    /// What all jobs share.
    pub limits: Limits,
    /// The folder that keeps what must survive, none to keep nothing.
    pub state: Option<PathBuf>,
    /// Where the health pages are served.
    pub health: Option<SocketAddr>,
    /// Where the admin pages are served.
    pub admin: Option<SocketAddr>,
    /// Who takes in a span for each attempt.
    pub spans: Option<Receiver>,
}

impl Configuration {
    /// Reads the environment, and the file that it names.
    ///
    /// # Errors
    /// The first setting that is wrong, in one line.
    pub fn read() -> Result<Self, ConfigError> {
        Settings::read("CRON_", Self::alone)
    }

    /// [`Configuration::read`] for a service that may be one of several replicas; `election` reads how.
    ///
    /// # Errors
    /// As [`Configuration::read`].
    pub fn read_with<T>(
        election: impl FnOnce(&mut Settings) -> Result<T, ConfigError>,
    ) -> Result<(Self, T), ConfigError> {
        Settings::read("CRON_", |settings| Self::with(settings, election))
    }

    /// [`Configuration::read`] from an environment that is given.
    ///
    /// # Errors
    /// As [`Configuration::read`].
    pub fn read_from<K: Into<String>, V: Into<String>>(
        environment: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, ConfigError> {
        Settings::read_from("CRON_", environment, Self::alone)
    }

    /// [`Configuration::read_with`] from settings that are given.
    ///
    /// # Errors
    /// As [`Configuration::read`].
    pub fn with<T>(
        settings: &mut Settings,
        election: impl FnOnce(&mut Settings) -> Result<T, ConfigError>,
    ) -> Result<(Self, T), ConfigError> {
        let election = election(settings)?;
        Ok((Self::from_settings(settings)?, election))
    }

    fn alone(settings: &mut Settings) -> Result<Self, ConfigError> {
        let alone =
            |settings: &mut Settings| {
                settings.or("election", (), |value| match value.text()? {
                    "off" => Ok(()),
                    _ => Err(value
                        .error("this component runs its jobs alone; replicas that elect one run cron-elected.wasm")),
                })
            };
        Self::with(settings, alone).map(|(configuration, ())| configuration)
    }

    fn from_settings(settings: &mut Settings) -> Result<Self, ConfigError> {
        let defaults = Limits::default();
        let limits = Limits {
            in_flight: settings.or("in_flight", defaults.in_flight, |value| value.integer(1..=10_000))?,
            grace: settings.or("grace", defaults.grace, |value| {
                value.duration(Duration::ZERO..=job::DAY)
            })?,
            ..defaults
        };
        let state = settings.or("state", None, |value| match value.text()? {
            "" => Err(value.error("empty, must be the path of a folder, for example /state")),
            path => Ok(Some(PathBuf::from(path))),
        })?;
        let health = health::address(settings)?;
        let admin = settings.or(
            "admin",
            Some(SocketAddr::from(([127, 0, 0, 1], 8082))),
            |value| match value.text()? {
                "off" => Ok(None),
                text => match text.parse() {
                    Ok(address) => Ok(Some(address)),
                    Err(_) => Err(value.error("not off, nor an IP address and a port, for example 127.0.0.1:8082")),
                },
            },
        )?;

        let spans = Receiver::read(settings)?;
        let mut jobs = Jobs::new(Common::read(settings, &Common::default())?);
        jobs.read_single(settings)?;
        settings.tables("job", |table| jobs.read(table, Source::Configuration))?;
        if let Some(inline) = settings.value("jobs") {
            Settings::read_toml("CRON_JOBS", inline.text()?, |inline| {
                inline.tables("job", |table| jobs.read(table, Source::Configuration))
            })?;
        }
        Ok(Self {
            jobs,
            limits,
            state,
            health,
            admin,
            spans,
        })
    }
}

impl Configuration {
    /// Adds the jobs that the component brings, and returns all of them.
    ///
    /// # Errors
    /// The first definition that is wrong, or that there is no job at all.
    pub fn complete(mut self, definitions: Vec<Definition>) -> Result<(Vec<Job>, Self), ConfigError> {
        for definition in definitions {
            let source = format!("job {:?} of the component", definition.name);
            let pairs = [
                ("name".to_owned(), definition.name),
                ("schedule".to_owned(), definition.schedule),
            ];
            let pairs = definition.settings.into_iter().chain(pairs);
            let payload = definition.payload;
            Settings::read_pairs(&source, pairs, |settings| {
                self.jobs.read(settings, Source::Component(payload))
            })?;
        }
        let jobs = std::mem::take(&mut self.jobs.jobs);
        if jobs.is_empty() {
            return Err(ConfigError::new(
                "no job: set CRON_SCHEDULE, for example CRON_SCHEDULE=\"0 3 * * *\", or [[job]] tables in the file of \
                 CRON_CONFIG or the text of CRON_JOBS, or let the component export mainstay:cron/schedule",
            ));
        }
        Ok((jobs, self))
    }
}
