//! One pool.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mainstay_pool_core::pool::{Balance, Ejection, Settings as Limits};
use mainstay_pool_core::postgres::Pooling;
use mainstay_pool_core::tokens::Tokens;
use mainstay_runtime::config::{ConfigError, Secret, Settings, Value};
use mainstay_runtime::net::{Endpoint, Pem, TlsSettings, Verification};

use super::tokens;

/// A pool: a port, and the connections behind it.
#[derive(Debug)]
pub struct Pool {
    /// As logs and metrics show it.
    pub name: String,
    /// Where components connect to.
    pub listen: SocketAddr,
    /// Clients at once.
    pub max_clients: usize,
    /// Where connections lead; the first first, if they are to take turns only when one fails.
    pub upstream: Vec<Endpoint>,
    /// How they are encrypted.
    pub tls: Tls,
    /// How long a connect may take, login included.
    pub connect_timeout: Duration,
    /// How long a client waits for a connection.
    pub acquire_timeout: Duration,
    /// How long a server may take nothing of what waits for it.
    pub send_timeout: Duration,
    /// How many connections, and for how long.
    pub limits: Limits,
    /// Of which clients have to say one before anything else.
    pub tokens: Tokens,
    /// The protocol.
    pub mode: Mode,
}

/// TLS to the upstream, in the words of PostgreSQL's `sslmode`.
#[derive(Debug)]
pub struct Tls {
    /// Whether to go on without, if the server has none.
    pub prefer: bool,
    /// The rest.
    pub settings: TlsSettings,
}

/// The protocol of a pool.
#[derive(Debug)]
pub enum Mode {
    /// Bytes.
    Tcp(Tcp),
    /// RESP.
    Redis(Redis),
    /// PostgreSQL's.
    Postgres(Postgres),
}

/// Of a pool for bytes.
#[derive(Debug)]
pub struct Tcp {
    /// When a connection goes back.
    pub reuse: Reuse,
}

/// When a connection goes back after its client has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Never: the next client gets a fresh one.
    Never,
    /// When the server had the last word and said nothing more for a moment.
    OnIdle,
    /// When the server had the last word and the hook `on-release` finds it fit.
    Callback,
}

/// Of a pool for Redis.
#[derive(Debug)]
pub struct Redis {
    /// The user; before version 6 there was none.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// The database that all have.
    pub database: u32,
    /// Connections that many clients share, for each of RESP2 and RESP3.
    pub shared: usize,
    /// How long a server may say nothing on one of them that owes an answer.
    pub command_timeout: Duration,
}

/// Of a pool for PostgreSQL.
#[derive(Debug)]
pub struct Postgres {
    /// The role.
    pub user: String,
    /// Its password.
    pub password: Option<Secret>,
    /// The database.
    pub database: String,
    /// For how long a client keeps a server.
    pub pooling: Pooling,
    /// When a session is reset.
    pub reset: Reset,
    /// Statements that a server keeps prepared.
    pub prepared_statements: usize,
}

/// When a session is reset before somebody else gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// If it was changed, as far as queries tell.
    Changed,
    /// Each time.
    Always,
    /// Never.
    Never,
}

impl Pool {
    /// Reads a `[[pool]]` table.
    pub(super) fn read(settings: &mut Settings) -> Result<Self, ConfigError> {
        let name = settings.required("name", "app")?;
        let name = name.parse(|text| name_rule(text).map(|()| text.to_owned()))?;
        let words = [("postgres", 'p'), ("redis", 'r'), ("tcp", 't')];
        let mode = settings.required("mode", "postgres")?.one_of(&words)?;
        let port = match mode {
            'p' => Some(5432),
            'r' => Some(6379),
            _ => None,
        };
        let upstream = settings.required("upstream", "db.example:5432")?;
        let endpoints: Result<Vec<Endpoint>, ConfigError> = upstream
            .list()?
            .iter()
            .map(|value| value.parse(|text| Endpoint::parse(text, port).map_err(|error| rule_of(&error))))
            .collect();
        let endpoints = endpoints?;
        if endpoints.is_empty() {
            return Err(upstream.error("names no address, for example db.example:5432"));
        }
        let mode = match mode {
            'p' => Mode::Postgres(Postgres::read(settings)?),
            'r' => Mode::Redis(Redis::read(settings)?),
            _ => Mode::Tcp(Tcp::read(settings)?),
        };
        Self::read_rest(settings, name, endpoints, mode, port)
    }

