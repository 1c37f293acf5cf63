//! Where telemetry goes: `OTEL_EXPORTER_OTLP_*` as the specification has them (Protocol Exporter 1.x §Configuration
//! Options), or `[[destination]]` tables with the same names.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use mainstay_otel_core::Signal;
use mainstay_runtime::config::{ConfigError, Secret, Settings, Value, parse_duration};
use mainstay_runtime::net::{Pem, Tls, TlsSettings, Verification};

use super::Url;

/// A collector.
#[derive(Clone, Debug)]
pub struct Destination {
    /// As logs, metrics and events call it.
    pub name: String,
    /// Where each of its signals goes; those that are missing do not go there.
    pub targets: Vec<(Signal, Target)>,
}

/// Where the requests of one signal go.
#[derive(Clone, Debug)]
pub struct Target {
    /// The setting that named it.
    pub name: String,
    /// The whole URL: with the signal's path, unless the signal has a URL of its own.
    pub url: Url,
    /// TLS, ready for use, or none.
    pub tls: Option<Tls>,
    /// Over what, and in which encoding.
    pub protocol: Protocol,
    /// Sent with each request. The values are secrets.
    pub headers: HeaderMap,
    /// How bodies are compressed.
    pub compression: Compression,
    /// How long one attempt may take.
    pub timeout: Duration,
}

/// Over what, and in which encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf.
    HttpProtobuf,
    /// OTLP/HTTP with JSON.
    HttpJson,
}

/// How bodies are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Compression {
    /// As headers call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// What is set for one signal, or for all of them.
#[derive(Default)]
struct Layer {
    endpoint: Option<Value>,
    protocol: Option<Protocol>,
    insecure: Option<bool>,
    certificate: Option<Pem>,
    client_certificate: Option<Pem>,
    client_key: Option<Pem>,
    headers: Option<HeaderMap>,
    compression: Option<Compression>,
    timeout: Option<Duration>,
}

/// What has no counterpart in the specification, and holds for all signals.
struct Shared {
    authorization: Option<HeaderValue>,
    verification: Verification,
    server_name: Option<String>,
}

/// Reads the destinations.
pub(super) fn read(settings: &mut Settings) -> Result<Vec<Destination>, ConfigError> {
    let mut destinations = settings.tables("destination", table)?;
    if let Some(inline) = settings.value("destinations") {
        let more = Settings::read_toml("OTEL_DESTINATIONS", inline.text()?, |inline| {
            inline.tables("destination", table)
        })?;
        destinations.extend(more);
    }
    let by_variables = one(settings, "exporter_otlp_", "default".to_owned(), &Signal::ALL)?;
    if destinations.is_empty() {
        if by_variables.targets.is_empty() {
            return Err(ConfigError::new(
                "OTEL_EXPORTER_OTLP_ENDPOINT is not set, for example OTEL_EXPORTER_OTLP_ENDPOINT=\"https://collector.example:4318\"",
            ));
        }
        destinations.push(by_variables);
    }
    for (index, destination) in destinations.iter().enumerate() {
        if destinations
            .iter()
            .take(index)
            .any(|other| other.name == destination.name)
        {
            return Err(ConfigError::new(format!(
                "destination {:?}: the name is there twice",
                destination.name
            )));
        }
    }
    Ok(destinations)
}

fn table(settings: &mut Settings) -> Result<Destination, ConfigError> {
    let name = settings.required("name", "vendor")?;
    let name_text = name.text()?.to_owned();
    let simple = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name_text.is_empty() || name_text.len() > 64 || !name_text.bytes().all(simple) {
        return Err(name.error("not 1 to 64 letters, digits and . _ -"));
    }
    let signals = settings.or("signals", Signal::ALL.to_vec(), |value| {
        let words = Signal::ALL.map(|signal| (signal.name(), signal));
        value.list()?.iter().map(|item| item.one_of(&words)).collect()
    })?;
    let destination = one(settings, "", name_text, &signals)?;
    if destination.targets.is_empty() {
        return Err(settings.error("endpoint is not set, for example endpoint = \"https://collector.example:4318\""));
    }
    Ok(destination)
}

