//! Which hosts a guest may connect to and which names it may look up.
//!
//! The forms are those of wash's `allowedHosts` and `allowedIpNameLookups`. A list without entries grants nothing.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Why an entry was refused: its text, the rule, the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{entry}\" {rule}")]
pub struct PatternError {
    entry: String,
    rule: &'static str,
}

/// A host name, all names below one, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Any,
    Exact(String),
    /// The part after `*`, dot included: `.example.com`.
    Below(String),
}

impl Name {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let name = text.to_ascii_lowercase();
        match name.strip_prefix('*') {
            Some("") => Ok(Self::Any),
            Some(rest) if rest.starts_with('.') && rest.len() > 1 && is_name(rest) => Ok(Self::Below(rest.to_owned())),
            Some(_) => Err("is not a pattern: a wildcard is * alone or *.name, for example *.example.com"),
            None if is_name(&name) || name.parse::<IpAddr>().is_ok() => Ok(Self::Exact(name)),
            None => Err("is not a host name or an address, for example api.example.com"),
        }
    }

    fn matches(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        match self {
            Self::Any => true,
            Self::Exact(exact) => match (exact.parse::<IpAddr>(), name.parse::<IpAddr>()) {
                (Ok(left), Ok(right)) => left.to_canonical() == right.to_canonical(),
                _ => *exact == name,
            },
            // An address has no subdomains, and a name is not below itself.
            Self::Below(suffix) => {
                name.len() > suffix.len() && name.ends_with(suffix) && name.parse::<IpAddr>().is_err()
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(name) => f.write_str(name),
            Self::Below(suffix) => write!(f, "*{suffix}"),
        }
    }
}

/// One entry of `allowedHosts`: `*`, `[scheme://]host[:port]` or `[scheme://]*.domain[:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    scheme: Option<String>,
    host: Name,
    port: Option<u16>,
}

impl HostPattern {
    /// Whether an HTTP request may go there.
    #[must_use]
    pub fn allows_request(&self, scheme: &str, host: &str, port: Option<u16>) -> bool {
        self.scheme
            .as_ref()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(scheme))
            && self.host.matches(host.trim_start_matches('[').trim_end_matches(']'))
            && self.port.is_none_or(|wanted| Some(wanted) == port)
    }

    /// Whether a socket may connect there. A socket has no scheme, and only `*` or an address can speak of one.
    #[must_use]
    pub fn allows_address(&self, address: SocketAddr) -> bool {
        self.host.matches(&address.ip().to_string()) && self.port.is_none_or(|wanted| wanted == address.port())
    }
}

impl FromStr for HostPattern {
    type Err = PatternError;

    fn from_str(entry: &str) -> Result<Self, PatternError> {
        let refuse = |rule| PatternError {
            entry: entry.to_owned(),
            rule,
        };
        let (scheme, rest) = match entry.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => {
                (Some(scheme.to_owned()), rest.strip_suffix('/').unwrap_or(rest))
            }
            Some(_) => return Err(refuse("has a scheme that is not http or https")),
            None => (None, entry),
        };
        if rest.contains(['/', '?', '#', '@']) {
            return Err(refuse(
                "must be a host with an optional scheme and port, without a path or credentials",
            ));
        }
        let (host, port) = split_port(rest).map_err(refuse)?;
        Ok(Self {
            scheme,
            host: Name::parse(host).map_err(refuse)?,
            port,
        })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = &self.scheme {
            write!(f, "{scheme}://")?;
        }
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => self.host.fmt(f),
        }
    }
}

/// `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address.
fn split_port(text: &str) -> Result<(&str, Option<u16>), &'static str> {
    let parse = |port: &str| port.parse().map(Some).map_err(|_| "has a port that is not in 0-65535");
    if let Some((address, after)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return match after.strip_prefix(':') {
            Some(port) => Ok((address, parse(port)?)),
            None if after.is_empty() => Ok((address, None)),
            None => Err("has text after the closing bracket that is not a port"),
        };
    }
    match text.rsplit_once(':') {
        Some(_) if text.parse::<IpAddr>().is_ok() => Ok((text, None)),
        Some((host, port)) => Ok((host, parse(port)?)),
        None => Ok((text, None)),
    }
}

/// One entry of `allowedIpNameLookups`: `*`, `name`, `*.domain` or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern(Name);

impl NamePattern {
    /// Whether this name may be looked up.
    #[must_use]
    pub fn allows(&self, name: &str) -> bool {
        self.0.matches(name)
    }
}

impl FromStr for NamePattern {
    type Err = PatternError;

    fn from_str(entry: &str) -> Result<Self, PatternError> {
        Name::parse(entry).map(Self).map_err(|rule| PatternError {
            entry: entry.to_owned(),
            rule,
        })
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(entry: &str) -> HostPattern {
        entry.parse().unwrap()
    }

    #[test]
    fn a_request_matches_by_host_scheme_and_port() {
        assert!(host("*").allows_request("http", "anything.example", None));
        assert!(host("api.example.com").allows_request("https", "API.example.com", Some(8443)));
        assert!(host("https://api.example.com").allows_request("https", "api.example.com", None));
        assert!(!host("https://api.example.com").allows_request("http", "api.example.com", None));
        assert!(host("*.example.com:8443").allows_request("https", "a.b.example.com", Some(8443)));
        assert!(!host("*.example.com:8443").allows_request("https", "a.example.com", Some(443)));
        assert!(!host("*.example.com").allows_request("https", "example.com", None));
        assert!(!host("example.com").allows_request("https", "badexample.com", None));
    }

    #[test]
    fn a_socket_matches_by_address_only() {
        let address: SocketAddr = "10.0.0.5:5432".parse().unwrap();
        assert!(host("10.0.0.5").allows_address(address));
        assert!(host("10.0.0.5:5432").allows_address(address));
        assert!(!host("10.0.0.5:5433").allows_address(address));
        assert!(!host("db.example.com").allows_address(address));
        assert!(!host("*.0.0.5").allows_address(address));
        assert!(host("[::1]:80").allows_address("[::1]:80".parse().unwrap()));
        assert!(host("::1").allows_address("[::1]:80".parse().unwrap()));
    }

    #[test]
    fn a_lookup_matches_by_name() {
        let below: NamePattern = "*.example.com".parse().unwrap();
        assert!(below.allows("db.example.com."));
        assert!(!below.allows("example.com"));
    }

    #[test]
    fn a_pattern_that_would_match_too_much_or_nothing_is_refused() {
        for bad in [
            "",
            "*com",
            "*.",
            "http://a/b",
            "ftp://a",
            "a:99999",
            "user@host",
            "[::1]x",
            "a b",
        ] {
            let error = bad.parse::<HostPattern>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("\"{bad}\" ")), "{error}");
        }
    }
}