    /// Reads what a table and a URL have in common.
    pub(super) fn read_rest(
        settings: &mut Settings,
        name: String,
        upstream: Vec<Endpoint>,
        mode: Mode,
        port: Option<u16>,
    ) -> Result<Self, ConfigError> {
        let second = Duration::from_secs(1);
        let (short, long) = (Duration::from_millis(10)..=600 * second, 600 * second);
        let listen = match (settings.value("listen"), port) {
            (Some(value), _) => value.parse(listen)?,
            (None, Some(port)) => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port),
            (None, None) => {
                return Err(settings.error("listen is not set, for example listen = \"127.0.0.1:9000\""));
            }
        };
        let tls = Tls::read(settings, &mode)?;
        let max_clients = settings.or("max_clients", 1000, |value| value.integer(1..=10_000))?;
        let connect_timeout = settings.or("connect_timeout", 5 * second, |value| value.duration(short.clone()))?;
        let acquire_timeout = settings.or("acquire_timeout", 5 * second, |value| value.duration(short))?;
        let day = 86_400 * second;
        let send_timeout = settings.or("send_timeout", 60 * second, |value| value.duration(second / 100..=day))?;
        let limits = limits(settings, &mode, upstream.len(), long)?;
        let tokens = tokens::read(settings, "token", &format!("pool {name:?}: tokens"))?;
        let pool = Self {
            name,
            listen,
            max_clients,
            upstream,
            tls,
            connect_timeout,
            acquire_timeout,
            send_timeout,
            limits,
            tokens,
            mode,
        };
        match pool.mode {
            Mode::Tcp(_) if !pool.tokens.is_empty() => Err(settings.error("token is for the modes postgres and redis")),
            _ => Ok(pool),
        }
    }

    /// Adds the secrets that come by variables of their own.
    pub(super) fn complete(&mut self, password: Option<Secret>, tokens: Tokens) -> Result<(), ConfigError> {
        let name = &self.name;
        if password.is_some() {
            let place = match &mut self.mode {
                Mode::Postgres(postgres) => &mut postgres.password,
                Mode::Redis(redis) => &mut redis.password,
                Mode::Tcp(_) => {
                    return Err(ConfigError::new(format!(
                        "pool {name:?}: a pool of mode tcp has no password"
                    )));
                }
            };
            if place.is_some() {
                return Err(ConfigError::new(format!("pool {name:?}: its password is set twice")));
            }
            *place = password;
        }
        if !tokens.is_empty() && matches!(self.mode, Mode::Tcp(_)) {
            return Err(ConfigError::new(format!(
                "pool {name:?}: a pool of mode tcp has no place for a token; POOL_LEASES_TOKEN is for leases"
            )));
        }
        if !tokens.is_empty() && !self.tokens.is_empty() {
            return Err(ConfigError::new(format!("pool {name:?}: its tokens are set twice")));
        }
        if !tokens.is_empty() {
            self.tokens = tokens;
        }
        Ok(())
    }
}

/// A rule without the value, which the setting shows already.
pub(super) fn rule_of(error: &impl ToString) -> String {
    let text = error.to_string();
    text.split_once("\": ")
        .map_or(text.clone(), |(_, rule)| rule.to_owned())
}

