//! Logging in to a server (§53.2.1, §53.3): messages by the crate `postgres-protocol`, states here.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256};
use postgres_protocol::message::frontend;

use super::frame::text;
use super::{ErrorFields, Parameters};

/// Who logs in. Its `Debug` shows no password.
#[derive(Clone)]
pub struct Credentials {
    /// The role.
    pub user: String,
    /// The database.
    pub database: String,
    /// The password, if there is one.
    pub password: Option<String>,
    /// Settings of the session.
    pub parameters: Vec<(String, String)>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .field("database", &self.database)
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}

/// A session that the server has granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Established {
    /// The settings that it reports.
    pub parameters: Parameters,
    /// What a cancel request needs to name it; none from servers that cannot cancel.
    pub key: Option<(u32, Bytes)>,
}

/// Why there is no session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The server says no.
    #[error("the server says: {0}")]
    Server(ErrorFields),
    /// The server wants a password, and none is configured.
    #[error("the server wants a password, and none is set")]
    NoPassword,
    /// The server wants something else.
    #[error("the server wants authentication by {0}, which is not one of SCRAM-SHA-256, MD5, password")]
    Method(String),
    /// The server does not know the password that it judges.
    #[error("the server fails to prove that it knows the password: {0}")]
    Proof(String),
    /// The server breaks the protocol.
    #[error("the server breaks the protocol: {0}")]
    Protocol(String),
}

impl LoginError {
    /// Whether it will be the same the next time.
    pub fn is_rejection(&self) -> bool {
        match self {
            Self::Server(fields) => fields.is_rejection(),
            Self::NoPassword | Self::Method(_) | Self::Proof(_) => true,
            Self::Protocol(_) => false,
        }
    }
}

/// A login that goes on.
pub struct Login {
    credentials: Credentials,
    /// The hash of the server's certificate, over TLS.
    binding: Option<Vec<u8>>,
    scram: Option<ScramSha256>,
    /// The server's last word in SCRAM was right.
    proven: bool,
    parameters: Parameters,
    key: Option<(u32, Bytes)>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

/// Asks for TLS before all else. The answer is one letter: `S` for yes, `N` for no.
pub fn ssl_request() -> BytesMut {
    let mut out = BytesMut::new();
    frontend::ssl_request(&mut out);
    out
}

fn protocol(what: impl fmt::Display) -> LoginError {
    LoginError::Protocol(what.to_string())
}

impl Login {
    /// Begins. `binding` is the [`tls_server_end_point`](super::tls_server_end_point), over TLS. Gives what to send first.
    ///
    /// # Errors
    /// A setting that holds a zero.
    pub fn begin(credentials: Credentials, binding: Option<Vec<u8>>) -> Result<(Self, BytesMut), LoginError> {
        let mut out = BytesMut::new();
        let own = [("user", credentials.user.as_str()), ("database", &credentials.database)];
        let others = credentials
            .parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        frontend::startup_message(own.into_iter().chain(others), &mut out).map_err(protocol)?;
        let login = Self {
            credentials,
            binding,
            scram: None,
            proven: false,
            parameters: Parameters::default(),
            key: None,
        };
        Ok((login, out))
    }

    /// The server says this. What is to be answered is put into `out`; gives the session when it is there.
    ///
    /// # Errors
    /// There will be no session.
    pub fn message(&mut self, tag: u8, mut body: &[u8], out: &mut BytesMut) -> Result<Option<Established>, LoginError> {
        match tag {
            b'R' => self.authenticate(body, out)?,
            b'S' => {
                let pair = text(&mut body).zip(text(&mut body));
                let (name, value) = pair.ok_or_else(|| protocol("a setting has no end"))?;
                self.parameters.set(name, value);
            }
            b'K' => {
                let process = body.first_chunk::<4>().map(|process| u32::from_be_bytes(*process));
                let process = process.ok_or_else(|| protocol("its key data is too short"))?;
                body.advance(4);
                self.key = Some((process, Bytes::copy_from_slice(body)));
            }
            b'E' => return Err(LoginError::Server(ErrorFields::parse(body))),
            b'Z' => {
                return Ok(Some(Established {
                    parameters: std::mem::take(&mut self.parameters),
                    key: self.key.take(),
                }));
            }
            // Notices, and the news that only an older minor version is spoken.
            b'N' | b'v' => {}
            other => return Err(protocol(format!("message {:?} during the login", char::from(other)))),
        }
        Ok(None)
    }

