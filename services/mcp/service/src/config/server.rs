//! What the server says of itself, and the protocol's bounds.

use std::time::Duration;

use mainstay_mcp_core::engine;
use mainstay_runtime::config::{ConfigError, Settings};

const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn read(settings: &mut Settings) -> Result<engine::Settings, ConfigError> {
    let default = engine::Settings::default();
    let scopes = [("private", false), ("public", true)];
    Ok(engine::Settings {
        name: text(settings, "name")?.unwrap_or(default.name),
        version: text(settings, "version")?.unwrap_or(default.version),
        title: text(settings, "title")?,
        description: text(settings, "description")?,
        website: text(settings, "website")?,
        icons: Vec::new(),
        instructions: text(settings, "instructions")?,
        page: settings.or("page", default.page, |value| value.integer(1..=10_000))?,
        list_ttl: duration(settings, "list_ttl", default.list_ttl, Duration::ZERO..=DAY)?,
        read_ttl: duration(settings, "read_ttl", default.read_ttl, Duration::ZERO..=DAY)?,
        public: settings.or("cache_scope", default.public, |value| value.one_of(&scopes))?,
        state_ttl: duration(settings, "state_ttl", default.state_ttl, Duration::from_secs(1)..=DAY)?,
        session_ttl: duration(
            settings,
            "session_ttl",
            default.session_ttl,
            Duration::from_secs(1)..=30 * DAY,
        )?,
        sessions: settings.or("max_sessions", default.sessions, |value| value.integer(1..=100_000))?,
        calls: settings.or("max_requests", default.calls, |value| value.integer(1..=10_000))?,
        subscriptions: settings.or("max_subscriptions", default.subscriptions, |value| {
            value.integer(1..=10_000)
        })?,
        all_calls: settings.or("max_calls", default.all_calls, |value| value.integer(1..=100_000))?,
        keep: settings.or("session_buffer", default.keep, |value| {
            super::endpoint::size(value, 16 << 10)
        })?,
        tasks: settings.or("max_tasks", default.tasks, |value| value.integer(1..=100_000))?,
        own_tasks: settings.or("max_own_tasks", default.own_tasks, |value| value.integer(1..=100_000))?,
        task_ttl: duration(
            settings,
            "task_ttl",
            default.task_ttl,
            Duration::from_secs(1)..=30 * DAY,
        )?,
        rounds: default.rounds,
    })
}

fn text(settings: &mut Settings, key: &str) -> Result<Option<String>, ConfigError> {
    let value = settings.value(key);
    value.map(|value| Ok(value.text()?.to_owned())).transpose()
}

/// In milliseconds.
fn duration(
    settings: &mut Settings,
    key: &str,
    default: u64,
    range: std::ops::RangeInclusive<Duration>,
) -> Result<u64, ConfigError> {
    settings.or(key, default, |value| {
        let duration = value.duration(range)?;
        Ok(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    })
}