pub(super) fn name_rule(text: &str) -> Result<(), &'static str> {
    let odd = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.');
    match text.is_empty() || text.len() > 63 || text.contains(odd) {
        true => Err("not 1 to 63 letters, digits and - _ ."),
        false => Ok(()),
    }
}

/// `127.0.0.1:5432`, or the port alone.
fn listen(text: &str) -> Result<SocketAddr, &'static str> {
    let rule = "not a port on the loopback, for example 127.0.0.1:5432";
    let address = match text.parse::<u16>() {
        Ok(port) => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port),
        Err(_) => text.parse().map_err(|_| rule)?,
    };
    // What credentials guard is not to be reached from outside.
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err(rule)
    }
}

fn limits(settings: &mut Settings, mode: &Mode, hosts: usize, long: Duration) -> Result<Limits, ConfigError> {
    let second = Duration::from_secs(1);
    let default = Limits::default();
    let day = 86_400 * second;
    let optional = |value: &Value, least: Duration| match value.text()? {
        "off" => Ok(None),
        _ => value.duration(least..=7 * day).map(Some),
    };
    let max: usize = settings.or("max", default.max, |value| value.integer(1..=1000))?;
    let min_idle = settings.or("min_idle", 0, |value| value.integer(0..=1000))?;
    let reserve = settings.or("reserve", 0, |value| value.integer(0..=1000))?;
    let reserve_after = settings.or("reserve_after", default.reserve_after, |value| {
        value.duration(Duration::ZERO..=long)
    })?;
    let max_waiting = settings.or("max_waiting", default.max_waiting, |value| value.integer(0..=100_000))?;
    let balance = settings.or("balance", Balance::Failover, |value| {
        value.one_of(&[("failover", Balance::Failover), ("round-robin", Balance::RoundRobin)])
    })?;
    let idle_timeout = settings.or("idle_timeout", default.idle_timeout, |value| optional(value, second))?;
    let max_lifetime = settings.or("max_lifetime", default.max_lifetime, |value| optional(value, second))?;
    let lifetime_jitter_percent = settings.or("lifetime_jitter", default.lifetime_jitter_percent, |value| {
        value.integer(0..=50)
    })?;
    let check_after = settings.or("check_after", default.check_after, |value| {
        optional(value, Duration::ZERO)
    })?;
    let keepalive = settings.or("keepalive", default.keepalive, |value| optional(value, second))?;
    let leak_after = settings.or("leak_after", None, |value| optional(value, second))?;
    let ejection = Ejection {
        consecutive_failures: settings.or("eject_failures", default.ejection.consecutive_failures, |value| {
            value.integer(1..=1000)
        })?,
        base: settings.or("eject_base", default.ejection.base, |value| {
            value.duration(second / 100..=long)
        })?,
        max: settings.or("eject_max", default.ejection.max, |value| {
            value.duration(second / 100..=day)
        })?,
        max_percent: settings.or("eject_max_percent", default.ejection.max_percent, |value| {
            value.integer(0..=100)
        })?,
    };
    if min_idle > max {
        return Err(settings.error(format!("min_idle {min_idle} is more than max {max}")));
    }
    let held = match mode {
        Mode::Redis(redis) => 2 * redis.shared,
        _ => 0,
    };
    if held >= max {
        let shared = held / 2;
        return Err(settings.error(format!(
            "shared {shared} for each of RESP2 and RESP3 is {held}, which is not less than max {max}; transactions and \
             subscriptions need connections of their own"
        )));
    }
    Ok(Limits {
        hosts,
        balance,
        min_idle,
        max,
        reserve,
        reserve_after,
        max_waiting,
        idle_timeout,
        max_lifetime,
        lifetime_jitter_percent,
        check_after,
        keepalive,
        held,
        // Of bytes, only a hook knows how; whether there is one is asked at the start.
        can_check: !matches!(mode, Mode::Tcp(_)),
        leak_after,
        ejection,
        ..default
    })
}

