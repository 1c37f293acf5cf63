//! A pool as a URL: `postgres://app:secret@db1.example,db2.example:5433/app?max=20&tls=verify-full`.
//!
//! What stands after the question mark are the settings of a `[[pool]]` table.

use mainstay_runtime::config::{ConfigError, Secret, Settings, Value};
use mainstay_runtime::net::Endpoint;
use mainstay_runtime::net::percent::{self, Undecodable};

use super::pool::{Mode, Pool, Postgres, Redis, Tcp, name_rule};

/// The parts of a URL.
struct Parts<'a> {
    scheme: &'a str,
    user: Option<String>,
    password: Option<Secret>,
    hosts: &'a str,
    /// What stands after the slash.
    path: &'a str,
    query: &'a str,
}

/// Reads the pool of this name. No error shows what stands behind the scheme: a password may stand anywhere in a URL that
/// is not quite one.
pub(super) fn read(name: &str, value: &Value) -> Result<Pool, ConfigError> {
    let variable = value.name().to_owned();
    let wrong = |rule: String| ConfigError::new(format!("{variable}: {rule}"));
    name_rule(name).map_err(|rule| wrong(rule.to_owned()))?;
    let parts = split(value.text()?).map_err(wrong)?;
    let (port, tls) = match parts.scheme {
        "postgres" | "postgresql" => (Some(5432), None),
        "redis" | "valkey" => (Some(6379), None),
        "rediss" | "valkeys" => (Some(6379), Some("verify-full")),
        "tcp" => (None, None),
        "tls" => (None, Some("verify-full")),
        other => {
            return Err(wrong(format!(
                "scheme {other:?} is not one of postgres, redis, rediss, tcp, tls"
            )));
        }
    };
    let endpoints: Result<Vec<Endpoint>, _> = parts.hosts.split(',').map(|host| Endpoint::parse(host, port)).collect();
    let endpoints = endpoints.map_err(|_| {
        wrong(
            "its host is not a name or an IP address, with a port in 1-65535 or none, and commas between several"
                .to_owned(),
        )
    })?;
    let mut pairs: Vec<(String, String)> = tls.map(|tls| ("tls".to_owned(), tls.to_owned())).into_iter().collect();
    for (key, value) in form_urlencoded::parse(parts.query.as_bytes()).into_owned() {
        // The word of libpq, with its values.
        let (key, value) = match (key.as_str(), value.as_str()) {
            ("sslmode", "disable") => ("tls".to_owned(), "off".to_owned()),
            ("sslmode", _) => ("tls".to_owned(), value),
            _ => (key, value),
        };
        pairs.push((key, value));
    }
    Settings::read_pairs(&variable, pairs, |settings| {
        let mode = mode(settings, parts).map_err(|error| match error {
            Wrong::Rule(rule) => wrong(rule),
            Wrong::Setting(error) => error,
        })?;
        Pool::read_rest(settings, name.to_owned(), endpoints, mode, port)
    })
}

enum Wrong {
    Rule(String),
    Setting(ConfigError),
}

impl From<ConfigError> for Wrong {
    fn from(error: ConfigError) -> Self {
        Self::Setting(error)
    }
}

fn mode(settings: &mut Settings, parts: Parts<'_>) -> Result<Mode, Wrong> {
    let path = decoded(parts.path).map_err(Wrong::Rule)?;
    match parts.scheme {
        "postgres" | "postgresql" => {
            let user = parts.user.filter(|user| !user.is_empty());
            let user =
                user.ok_or_else(|| Wrong::Rule("it names no user, for example postgres://app@db.example".to_owned()))?;
            let database = (!path.is_empty()).then_some(path);
            Ok(Mode::Postgres(Postgres::read_rest(
                settings,
                user,
                parts.password,
                database,
            )?))
        }
        "tcp" | "tls" => {
            if parts.user.is_some() || !path.is_empty() {
                return Err(Wrong::Rule("tcp has neither a user nor a path".to_owned()));
            }
            Ok(Mode::Tcp(Tcp::read(settings)?))
        }
        _ => {
            let database = match path.as_str() {
                "" => Ok(0),
                path => path.parse(),
            };
            let database = database.map_err(|_| Wrong::Rule("its database is not a number".to_owned()))?;
            let user = parts.user.filter(|user| !user.is_empty());
            Ok(Mode::Redis(Redis::read_rest(settings, user, parts.password, database)?))
        }
    }
}

fn split(text: &str) -> Result<Parts<'_>, String> {
    let example = "no URL, for example postgres://app:secret@db.example/app";
    let (scheme, rest) = text.split_once("://").ok_or(example)?;
    // First what stands before the last @: a slash or a question mark in a password ends nothing.
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, rest),
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    if hosts.is_empty() {
        return Err("it names no host".to_owned());
    }
    let (user, password) = match user.map(|user| user.split_once(':').unwrap_or((user, ""))) {
        None => (None, None),
        Some((user, "")) => (Some(decoded(user)?), None),
        Some((user, password)) => (Some(decoded(user)?), Some(Secret::new(decoded(password)?))),
    };
    Ok(Parts {
        scheme,
        user,
        password,
        hosts,
        path,
        query,
    })
}

fn decoded(text: &str) -> Result<String, String> {
    percent::decode(text).map_err(|error| {
        match error {
            Undecodable::Digits => "a % is not followed by two hexadecimal digits",
            Undecodable::Utf8 => "what stands behind a % is not UTF-8",
        }
        .to_owned()
    })
}
