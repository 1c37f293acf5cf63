//! Servers, credentials, TLS.

use std::time::Duration;

use mainstay_nats_core::auth::{AuthError, Credentials};
use mainstay_nats_core::jetstream::api::Api;
use mainstay_nats_core::subject::Pattern;
use mainstay_runtime::config::{ConfigError, Secret, Settings, Value};
use mainstay_runtime::net::{Pem, Tls, TlsSettings};

use crate::address::ServerAddress;

/// The connection to the servers.
#[derive(Debug)]
pub struct Connection {
    /// The servers, at least one.
    pub servers: Vec<ServerAddress>,
    /// Who the service is.
    pub credentials: Credentials,
    /// How TLS is spoken, where the server or its URL wants it.
    pub tls: Tls,
    /// Whether the TLS handshake comes before everything else.
    pub tls_first: bool,
    /// The name that the servers know the connection by.
    pub name: String,
    /// What is put in front of inboxes.
    pub inbox_prefix: String,
    /// How long a TCP connection to a server may take to come about, by whichever of its addresses.
    pub timeout: Duration,
    /// How often the server is asked for a sign of life.
    pub ping_interval: Duration,
    /// The longest pause between two attempts.
    pub reconnect_max: Duration,
    /// Whether servers that a server tells of are connected to as well.
    pub discover: bool,
    /// How many bytes of publishes wait for a connection.
    pub pending: usize,
    /// JetStream's subjects.
    pub api: Api,
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

impl Connection {
    /// Reads the settings of the connection.
    ///
    /// # Errors
    /// The first that is wrong, in one line that shows no secret.
    pub fn read(settings: &mut Settings) -> Result<Self, ConfigError> {
        let (mut servers, in_url) = servers(&settings.required("url", "nats://nats.example:4222")?)?;
        let (tls, is_told_of) = tls(settings)?;
        // Who says whom to trust, or shows a certificate, does not want to go on in clear because a server asks for no more.
        for server in &mut servers {
            server.tls |= is_told_of;
        }
        Ok(Self {
            credentials: credentials(settings, in_url)?,
            tls,
            tls_first: settings.or("tls_first", false, Value::flag)?,
            name: settings.or("connection_name", "mainstay".to_owned(), |value| {
                Ok(value.text()?.to_owned())
            })?,
            inbox_prefix: settings.or("inbox_prefix", "_INBOX".to_owned(), inbox_prefix)?,
            timeout: settings.or("timeout", 5 * SECOND, |value| value.duration(SECOND / 10..=60 * SECOND))?,
            ping_interval: settings.or("ping_interval", 30 * SECOND, |value| value.duration(SECOND..=HOUR))?,
            reconnect_max: settings.or("reconnect_max", 10 * SECOND, |value| value.duration(SECOND / 10..=HOUR))?,
            discover: settings.or("discover", true, Value::flag)?,
            pending: settings.or("pending", 8 << 20, |value| size(value, 64 << 10))?,
            api: api(settings)?,
            servers,
        })
    }
}

/// A size of at least `min` and at most a gibibyte.
pub fn size(value: &Value, min: u64) -> Result<usize, ConfigError> {
    let size = value.size(min..=1 << 30)?;
    usize::try_from(size).map_err(|error| value.error(error))
}

fn servers(value: &Value) -> Result<(Vec<ServerAddress>, Option<Credentials>), ConfigError> {
    let mut servers = Vec::new();
    let mut credentials = None;
    for item in value.list()? {
        // The text may hold a password, so the value's own error, which quotes it, will not do.
        let parsed = ServerAddress::parse(item.text()?);
        let (server, found) = parsed.map_err(|error| ConfigError::new(format!("{} {error}", value.name())))?;
        servers.push(server);
        credentials = credentials.or(found);
    }
    if servers.is_empty() {
        return Err(value.error("no server, for example nats://nats.example:4222"));
    }
    Ok((servers, credentials))
}

fn credentials(settings: &mut Settings, in_url: Option<Credentials>) -> Result<Credentials, ConfigError> {
    let [user, password, token, nkey, jwt, creds] =
        ["user", "password", "token", "nkey", "jwt", "creds"].map(|key| settings.secret(key));
    let (user, password, token, nkey, jwt, creds) = (user?, password?, token?, nkey?, jwt?, creds?);
    let user_variable = match (user, password) {
        (Some(user), Some(password)) => Some(Credentials::User {
            user: user.reveal().to_owned(),
            password: password.reveal().to_owned(),
        }),
        (None, None) => None,
        (Some(_), None) => {
            return Err(ConfigError::new(
                "NATS_USER is set and NATS_PASSWORD is not, must be both",
            ));
        }
        (None, Some(_)) => {
            return Err(ConfigError::new(
                "NATS_PASSWORD is set and NATS_USER is not, must be both",
            ));
        }
    };
    let named = |name: &'static str| move |error: AuthError| ConfigError::new(format!("{name} {error}"));
    let by_key = match (jwt, nkey) {
        (Some(jwt), Some(seed)) => Some((
            "NATS_JWT",
            Credentials::jwt(jwt.reveal(), seed.reveal()).map_err(named("NATS_NKEY"))?,
        )),
        (Some(_), None) => {
            return Err(ConfigError::new(
                "NATS_JWT is set and NATS_NKEY, the seed that signs, is not",
            ));
        }
        (None, Some(seed)) => Some((
            "NATS_NKEY",
            Credentials::nkey(seed.reveal()).map_err(named("NATS_NKEY"))?,
        )),
        (None, None) => None,
    };
    let by_creds = match creds {
        Some(creds) => Some(Credentials::creds(&creds_text(&creds)?).map_err(named("NATS_CREDS"))?),
        None => None,
    };
    let mut ways = [
        in_url.map(|credentials| ("the user of NATS_URL", credentials)),
        user_variable.map(|credentials| ("NATS_USER", credentials)),
        token.map(|token| ("NATS_TOKEN", Credentials::Token(token.reveal().to_owned()))),
        by_key,
        by_creds.map(|credentials| ("NATS_CREDS", credentials)),
    ]
    .into_iter()
    .flatten();
    match (ways.next(), ways.next()) {
        (Some((first, _)), Some((second, _))) => Err(ConfigError::new(format!(
            "{first} and {second} are both set, must be one"
        ))),
        (Some((_, credentials)), None) => Ok(credentials),
        (None, _) => Ok(Credentials::None),
    }
}

/// The credentials themselves, or the path of their file, as the NATS CLI takes it.
fn creds_text(creds: &Secret) -> Result<String, ConfigError> {
    let text = creds.reveal();
    if text.contains("-----BEGIN") {
        return Ok(text.to_owned());
    }
    std::fs::read_to_string(text).map_err(|error| {
        ConfigError::new(format!(
            "NATS_CREDS is neither the text of a credentials file nor the path of one: {error}"
        ))
    })
}

/// How TLS is spoken, and whether any of it was set.
fn tls(settings: &mut Settings) -> Result<(Tls, bool), ConfigError> {
    let mut pem = |key| -> Result<Option<Pem>, ConfigError> {
        Ok(settings.secret(key)?.map(|secret| Pem::from(secret.reveal())))
    };
    let (authorities, certificate, key) = (pem("ca")?, pem("cert")?, pem("key")?);
    let server_name = match settings.value("tls_server_name") {
        Some(value) => Some(value.text()?.to_owned()),
        None => None,
    };
    let is_told_of = authorities.is_some() || certificate.is_some() || key.is_some() || server_name.is_some();
    let settings = TlsSettings {
        authorities,
        certificate,
        key,
        server_name,
        ..TlsSettings::default()
    };
    let loaded = settings
        .load()
        .map_err(|error| ConfigError::new(format!("NATS_CA, NATS_CERT, NATS_KEY: {error}")))?;
    let tls = loaded.ok_or_else(|| ConfigError::new("tls: verification is off"))?;
    Ok((tls, is_told_of))
}

fn inbox_prefix(value: &Value) -> Result<String, ConfigError> {
    let text = value.text()?.trim_end_matches('.');
    let literal = text.parse::<Pattern>().is_ok_and(|pattern| pattern.is_literal());
    if !literal || text.starts_with('$') {
        return Err(value.error("not a subject without wildcards, for example _INBOX_orders"));
    }
    Ok(text.to_owned())
}

fn api(settings: &mut Settings) -> Result<Api, ConfigError> {
    let (domain, prefix) = (settings.value("js_domain"), settings.value("js_api_prefix"));
    let checked = |value: &Value| -> Result<String, ConfigError> {
        let text = value.text()?.trim_end_matches('.');
        let literal = text.parse::<Pattern>().is_ok_and(|pattern| pattern.is_literal());
        if literal {
            Ok(text.to_owned())
        } else {
            Err(value.error("not a subject without wildcards"))
        }
    };
    match (domain, prefix) {
        (Some(domain), Some(prefix)) => {
            let (domain, prefix) = (domain.name(), prefix.name());
            Err(ConfigError::new(format!(
                "{domain} and {prefix} are both set, must be one"
            )))
        }
        (Some(domain), None) => Ok(Api::domain(&checked(&domain)?)),
        (None, Some(prefix)) => Ok(Api::prefix(&checked(&prefix)?)),
        (None, None) => Ok(Api::default()),
    }
}