    fn authenticate(&mut self, mut body: &[u8], out: &mut BytesMut) -> Result<(), LoginError> {
        let kind = body.first_chunk::<4>().map(|kind| u32::from_be_bytes(*kind));
        let kind = kind.ok_or_else(|| protocol("its wish for authentication is too short"))?;
        body.advance(4);
        match kind {
            // A server that asked for SCRAM and skips its proof may be anybody.
            0 if self.scram.is_some() && !self.proven => Err(LoginError::Proof("it skips its part".to_owned())),
            0 => Ok(()),
            3 => {
                let password = self.password()?.to_owned();
                frontend::password_message(password.as_bytes(), out).map_err(protocol)
            }
            5 => {
                let salt = body
                    .first_chunk::<4>()
                    .ok_or_else(|| protocol("its salt is too short"))?;
                let hash = md5_hash(self.credentials.user.as_bytes(), self.password()?.as_bytes(), *salt);
                frontend::password_message(hash.as_bytes(), out).map_err(protocol)
            }
            10 => self.begin_scram(body, out),
            11 => {
                let scram = self
                    .scram
                    .as_mut()
                    .ok_or_else(|| protocol("SCRAM goes on before it began"))?;
                scram
                    .update(body)
                    .map_err(|error| LoginError::Proof(error.to_string()))?;
                frontend::sasl_response(scram.message(), out).map_err(protocol)
            }
            12 => {
                let scram = self
                    .scram
                    .as_mut()
                    .ok_or_else(|| protocol("SCRAM ends before it began"))?;
                scram
                    .finish(body)
                    .map_err(|error| LoginError::Proof(error.to_string()))?;
                self.proven = true;
                Ok(())
            }
            2 => Err(LoginError::Method("Kerberos".to_owned())),
            7..=9 => Err(LoginError::Method("GSSAPI or SSPI".to_owned())),
            other => Err(LoginError::Method(format!("method {other}"))),
        }
    }

    fn begin_scram(&mut self, mut body: &[u8], out: &mut BytesMut) -> Result<(), LoginError> {
        let mut offered = Vec::new();
        while let Some(mechanism) = text(&mut body).filter(|mechanism| !mechanism.is_empty()) {
            offered.push(String::from_utf8_lossy(mechanism).into_owned());
        }
        let offers = |mechanism: &str| offered.iter().any(|offer| offer == mechanism);
        let (mechanism, binding) = match self.binding.take() {
            Some(hash) if offers(SCRAM_SHA_256_PLUS) => {
                (SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(hash))
            }
            // That the server offers no binding over TLS is part of what it proves: nobody can have taken it out.
            Some(_) if offers(SCRAM_SHA_256) => (SCRAM_SHA_256, ChannelBinding::unrequested()),
            None if offers(SCRAM_SHA_256) => (SCRAM_SHA_256, ChannelBinding::unsupported()),
            _ => return Err(LoginError::Method(offered.join(", "))),
        };
        let scram = ScramSha256::new(self.password()?.as_bytes(), binding);
        frontend::sasl_initial_response(mechanism, scram.message(), out).map_err(protocol)?;
        self.scram = Some(scram);
        Ok(())
    }

    fn password(&self) -> Result<&str, LoginError> {
        self.credentials.password.as_deref().ok_or(LoginError::NoPassword)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said to a server that wants SASL by these mechanisms, to who has seen this certificate's hash.
    fn chosen(binding: Option<Vec<u8>>, mechanisms: &str) -> String {
        let credentials = Credentials {
            user: "app".to_owned(),
            database: "app".to_owned(),
            password: Some("secret".to_owned()),
            parameters: Vec::new(),
        };
        let (mut login, mut out) = Login::begin(credentials, binding).unwrap();
        out.clear();
        let body = [&10_u32.to_be_bytes()[..], mechanisms.as_bytes(), b"\0"].concat();
        assert_eq!(login.message(b'R', &body, &mut out), Ok(None));
        String::from_utf8_lossy(out.get(5..).unwrap()).into_owned()
    }

    #[test]
    fn scram_is_bound_to_the_certificate_where_the_server_can() {
        let both = "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0";
        // RFC 5802 §6: p for bound, y for would but the server cannot, n for cannot.
        for (binding, offered, mechanism, header) in [
            (true, both, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,"),
            (
                true,
                "SCRAM-SHA-256\0SCRAM-SHA-256-PLUS\0",
                "SCRAM-SHA-256-PLUS",
                "p=tls-server-end-point,,",
            ),
            (true, "SCRAM-SHA-256\0", "SCRAM-SHA-256", "y,,"),
            (false, both, "SCRAM-SHA-256", "n,,"),
        ] {
            let said = chosen(binding.then(|| vec![7; 32]), offered);
            let (name, rest) = said.split_once('\0').unwrap();
            assert_eq!(name, mechanism, "{offered:?}");
            // Four bytes of a length are before it.
            assert!(rest.get(4..).unwrap().starts_with(header), "{rest:?}");
        }
    }
}