impl Tls {
    fn read(settings: &mut Settings, mode: &Mode) -> Result<Self, ConfigError> {
        let words = [
            ("off", (false, Verification::Off)),
            ("prefer", (true, Verification::Require)),
            ("require", (false, Verification::Require)),
            ("verify-ca", (false, Verification::VerifyCa)),
            ("verify-full", (false, Verification::VerifyFull)),
        ];
        // As libpq does, PostgreSQL is asked for TLS; other protocols have no such question.
        let default = match mode {
            Mode::Postgres(_) => (true, Verification::Require),
            _ => (false, Verification::Off),
        };
        let value = settings.value("tls");
        let (prefer, verification) = value.as_ref().map_or(Ok(default), |value| value.one_of(&words))?;
        if let (true, false, Some(value)) = (prefer, matches!(mode, Mode::Postgres(_)), &value) {
            return Err(value.error("only PostgreSQL can be asked whether it has TLS; use off or require"));
        }
        let pem = |value: &Value| value.text().map(|text| Some(Pem::from(text)));
        let key = settings.secret("tls_key")?;
        let settings = TlsSettings {
            verification,
            authorities: settings.or("tls_ca", None, pem)?,
            certificate: settings.or("tls_certificate", None, pem)?,
            key: key.map(|key| Pem::from(key.reveal())),
            server_name: settings.or("tls_server_name", None, |value| {
                value.text().map(|name| Some(name.to_owned()))
            })?,
            protocols: Vec::new(),
        };
        Ok(Self { prefer, settings })
    }
}

fn text(settings: &mut Settings, key: &str) -> Result<Option<String>, ConfigError> {
    settings.or(key, None, |value| value.text().map(|text| Some(text.to_owned())))
}

impl Postgres {
    fn read(settings: &mut Settings) -> Result<Self, ConfigError> {
        let user = settings.required("user", "app")?.text()?.to_owned();
        let database = text(settings, "database")?;
        let password = settings.secret("password")?;
        Self::read_rest(settings, user, password, database)
    }

    pub(super) fn read_rest(
        settings: &mut Settings,
        user: String,
        password: Option<Secret>,
        database: Option<String>,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            database: database.unwrap_or_else(|| user.clone()),
            user,
            password,
            pooling: settings.or("pooling", Pooling::Transaction, |value| {
                value.one_of(&[("transaction", Pooling::Transaction), ("session", Pooling::Session)])
            })?,
            reset: settings.or("reset", Reset::Changed, |value| {
                value.one_of(&[
                    ("changed", Reset::Changed),
                    ("always", Reset::Always),
                    ("never", Reset::Never),
                ])
            })?,
            prepared_statements: settings.or("prepared_statements", 256, |value| value.integer(1..=10_000))?,
        })
    }
}

impl Redis {
    fn read(settings: &mut Settings) -> Result<Self, ConfigError> {
        let user = text(settings, "user")?;
        let password = settings.secret("password")?;
        let database = settings.or("database", 0, |value| value.integer(0..=65_535))?;
        Self::read_rest(settings, user, password, database)
    }

    pub(super) fn read_rest(
        settings: &mut Settings,
        user: Option<String>,
        password: Option<Secret>,
        database: u32,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            user,
            password,
            database,
            shared: settings.or("shared", 2, |value| value.integer(1..=64))?,
            command_timeout: settings.or("command_timeout", Duration::from_secs(60), |value| {
                value.duration(Duration::from_millis(10)..=Duration::from_secs(86_400))
            })?,
        })
    }
}

impl Tcp {
    pub(super) fn read(settings: &mut Settings) -> Result<Self, ConfigError> {
        Ok(Self {
            reuse: settings.or("reuse", Reuse::Never, |value| {
                value.one_of(&[
                    ("never", Reuse::Never),
                    ("on-idle", Reuse::OnIdle),
                    ("callback", Reuse::Callback),
                ])
            })?,
        })
    }
}
