//! Settings, all checked at start.
//!
//! - `destination`: where telemetry goes, in the names of the OpenTelemetry specification
//! - `url`: an endpoint as the specification writes it
//! - `change`: what is added to telemetry, taken out of it, and left out
//! - `others`: names of the specification that are a SDK's business
//!
//! Names that the specification defines mean what it says; the others are this service's own.

mod change;
mod destination;
mod others;
#[cfg(test)]
mod tests;
mod url;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use mainstay_otel_core::backlog::{Bounds, WhenFull};
use mainstay_otel_core::batch::Batching;
use mainstay_otel_core::retry::Policy;
use mainstay_otel_core::wire::Limits;
use mainstay_runtime::config::{ConfigError, Settings, Value};
use mainstay_runtime::health;

pub use change::Change;
pub use destination::{Compression, Destination, Protocol, Target};
pub use url::Url;

/// Everything that the service is told.
#[derive(Debug)]
pub struct Configuration {
    /// How components hand over telemetry.
    pub receive: Receive,
    /// Where it goes, at least one.
    pub destinations: Vec<Destination>,
    /// How the destinations share it.
    pub routing: Routing,
    /// What is done to it before it is queued.
    pub change: Change,
    /// What is kept for each signal and destination until it has arrived.
    pub queue: Queue,
    /// How it is put together.
    pub batching: Batching,
    /// How failed exports are retried.
    pub retry: Policy,
    /// Exports of a signal at once, to each destination. One keeps the order.
    pub consumers: usize,
    /// Calls of the processor.
    pub processor: Processor,
    /// Where the health pages are served.
    pub health: Option<SocketAddr>,
    /// How often the service's own metrics are sent along, none for never.
    pub own_metrics: Option<Duration>,
}

/// How components hand over telemetry.
#[derive(Clone, Copy, Debug)]
pub struct Receive {
    /// OTLP/HTTP.
    pub http: Option<SocketAddr>,
    /// OTLP/gRPC.
    pub grpc: Option<SocketAddr>,
    /// Bytes of a request, compressed or not.
    pub max_request: usize,
    /// Bytes of all requests that are being received.
    pub memory: usize,
    /// Connections of each kind.
    pub max_connections: usize,
}

/// How several destinations share the telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// Each gets all of it.
    FanOut,
    /// The first that works gets it.
    Failover,
}

/// What is kept for each signal and destination until it has arrived.
#[derive(Clone, Debug)]
pub struct Queue {
    /// How much.
    pub bounds: Bounds,
    /// What happens to more.
    pub when_full: WhenFull,
    /// On a volume, or in memory only.
    pub disk: Option<Disk>,
}

/// A queue on a volume.
#[derive(Clone, Debug)]
pub struct Disk {
    /// The folder; each destination and signal has one of its own in it.
    pub folder: PathBuf,
    /// When what was written is sure to survive the machine.
    pub sync: Sync,
    /// How large a file grows before the next is begun.
    pub segment: u64,
    /// What each queue keeps in memory besides, so that it need not be read again.
    pub memory: usize,
}

/// When what was written is sure to survive the machine. What was written survives the service in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Before its sender is answered.
    Always,
    /// Every so often.
    Every(Duration),
    /// When the system pleases.
    Never,
}

/// Calls of the processor.
#[derive(Clone, Copy, Debug)]
pub struct Processor {
    /// At once.
    pub in_flight: usize,
    /// How long one may take.
    pub timeout: Duration,
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

impl Configuration {
    /// Reads the environment, and the file that `OTEL_CONFIG` names.
    ///
    /// # Errors
    /// The first setting that is wrong, in one line.
    pub fn read() -> Result<Self, ConfigError> {
        let variables = std::env::vars_os();
        Self::read_from(
            variables.map(|(key, value)| (key.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())),
        )
    }

