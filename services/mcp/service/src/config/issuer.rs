//! Where the keys of an issuer are fetched from, and how often.

use std::time::Duration;

use hyper::Uri;
use mainstay_runtime::config::{ConfigError, Settings, Value};
use mainstay_runtime::net::{Endpoint, Tls, TlsSettings};

/// Where the keys of an issuer are fetched from, and how often.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// As it was written.
    pub url: String,
    /// Where to connect.
    pub endpoint: Endpoint,
    /// Host and port, as they stand in the URL.
    pub authority: String,
    /// Path and query.
    pub path: String,
    /// For `https`.
    pub tls: Option<Tls>,
    /// After this long they are fetched again.
    pub age: Duration,
    /// For a key that is not known they are fetched again too, but not sooner than this after the last time.
    pub pause: Duration,
}

impl Issuer {
    pub(super) fn read(settings: &mut Settings) -> Result<Option<Self>, ConfigError> {
        let url = settings.value("auth_jwks_url");
        let authorities = settings.value("auth_jwks_ca");
        let second = Duration::from_secs(1);
        let age = settings.or("auth_jwks_age", second * 3600, |value| {
            value.duration(second..=second * 86_400)
        })?;
        let pause = settings.or("auth_jwks_pause", second * 30, |value| {
            value.duration(second / 100..=second * 3600)
        })?;
        let Some(url) = url else {
            return match authorities {
                None => Ok(None),
                Some(value) => Err(value.error("is for MCP_AUTH_JWKS_URL, which is not set")),
            };
        };
        let text = url.text()?.to_owned();
        let uri = text.parse::<Uri>().ok().filter(|uri| uri.authority().is_some());
        let uri = uri.ok_or_else(|| url.error(NOT_A_URL))?;
        let (port, tls) = match uri.scheme_str() {
            Some("https") => (443, Some(tls(&url, authorities.as_ref())?)),
            Some("http") => (80, None),
            _ => return Err(url.error(NOT_A_URL)),
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str()).to_owned();
        let endpoint = Endpoint::parse(&authority, Some(port)).map_err(|error| url.error(error.to_string()))?;
        Ok(Some(Self {
            endpoint,
            authority,
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            tls,
            age,
            pause,
            url: text,
        }))
    }
}

const NOT_A_URL: &str = "not a URL, for example https://issuer.example.com/.well-known/jwks.json";

fn tls(url: &Value, authorities: Option<&Value>) -> Result<Tls, ConfigError> {
    let pem = authorities
        .map(|value| Ok::<_, ConfigError>(value.text()?.into()))
        .transpose()?;
    let settings = TlsSettings {
        authorities: pem,
        ..TlsSettings::default()
    };
    let wrong = |rule: String| authorities.unwrap_or(url).error(&rule);
    let tls = settings.load().map_err(|error| wrong(error.to_string()))?;
    tls.ok_or_else(|| wrong("needs TLS".to_owned()))
}