/// A destination whose settings begin with this prefix.
fn one(settings: &mut Settings, prefix: &str, name: String, signals: &[Signal]) -> Result<Destination, ConfigError> {
    let shared = Shared::read(settings, prefix)?;
    let general = Layer::read(settings, prefix)?;
    let mut targets = Vec::new();
    for signal in Signal::ALL {
        let own = Layer::read(settings, &format!("{prefix}{signal}_"))?;
        if signals.contains(&signal)
            && let Some(target) = target(signal, own, &general, &shared)?
        {
            targets.push((signal, target));
        }
    }
    Ok(Destination { name, targets })
}

fn target(signal: Signal, own: Layer, general: &Layer, shared: &Shared) -> Result<Option<Target>, ConfigError> {
    let protocol = own.protocol.or(general.protocol).unwrap_or(Protocol::HttpProtobuf);
    let parse = |value: &Value| {
        let (scheme_required, port) = if protocol == Protocol::Grpc {
            (false, 4317)
        } else {
            (true, 4318)
        };
        value.parse(|text| Url::parse(text, scheme_required, port))
    };
    let (value, url) = match (&own.endpoint, &general.endpoint) {
        // A signal's own URL is used as it is; the general one is a base.
        (Some(value), _) => (value, parse(value)?),
        (None, Some(value)) if protocol == Protocol::Grpc => (value, parse(value)?),
        (None, Some(value)) => (value, parse(value)?.join(signal.http_path())),
        (None, None) => return Ok(None),
    };
    let url = if protocol == Protocol::Grpc {
        // The path is the method's; what the URL has is of no use.
        url.with_path(signal.grpc_path())
    } else {
        url
    };
    let secure = url
        .secure
        .unwrap_or_else(|| !own.insecure.or(general.insecure).unwrap_or(false));
    let mut headers = own.headers.or_else(|| general.headers.clone()).unwrap_or_default();
    if let Some(authorization) = &shared.authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    let tls = TlsSettings {
        verification: if secure { shared.verification } else { Verification::Off },
        authorities: own.certificate.or_else(|| general.certificate.clone()),
        certificate: own.client_certificate.or_else(|| general.client_certificate.clone()),
        key: own.client_key.or_else(|| general.client_key.clone()),
        server_name: shared.server_name.clone(),
        protocols: vec![if protocol == Protocol::Grpc { "h2" } else { "http/1.1" }.to_owned()],
    };
    let tls = tls
        .load()
        .map_err(|error| ConfigError::new(format!("{}: {error}", value.name())))?;
    Ok(Some(Target {
        name: value.name().to_owned(),
        url,
        tls,
        protocol,
        headers,
        compression: own.compression.or(general.compression).unwrap_or(Compression::None),
        timeout: own.timeout.or(general.timeout).unwrap_or(Duration::from_secs(10)),
    }))
}

impl Layer {
    fn read(settings: &mut Settings, prefix: &str) -> Result<Self, ConfigError> {
        let mut value = |key: &str| settings.value(&format!("{prefix}{key}"));
        let pem = |value: Option<Value>| value.map(|value| value.text().map(Pem::from)).transpose();
        Ok(Self {
            endpoint: value("endpoint"),
            protocol: value("protocol").map(|value| value.one_of(&PROTOCOLS)).transpose()?,
            insecure: value("insecure").map(|value| flag(&value)).transpose()?,
            certificate: pem(value("certificate"))?,
            client_certificate: pem(value("client_certificate"))?,
            client_key: pem(value("client_key"))?,
            compression: value("compression")
                .map(|value| value.one_of(&COMPRESSIONS))
                .transpose()?,
            timeout: value("timeout").map(|value| timeout(&value)).transpose()?,
            headers: settings
                .secret(&format!("{prefix}headers"))?
                .map(|text| headers(&format!("{prefix}headers"), &text))
                .transpose()?,
        })
    }
}