    /// [`Configuration::read`] from an environment that is given.
    ///
    /// # Errors
    /// As [`Configuration::read`].
    pub fn read_from<K: Into<String>, V: Into<String>>(
        environment: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, ConfigError> {
        let environment = environment.into_iter().map(|(key, value)| (key.into(), value.into()));
        // An empty value is an unset one (OpenTelemetry Specification §Environment Variable Specification).
        let ours = environment.filter(|(key, value): &(String, String)| {
            let unset = key.starts_with("OTEL_") && value.is_empty();
            !unset && !others::is_of_a_sdk(key)
        });
        Settings::read_from::<_, String, String>("OTEL_", ours, Self::from_settings)
    }

    fn from_settings(settings: &mut Settings) -> Result<Self, ConfigError> {
        let receive = Receive::read(settings)?;
        let configuration = Self {
            routing: settings.or("routing", Routing::FanOut, |value| {
                value.one_of(&[("fan-out", Routing::FanOut), ("failover", Routing::Failover)])
            })?,
            change: Change::read(settings)?,
            queue: Queue::read(settings)?,
            batching: batching(settings)?,
            retry: retry(settings)?,
            consumers: settings.or("consumers", 1, |value| value.integer(1..=64))?,
            processor: Processor {
                in_flight: settings.or("processor_in_flight", 64, |value| value.integer(1..=10_000))?,
                timeout: settings.or("processor_timeout", SECOND, |value| {
                    value.duration(SECOND / 1000..=60 * SECOND)
                })?,
            },
            health: health::address(settings)?,
            own_metrics: settings.or("own_metrics", None, |value| match value.text()? {
                "off" => Ok(None),
                _ => Ok(Some(value.duration(SECOND..=HOUR)?)),
            })?,
            destinations: destination::read(settings)?,
            receive,
        };
        configuration.refuse_a_loop()?;
        Ok(configuration)
    }

    /// In a workload whose variables the service and its component share, the component's endpoint is easily taken for the
    /// collector's. What the service sends to itself never ends.
    fn refuse_a_loop(&self) -> Result<(), ConfigError> {
        let own = [self.receive.http, self.receive.grpc];
        for destination in &self.destinations {
            for (_, target) in &destination.targets {
                if own.into_iter().flatten().any(|address| target.url.is_at(address)) {
                    return Err(ConfigError::new(format!(
                        "{} {:?}: the service itself listens there; where components share this variable, name the collector \
                         in a [[destination]] of OTEL_CONFIG or OTEL_DESTINATIONS",
                        target.name,
                        target.url.text()
                    )));
                }
            }
        }
        Ok(())
    }
}

impl Receive {
    fn read(settings: &mut Settings) -> Result<Self, ConfigError> {
        Ok(Self {
            http: address(settings, "receive_http", 4318)?,
            grpc: address(settings, "receive_grpc", 4317)?,
            max_request: settings.or("max_request", 20 << 20, |value| size(value, 1 << 10))?,
            memory: settings.or("receive_memory", 64 << 20, |value| size(value, 1 << 20))?,
            max_connections: settings.or("max_connections", 256, |value| value.integer(1..=10_000))?,
        })
    }
}

impl Queue {
    fn read(settings: &mut Settings) -> Result<Self, ConfigError> {
        Ok(Self {
            bounds: Bounds {
                bytes: settings.or("queue_bytes", 32 << 20, |value| size(value, 64 << 10))?,
                requests: settings.or("queue_requests", 10_000, |value| value.integer(1..=10_000_000))?,
            },
            when_full: settings.or("queue_full", WhenFull::Refuse, |value| {
                value.one_of(&[
                    ("refuse", WhenFull::Refuse),
                    ("drop-newest", WhenFull::DropNewest),
                    ("drop-oldest", WhenFull::DropOldest),
                ])
            })?,
            disk: Disk::read(settings)?,
        })
    }
}

impl Disk {
    fn read(settings: &mut Settings) -> Result<Option<Self>, ConfigError> {
        let folder = settings.or("queue_folder", None, |value| match value.text()? {
            "" => Err(value.error("empty, must be the path of a folder, for example /state")),
            path => Ok(Some(PathBuf::from(path))),
        })?;
        let sync = settings.or("queue_sync", Sync::Always, |value| match value.text()? {
            "always" => Ok(Sync::Always),
            "never" => Ok(Sync::Never),
            _ => match value.duration(SECOND / 100..=HOUR) {
                Ok(interval) => Ok(Sync::Every(interval)),
                Err(_) => Err(value.error("not always, never or a duration of 10ms to 1h, for example 1s")),
            },
        })?;
        let segment = settings.or("queue_segment", 16 << 20, |value| value.size(64 << 10..=1 << 30))?;
        let memory = settings.or("queue_memory", 8 << 20, |value| size(value, 0))?;
        Ok(folder.map(|folder| Self {
            folder,
            sync,
            segment,
            memory,
        }))
    }
}

fn batching(settings: &mut Settings) -> Result<Batching, ConfigError> {
    let Batching { limits, delay } = Batching::default();
    Ok(Batching {
        limits: Limits {
            items: settings.or("batch_items", limits.items, |value| value.integer(1..=10_000_000))?,
            bytes: settings.or("batch_bytes", limits.bytes, |value| size(value, 1 << 10))?,
        },
        delay: settings.or("batch_delay", delay, |value| {
            value.duration(Duration::ZERO..=60 * SECOND)
        })?,
    })
}

fn retry(settings: &mut Settings) -> Result<Policy, ConfigError> {
    let default = Policy::default();
    let policy = Policy {
        min: settings.or("retry_min", default.min, |value| value.duration(SECOND / 1000..=HOUR))?,
        max: settings.or("retry_max", default.max, |value| value.duration(SECOND / 1000..=HOUR))?,
        give_up_after: settings.or("retry_for", default.give_up_after, |value| {
            value.duration(Duration::ZERO..=24 * HOUR)
        })?,
        ..default
    };
    if policy.min > policy.max {
        return Err(settings.error("OTEL_RETRY_MIN is more than OTEL_RETRY_MAX, must be at most that"));
    }
    Ok(policy)
}

/// A size of at least `min` and at most a gibibyte.
fn size(value: &Value, min: u64) -> Result<usize, ConfigError> {
    let size = value.size(min..=1 << 30)?;
    usize::try_from(size).map_err(|error| value.error(error))
}

fn address(settings: &mut Settings, key: &str, port: u16) -> Result<Option<SocketAddr>, ConfigError> {
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    settings.or(key, Some(default), |value| match value.text()? {
        "off" => Ok(None),
        text => match text.parse() {
            Ok(address) => Ok(Some(address)),
            Err(_) => Err(value.error(format!("not off, nor an IP address and a port, for example {default}"))),
        },
    })
}
