//! Who may send HTTP requests here: `Host` and `Origin`, compared exactly.
//!
//! A page that a browser loaded from somewhere else must not reach a server on its user's machine, whatever a name
//! server says (DNS rebinding).

/// The hosts and origins that are let in.
#[derive(Clone, Debug)]
pub struct Allowed {
    /// Names as a `Host` header has them, without the port. None: every host.
    hosts: Option<Vec<String>>,
    /// Origins beside those of the hosts, as an `Origin` header has them.
    origins: Vec<String>,
}

/// Why a request is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The `Host` header.
    #[error("host {0:?} is not served here; MCP_HOSTS names those that are")]
    Host(String),
    /// The `Origin` header.
    #[error("origin {0:?} is not allowed here; MCP_ORIGINS names those that are")]
    Origin(String),
}

/// A setting that is no host or origin, in words.
pub type Rule = &'static str;

impl Default for Allowed {
    fn default() -> Self {
        Self {
            hosts: Some(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).to_vec()),
            origins: Vec::new(),
        }
    }
}

impl Allowed {
    /// Lets in these hosts on any port, and pages of theirs; and pages of these origins. `*` lets in every host.
    ///
    /// # Errors
    /// A host is none, or an origin, with the rule that it breaks.
    pub fn new(hosts: &[String], origins: &[String]) -> Result<Self, (String, Rule)> {
        let every = hosts.iter().any(|host| host == "*");
        let hosts = hosts
            .iter()
            .filter(|host| *host != "*")
            .map(|host| match authority(host) {
                Some((name, None)) => Ok(name),
                _ => Err((host.clone(), "must be a host name without a port")),
            });
        let origins = origins.iter().map(|origin| {
            let lower = origin.to_ascii_lowercase();
            match split(&lower) {
                Some(_) => Ok(lower),
                None => Err((origin.clone(), "must be like https://app.example.com")),
            }
        });
        let hosts: Vec<String> = hosts.collect::<Result<_, _>>()?;
        Ok(Self {
            hosts: (!every).then_some(hosts),
            origins: origins.collect::<Result<_, _>>()?,
        })
    }

    /// Decides on a request by its headers.
    ///
    /// # Errors
    /// It is not let in.
    pub fn check(&self, host: Option<&str>, origin: Option<&str>) -> Result<(), Refused> {
        let name = host.and_then(authority).map(|(name, _)| name);
        if let Some(hosts) = &self.hosts
            && !name.is_some_and(|name| hosts.contains(&name))
        {
            return Err(Refused::Host(host.unwrap_or_default().to_owned()));
        }
        let Some(origin) = origin else { return Ok(()) };
        let lower = origin.to_ascii_lowercase();
        if self.origins.contains(&lower) {
            return Ok(());
        }
        let of_a_host = split(&lower).is_some_and(|(scheme, authority_)| {
            let ours = authority(authority_)
                .is_some_and(|(name, _)| self.hosts.as_ref().is_some_and(|hosts| hosts.contains(&name)));
            ours && matches!(scheme, "http" | "https")
        });
        if of_a_host {
            Ok(())
        } else {
            Err(Refused::Origin(origin.to_owned()))
        }
    }
}

/// Scheme and authority of an origin, and there must be nothing else.
fn split(origin: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = origin.split_once("://")?;
    let plain = !scheme.is_empty()
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    (plain && authority(rest).is_some()).then_some((scheme, rest))
}

/// Name and port of a `host:port`; the name in lower case.
fn authority(text: &str) -> Option<(String, Option<u16>)> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            let port = if after.is_empty() {
                None
            } else {
                Some(after.strip_prefix(':')?)
            };
            (format!("[{address}]"), port)
        }
        None => match text.split_once(':') {
            Some((name, port)) => (name.to_owned(), Some(port)),
            None => (text.to_owned(), None),
        },
    };
    let bracketed = name.starts_with('[');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if name.is_empty() || !(bracketed || name.bytes().all(plain)) {
        return None;
    }
    let port = match port {
        None => None,
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(port.parse().ok()?),
        Some(_) => return None,
    };
    Some((name.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_this_machine_are_let_in() {
        let allowed = Allowed::default();
        for (host, origin) in [
            ("localhost:8080", None),
            ("127.0.0.1", Some("http://127.0.0.1:3000")),
            ("LOCALHOST:1", Some("https://LocalHost")),
            ("[::1]:9000", Some("http://[::1]:9000")),
        ] {
            assert_eq!(allowed.check(Some(host), origin), Ok(()), "{host} {origin:?}");
        }
    }

    #[test]
    fn hostile_hosts_and_origins_are_refused() {
        let allowed = Allowed::default();
        let hosts = [
            "",
            "evil.example",
            "localhost.evil.example",
            "evil.example:80",
            "localhost:80:80",
            "localhost:x",
            "127.0.0.1.evil.example",
            "user@localhost",
            "localhost.",
            "[::1",
            "[::1]evil",
            "[localhost]",
            " localhost",
        ];
        for host in hosts {
            assert_eq!(allowed.check(Some(host), None), Err(Refused::Host(host.to_owned())));
        }
        assert!(allowed.check(None, None).is_err());
        let origins = [
            "null",
            "",
            "localhost",
            "http://",
            "http://localhost.evil.example",
            "http://evil.example",
            "http://evil.example#localhost",
            "http://localhost@evil.example",
            "http://evil.example/localhost",
            "http://localhost/",
            "http://localhost:3000/x",
            "file://localhost",
            "chrome-extension://localhost",
            "http://localhost http://evil.example",
            "http://127.0.0.1.evil.example",
            "http://[::1].evil.example",
            "http://localhost:99999",
            "//localhost",
            "http://localhost:80@evil.example",
        ];
        for origin in origins {
            let refused = allowed.check(Some("localhost"), Some(origin));
            assert_eq!(refused, Err(Refused::Origin(origin.to_owned())));
        }
    }

    #[test]
    fn settings_name_hosts_and_origins() {
        let strings = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let allowed = Allowed::new(&strings(&["tools.example"]), &strings(&["https://App.example"])).unwrap();
        assert_eq!(
            allowed.check(Some("tools.example:443"), Some("https://app.example")),
            Ok(())
        );
        assert!(
            allowed
                .check(Some("tools.example"), Some("https://app.example:444"))
                .is_err()
        );
        assert!(allowed.check(Some("localhost"), None).is_err());
        let every = Allowed::new(&strings(&["*"]), &[]).unwrap();
        assert_eq!(every.check(Some("anything.example"), None), Ok(()));
        assert!(every.check(Some("x.example"), Some("http://x.example")).is_err());
        for (host, origin) in [
            ("a:1", "https://b"),
            ("a b", "https://b"),
            ("a", "b"),
            ("a", "https://b/c"),
        ] {
            assert!(
                Allowed::new(&strings(&[host]), &strings(&[origin])).is_err(),
                "{host} {origin}"
            );
        }
    }
}
