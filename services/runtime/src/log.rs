//! Logging: one line for each event on stderr, as text or as JSON, with the time in UTC (RFC 3339).
//!
//! | variable | what | default |
//! |---|---|---|
//! | `MAINSTAY_LOG` | levels, for all and by target: `warn`, `info,mainstay_cron=debug` | `info` |
//! | `MAINSTAY_LOG_FORMAT` | `text` or `json` | `text` |

use std::io::{self, Write};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;

use crate::config::ConfigError;

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `2026-11-22T18:10:00.000000Z  INFO mainstay_cron: message key=value`
    #[default]
    Text,
    /// `{"timestamp":"2026-11-22T18:10:00.000000Z","level":"INFO","message":"message","key":"value","target":"..."}`
    Json,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The least level that is logged, by target.
    pub levels: Targets,
    /// How a line looks.
    pub format: Format,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            levels: Targets::new().with_default(tracing::Level::INFO),
            format: Format::Text,
        }
    }
}

impl Settings {
    /// Reads `MAINSTAY_LOG` and `MAINSTAY_LOG_FORMAT`.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut settings = Self::default();
        if let Some(levels) = variable("MAINSTAY_LOG") {
            settings.levels = levels.parse().map_err(|_| {
                ConfigError::new(format!(
                    "MAINSTAY_LOG \"{levels}\": not a list of level or target=level, with a level off, error, warn, \
                     info, debug or trace, for example info,mainstay_cron=debug"
                ))
            })?;
        }
        match variable("MAINSTAY_LOG_FORMAT").as_deref() {
            None | Some("text") => {}
            Some("json") => settings.format = Format::Json,
            Some(other) => {
                let message = format!("MAINSTAY_LOG_FORMAT \"{other}\": not one of text, json");
                return Err(ConfigError::new(message));
            }
        }
        Ok(settings)
    }
}

/// Sends events to stderr from now on. Only the first call of a process counts.
pub fn init(settings: &Settings) {
    // Fails if a subscriber is set already, as in a bundle of services: then that one is the one to use.
    let _ = tracing::subscriber::set_global_default(subscriber(settings, || OneLine(io::stderr())));
}

fn subscriber<W, T>(settings: &Settings, writer: W) -> Box<dyn tracing::Subscriber + Send + Sync>
where
    W: Fn() -> OneLine<T> + Send + Sync + 'static,
    T: Write + 'static,
    W: for<'a> MakeWriter<'a>,
{
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer);
    let registry = tracing_subscriber::registry();
    match settings.format {
        Format::Text => Box::new(registry.with(layer.with_filter(settings.levels.clone()))),
        Format::Json => {
            let layer = layer
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false);
            Box::new(registry.with(layer.with_filter(settings.levels.clone())))
        }
    }
}

/// Writes each event as one line, whatever text from outside it carries: a line break inside would let a peer write
/// lines of its own into the log.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = event.strip_suffix(b"\n").unwrap_or(event);
        if !text.iter().any(u8::is_ascii_control) {
            self.0.write_all(event)?;
            return Ok(event.len());
        }
        let mut line = Vec::with_capacity(event.len() + 16);
        for byte in text {
            if byte.is_ascii_control() {
                line.extend(byte.escape_ascii());
            } else {
                line.push(*byte);
            }
        }
        line.push(b'\n');
        self.0.write_all(&line)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