impl Shared {
    fn read(settings: &mut Settings, prefix: &str) -> Result<Self, ConfigError> {
        let mut secret = |key: &str| settings.secret(&format!("{prefix}{key}"));
        let (token, user, password) = (secret("bearer_token")?, secret("username")?, secret("password")?);
        let authorization = match (token, user, password) {
            (None, None, None) => None,
            (Some(token), None, None) => Some(format!("Bearer {}", token.reveal())),
            (None, Some(user), Some(password)) => {
                let pair = format!("{}:{}", user.reveal(), password.reveal());
                Some(format!("Basic {}", STANDARD.encode(pair)))
            }
            (Some(_), ..) => {
                return Err(settings.error(format!(
                    "{prefix}bearer_token and {prefix}username are both set, must be one"
                )));
            }
            _ => {
                return Err(settings.error(format!(
                    "of {prefix}username and {prefix}password one is set, must be both"
                )));
            }
        };
        let authorization = authorization
            .map(|text| {
                HeaderValue::from_str(&text)
                    .map_err(|_| settings.error(format!("{prefix}bearer_token: holds what no header may")))
            })
            .transpose()?
            .map(|mut value| {
                value.set_sensitive(true);
                value
            });
        Ok(Self {
            authorization,
            verification: settings.or(&format!("{prefix}tls"), Verification::VerifyFull, |value| {
                value.one_of(&[
                    ("require", Verification::Require),
                    ("verify-ca", Verification::VerifyCa),
                    ("verify-full", Verification::VerifyFull),
                ])
            })?,
            server_name: settings.or(&format!("{prefix}tls_server_name"), None, |value| {
                Ok(Some(value.text()?.to_owned()))
            })?,
        })
    }
}

const PROTOCOLS: [(&str, Protocol); 3] = [
    ("grpc", Protocol::Grpc),
    ("http/protobuf", Protocol::HttpProtobuf),
    ("http/json", Protocol::HttpJson),
];

const COMPRESSIONS: [(&str, Compression); 3] = [
    ("none", Compression::None),
    ("gzip", Compression::Gzip),
    ("zstd", Compression::Zstd),
];

/// Booleans of the specification are written in any case.
fn flag(value: &Value) -> Result<bool, ConfigError> {
    match value.text()?.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(value.error("not one of true, false")),
    }
}

/// The specification's durations are milliseconds without a unit; with one it is taken too.
fn timeout(value: &Value) -> Result<Duration, ConfigError> {
    let text = value.text()?.trim();
    let duration = match text.parse() {
        Ok(milliseconds) => Duration::from_millis(milliseconds),
        Err(_) => value.parse(parse_duration)?,
    };
    if duration.is_zero() || duration > Duration::from_secs(3600) {
        return Err(value.error("not in 1 to 3600000 (milliseconds), nor a duration up to 1h"));
    }
    Ok(duration)
}

/// `name=value` pairs with commas between them, the values percent-encoded (W3C Baggage §3.3.1, without properties). No error
/// shows a value.
fn headers(name: &str, text: &Secret) -> Result<HeaderMap, ConfigError> {
    let mut headers = HeaderMap::new();
    for pair in text.reveal().split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(ConfigError::new(format!(
                "{name}: an entry without a =, for example api-key=secret"
            )));
        };
        let key = key.trim();
        let wrong = |what| ConfigError::new(format!("{name}: {what} of {key:?} holds what no header may"));
        let header = HeaderName::from_bytes(key.to_ascii_lowercase().as_bytes()).map_err(|_| wrong("the name"))?;
        let value = mainstay_otel_core::grpc::decode_message(value.trim());
        let mut value = HeaderValue::from_str(&value).map_err(|_| wrong("the value"))?;
        value.set_sensitive(true);
        headers.append(header, value);
    }
    Ok(headers)
}
