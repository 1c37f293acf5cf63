//! An endpoint as the OpenTelemetry specification writes it.

use std::net::SocketAddr;

use hyper::Uri;
use mainstay_runtime::net::{Endpoint, Host};

/// `https://collector.example:4318/base`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    text: String,
    /// Where to connect.
    pub endpoint: Endpoint,
    /// Whether it says how to: `http` is false, `https` true; gRPC may leave it to another setting.
    pub secure: Option<bool>,
    /// Beginning with a slash.
    pub path: String,
}

impl Url {
    /// Reads a URL. `port` is for a URL that names none, and has no scheme with one.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn parse(text: &str, scheme_required: bool, port: u16) -> Result<Self, String> {
        const EXAMPLE: &str = "for example https://collector.example:4318";
        let (secure, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Some(false), rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Some(true), rest),
            Some((scheme, _)) => return Err(format!("scheme {scheme} is not http or https, {EXAMPLE}")),
            None if scheme_required => return Err(format!("no scheme, {EXAMPLE}")),
            None => (None, text),
        };
        let (authority, path) = match rest.find(['/', '?', '#']) {
            Some(at) => rest.split_at_checked(at).unwrap_or((rest, "")),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err("a user in a URL is not taken: set a user and a password of their own".to_owned());
        }
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        if path.contains('#') || path.parse::<Uri>().is_err() {
            return Err(format!("{path:?} is not the path of a URL"));
        }
        let default_port = match secure {
            Some(_) if !scheme_required => port,
            Some(true) => 443,
            Some(false) => 80,
            None => port,
        };
        let endpoint = Endpoint::parse(authority, Some(default_port)).map_err(|error| error.to_string())?;
        Ok(Self {
            text: text.to_owned(),
            endpoint,
            secure,
            path,
        })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What stands in the `host` header: the port is left out where the scheme implies it.
    pub fn authority(&self) -> String {
        let implied = match self.secure {
            Some(true) => 443,
            Some(false) => 80,
            None => 0,
        };
        let whole = self.endpoint.to_string();
        match whole.rsplit_once(':') {
            Some((host, _)) if self.endpoint.port() == implied => host.to_owned(),
            _ => whole,
        }
    }

    /// The URL with this path behind it, and one slash between them.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        let (base, query) = self
            .path
            .split_once('?')
            .map_or((&*self.path, ""), |(base, query)| (base, query));
        let query = if query.is_empty() {
            String::new()
        } else {
            format!("?{query}")
        };
        Self {
            path: format!("{}/{path}{query}", base.trim_end_matches('/')),
            ..self.clone()
        }
    }

    /// The URL with this path in place of its own.
    #[must_use]
    pub fn with_path(&self, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..self.clone()
        }
    }

    /// Whether it leads to this address of the workload's loopback.
    pub fn is_at(&self, address: SocketAddr) -> bool {
        let same_host = match self.endpoint.host() {
            Host::Address(ip) => *ip == address.ip() || (ip.is_loopback() && address.ip().is_loopback()),
            Host::Name(name) => {
                address.ip().is_loopback() && (name == "localhost" || name == "service.wasmcloud.internal")
            }
        };
        same_host && self.endpoint.port() == address.port()
    }
}
