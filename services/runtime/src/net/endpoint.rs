//! A host, by name or address, and a port.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Where to connect: `nats.example:4222`, `10.0.0.7:4222` or `[2001:db8::7]:4222`.
///
/// ```
/// use mainstay_runtime::net::Endpoint;
///
/// let endpoint = Endpoint::parse("nats.example", Some(4222)).unwrap();
/// assert_eq!(endpoint.to_string(), "nats.example:4222");
/// let error = Endpoint::parse("nats.example:99999", None).unwrap_err();
/// assert_eq!(error.to_string(), r#""nats.example:99999": port "99999" is not in 1-65535"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    host: Host,
    port: u16,
}

/// A host as its user wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// To be looked up. Lower case, without the dot of the root.
    Name(String),
    /// To be connected to as it is.
    Address(IpAddr),
}

/// Why a text is no [`Endpoint`]: the value and the rule that it breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:?}: {rule}")]
pub struct EndpointError {
    value: String,
    rule: String,
}

/// RFC 1035 §2.3.4, without the dot of the root.
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

impl Endpoint {
    /// An endpoint made of its parts.
    pub fn new(host: Host, port: u16) -> Self {
        Self { host, port }
    }

    /// Reads `host:port`, or `host` alone where there is a `default_port`. An IPv6 address with a port needs brackets.
    pub fn parse(text: &str, default_port: Option<u16>) -> Result<Self, EndpointError> {
        parse(text, default_port).map_err(|rule| EndpointError {
            value: text.to_owned(),
            rule,
        })
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, never 0.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, None)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl FromStr for Host {
    type Err = EndpointError;

    /// Reads a name or an address, without brackets and without a port.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_host(text).map_err(|rule| EndpointError {
            value: text.to_owned(),
            rule,
        })
    }
}

fn parse(text: &str, default_port: Option<u16>) -> Result<Endpoint, String> {
    if text.contains("://") {
        return Err("a URL is not taken here, only host:port".to_owned());
    }
    let (host, port) = split(text)?;
    let port = match (port, default_port) {
        (Some(port), _) => parse_port(port)?,
        (None, Some(port)) => port,
        (None, None) => return Err("a port is missing, for example example.com:4222".to_owned()),
    };
    Ok(Endpoint { host, port })
}

fn split(text: &str) -> Result<(Host, Option<&str>), String> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or("a closing ] is missing")?;
        let address: Ipv6Addr = address
            .parse()
            .map_err(|_| format!("{address:?} is not an IPv6 address"))?;
        let port = match rest.strip_prefix(':') {
            None if !rest.is_empty() => return Err(format!("{rest:?} after ] is not a port")),
            port => port,
        };
        return Ok((Host::Address(address.into()), port));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((parse_host(text)?, None));
    }
    match text.rsplit_once(':') {
        Some((host, _)) if host.contains(':') => {
            Err("an IPv6 address with a port needs brackets: [::1]:4222".to_owned())
        }
        Some((host, port)) => Ok((parse_host(host)?, Some(port))),
        None => Ok((parse_host(text)?, None)),
    }
}

fn parse_port(text: &str) -> Result<u16, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = if digits { text.parse().ok() } else { None };
    port.filter(|port| *port != 0)
        .ok_or_else(|| format!("port {text:?} is not in 1-65535"))
}

fn parse_host(text: &str) -> Result<Host, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Host::Address(address));
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.is_empty() {
        return Err("a host is missing, for example example.com:4222".to_owned());
    }
    if name.len() > MAX_NAME {
        return Err(format!(
            "a host name has at most {MAX_NAME} characters, this one has {}",
            name.len()
        ));
    }
    for label in name.split('.') {
        check_label(label)?;
    }
    if name
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Err(format!(
            "{name:?} is not an IPv4 address, and no host name ends in a number"
        ));
    }
    Ok(Host::Name(name.to_ascii_lowercase()))
}

