//! One server's URL: `nats://user:password@nats.example:4222`.

use std::fmt;

use mainstay_nats_core::auth::Credentials;
use mainstay_runtime::net::Endpoint;
use mainstay_runtime::net::percent::{self, Undecodable};

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// Host and port.
    pub endpoint: Endpoint,
    /// Whether TLS is a must (`tls://`, or there are settings of TLS); else the server decides.
    pub tls: bool,
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "tls" } else { "nats" };
        write!(f, "{scheme}://{}", self.endpoint)
    }
}

/// The port of NATS where none is said.
const PORT: u16 = 4222;

impl ServerAddress {
    /// Reads a URL, or `host:port`, or `host`; and the credentials in it, if there are some.
    ///
    /// # Errors
    /// The URL without its credentials, and the rule that it breaks.
    pub fn parse(text: &str) -> Result<(Self, Option<Credentials>), String> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("nats", text));
        let (user, host) = match rest.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, rest),
        };
        let host = host.strip_suffix('/').unwrap_or(host);
        let wrong = |rule: String| {
            format!(
                "{:?}: {rule}",
                format!("{scheme}://{}{host}", user.map_or("", |_| "***@"))
            )
        };
        let tls = match scheme {
            "nats" => false,
            "tls" => true,
            "ws" | "wss" => {
                return Err(wrong(
                    "websockets are not spoken here, use nats:// or tls://".to_owned(),
                ));
            }
            _ => {
                return Err(wrong(
                    "the scheme is not nats or tls, for example nats://nats.example:4222".to_owned(),
                ));
            }
        };
        let endpoint = Endpoint::parse(host, Some(PORT)).map_err(|error| {
            let error = error.to_string();
            let (_, rule) = error.rsplit_once(": ").unwrap_or(("", &error));
            wrong(rule.to_owned())
        })?;
        let credentials = user.map(credentials).transpose().map_err(wrong)?;
        Ok((Self { endpoint, tls }, credentials))
    }
}

/// `user:password`, or a token alone.
fn credentials(text: &str) -> Result<Credentials, String> {
    match text.split_once(':') {
        Some((user, password)) => Ok(Credentials::User {
            user: decoded(user)?,
            password: decoded(password)?,
        }),
        None => Ok(Credentials::Token(decoded(text)?)),
    }
}

fn decoded(text: &str) -> Result<String, String> {
    percent::decode(text).map_err(|error| {
        match error {
            Undecodable::Digits => "a % in the credentials is not followed by two hexadecimal digits",
            Undecodable::Utf8 => "the credentials are not UTF-8",
        }
        .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(String, Option<&'static str>), String> {
        let (address, credentials) = ServerAddress::parse(text)?;
        Ok((address.to_string(), credentials.map(|credentials| credentials.kind())))
    }

    #[test]
    fn urls_are_read_with_and_without_their_parts() {
        for (text, address, credentials) in [
            ("nats.example", "nats://nats.example:4222", None),
            ("nats://10.0.0.7:4333/", "nats://10.0.0.7:4333", None),
            ("tls://[::1]", "tls://[::1]:4222", None),
            (
                "nats://me:p%40ss@nats.example",
                "nats://nats.example:4222",
                Some("user and password"),
            ),
            ("nats://t0ken@nats.example", "nats://nats.example:4222", Some("token")),
        ] {
            assert_eq!(parse(text), Ok((address.to_owned(), credentials)), "{text}");
        }
        let (_, credentials) = ServerAddress::parse("nats://me:p%40s%3as@h").unwrap();
        assert!(matches!(credentials, Some(Credentials::User { password, .. }) if password == "p@s:s"));
    }

    #[test]
    fn errors_name_the_rule_and_never_the_password() {
        for (text, error) in [
            (
                "ws://me:secret@h",
                r#""ws://***@h": websockets are not spoken here, use nats:// or tls://"#,
            ),
            (
                "http://h",
                r#""http://h": the scheme is not nats or tls, for example nats://nats.example:4222"#,
            ),
            (
                "nats://me:secret@h:99999",
                r#""nats://***@h:99999": port "99999" is not in 1-65535"#,
            ),
            (
                "nats://me:secret%4@h",
                r#""nats://***@h": a % in the credentials is not followed by two hexadecimal digits"#,
            ),
        ] {
            assert_eq!(parse(text), Err(error.to_owned()));
        }
    }
}
