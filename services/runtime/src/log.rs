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
            settings.levels = parse_levels(&levels).ok_or_else(|| {
                ConfigError::new(format!(
                    "MAINSTAY_LOG {levels:?}: not a list of level or target=level, with a level off, error, warn, \
                     info, debug or trace, for example info,mainstay_cron=debug"
                ))
            })?;
        }
        match variable("MAINSTAY_LOG_FORMAT").as_deref() {
            None | Some("text") => {}
            Some("json") => settings.format = Format::Json,
            Some(other) => {
                let message = format!("MAINSTAY_LOG_FORMAT {other:?}: not one of text, json");
                return Err(ConfigError::new(message));
            }
        }
        Ok(settings)
    }
}

/// Reads `level` and `target=level`, between commas. A target alone, which tracing would take, is a mistyped level.
fn parse_levels(text: &str) -> Option<Targets> {
    let valid = |part: &str| part.contains('=') || part.parse::<tracing::Level>().is_ok() || part == "off";
    if text.split(',').all(valid) {
        text.parse().ok()
    } else {
        None
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(variables: &[(&str, &str)], log: impl FnOnce()) -> String {
        let variable = |key: &str| {
            variables
                .iter()
                .find(|(name, _)| *name == key)
                .map(|(_, value)| value.to_string())
        };
        let settings = Settings::from_environment(variable).unwrap();
        let buffer = Buffer::default();
        let writer = buffer.clone();
        tracing::subscriber::with_default(subscriber(&settings, move || OneLine(writer.clone())), log);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    /// The line without its time stamp, whose form is checked.
    fn without_time(line: &str) -> &str {
        let (time, rest) = line.split_at("2026-11-22T18:10:00.000000Z".len());
        assert!(
            time.starts_with("20") && time.contains('T') && time.ends_with('Z'),
            "{line}"
        );
        rest
    }

    #[test]
    fn text_lines_hold_time_level_target_message_and_fields() {
        let text = logged(&[], || {
            tracing::info!(target: "mainstay_cron", job = "backup", attempt = 2, "started");
            tracing::debug!("not logged");
        });
        assert_eq!(
            without_time(&text),
            "  INFO mainstay_cron: started job=\"backup\" attempt=2\n"
        );
    }

    #[test]
    fn json_lines_hold_time_level_target_message_and_fields() {
        let text = logged(
            &[
                ("MAINSTAY_LOG_FORMAT", "json"),
                ("MAINSTAY_LOG", "warn,mainstay_cron=debug"),
            ],
            || {
                tracing::debug!(target: "mainstay_cron", job = "a\nb", "started");
                tracing::info!(target: "mainstay_nats", "not logged");
            },
        );
        assert_eq!(text.lines().count(), 1);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        without_time(line["timestamp"].as_str().unwrap());
        assert_eq!(line["level"], "DEBUG");
        assert_eq!(line["target"], "mainstay_cron");
        assert_eq!(line["message"], "started");
        assert_eq!(line["job"], "a\nb");
    }

    #[test]
    fn text_from_outside_cannot_begin_a_line_or_hide_one() {
        let text = logged(&[], || {
            let peer = "gone\n2026-11-22T18:10:00Z ERROR forged\u{1b}[2K\r";
            tracing::warn!(target: "t", "peer said {peer}");
        });
        assert_eq!(
            without_time(&text),
            "  WARN t: peer said gone\\n2026-11-22T18:10:00Z ERROR forged\\x1b[2K\\r\n"
        );
    }

    #[test]
    fn bad_log_settings_name_the_rule() {
        let cases = [
            (
                "MAINSTAY_LOG",
                "info,loud",
                "MAINSTAY_LOG \"info,loud\": not a list of level or target=level, with a level off, error, warn, info, debug \
                 or trace, for example info,mainstay_cron=debug",
            ),
            (
                "MAINSTAY_LOG_FORMAT",
                "xml",
                "MAINSTAY_LOG_FORMAT \"xml\": not one of text, json",
            ),
        ];
        for (variable, value, message) in cases {
            let read = |key: &str| (key == variable).then(|| value.to_owned());
            assert_eq!(Settings::from_environment(read).unwrap_err().to_string(), message);
        }
    }
}