/// RFC 1123 §2.1, and the underscore, which networks of containers use.
fn check_label(label: &str) -> Result<(), String> {
    if label.is_empty() {
        return Err("a host name has no empty part between its dots".to_owned());
    }
    if label.len() > MAX_LABEL {
        return Err(format!(
            "a part of a host name has at most {MAX_LABEL} characters, {label:?} has {}",
            label.len()
        ));
    }
    if let Some(odd) = label
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'))
    {
        return Err(match odd.is_ascii() {
            true => format!("{odd:?} does not belong in a host name"),
            false => format!("{odd:?} does not belong in a host name, write international names as xn--"),
        });
    }
    match label.starts_with('-') || label.ends_with('-') {
        true => Err(format!("{label:?} begins or ends with a hyphen")),
        false => Ok(()),
    }
}

impl From<Ipv4Addr> for Host {
    fn from(address: Ipv4Addr) -> Self {
        Self::Address(address.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_and_addresses_are_read_and_shown_the_same() {
        for text in [
            "nats.example:4222",
            "a:1",
            "10.0.0.7:80",
            "[::1]:65535",
            "my_service.ns.svc:5432",
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        let cases = [
            ("Example.COM.:1", "example.com:1"),
            ("[::1]", "[::1]:9"),
            ("::1", "[::1]:9"),
            ("1.2.3.4", "1.2.3.4:9"),
        ];
        for (text, shown) in cases {
            assert_eq!(Endpoint::parse(text, Some(9)).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_the_rule_it_breaks() {
        let cases = [
            ("", "a host is missing, for example example.com:4222"),
            (":80", "a host is missing, for example example.com:4222"),
            ("example.com", "a port is missing, for example example.com:4222"),
            ("example.com:", "port \"\" is not in 1-65535"),
            ("example.com:0", "port \"0\" is not in 1-65535"),
            ("example.com:+1", "port \"+1\" is not in 1-65535"),
            ("example.com:65536", "port \"65536\" is not in 1-65535"),
            ("nats://example.com:4222", "a URL is not taken here, only host:port"),
            ("::1:80:", "an IPv6 address with a port needs brackets: [::1]:4222"),
            ("[::1:80", "a closing ] is missing"),
            ("[example.com]:80", "\"example.com\" is not an IPv6 address"),
            ("[::1]80", "\"80\" after ] is not a port"),
            (
                "10.0.0.256:80",
                "\"10.0.0.256\" is not an IPv4 address, and no host name ends in a number",
            ),
            ("a..b:80", "a host name has no empty part between its dots"),
            ("a b:80", "' ' does not belong in a host name"),
            ("user@host:80", "'@' does not belong in a host name"),
            (
                "münchen.example:80",
                "'ü' does not belong in a host name, write international names as xn--",
            ),
            ("-a.example:80", "\"-a\" begins or ends with a hyphen"),
        ];
        for (text, rule) in cases {
            assert_eq!(
                text.parse::<Endpoint>().unwrap_err().to_string(),
                format!("{text:?}: {rule}")
            );
        }
        let long = format!("{}.example:80", "a".repeat(64));
        assert!(
            long.parse::<Endpoint>()
                .unwrap_err()
                .to_string()
                .contains("at most 63 characters")
        );
        let long = format!("{}example:80", "abc.".repeat(80));
        assert!(
            long.parse::<Endpoint>()
                .unwrap_err()
                .to_string()
                .contains("at most 253 characters")
        );
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd_to_read(text in "\\PC{0,40}") {
            let _ = Endpoint::parse(&text, Some(1));
        }

        #[test]
        fn what_is_shown_reads_as_the_same(
            text in "\\[?[a-zA-Z0-9._:-]{0,20}\\]?(:[0-9]{1,6})?",
            default_port in proptest::option::of(1_u16..),
        ) {
            if let Ok(endpoint) = Endpoint::parse(&text, default_port) {
                prop_assert_ne!(endpoint.port(), 0);
                prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
            }
        }
    }
}
