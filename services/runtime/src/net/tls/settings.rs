//! What a user says about TLS, and what rustls makes of it.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::{CipherSuite, ClientConfig, RootCertStore, SupportedCipherSuite};

use super::verify::Verifier;
use super::{Pem, Tls};
use crate::config::{ConfigError, Settings, Value};
use crate::net::Host;

/// What a user says about TLS. The default trusts the Mozilla roots and verifies in full.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// How much of the server's identity is verified.
    pub verification: Verification,
    /// The authorities to trust in place of the Mozilla roots: one or more CA certificates.
    pub authorities: Option<Pem>,
    /// The certificate to show to the server, with its intermediates after it.
    pub certificate: Option<Pem>,
    /// The key of that certificate.
    pub key: Option<Pem>,
    /// The name that the server is asked for (SNI) and must prove, where it is not the host that is dialed.
    pub server_name: Option<String>,
    /// Protocols to offer by ALPN, best first, for example `h2`.
    pub protocols: Vec<String>,
}

/// How much of a server's identity is verified, in the words of PostgreSQL's `sslmode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// No TLS at all.
    Off,
    /// Encrypted, but to anyone: no protection from a server that pretends.
    Require,
    /// The certificate must be issued by a trusted authority, to whichever name.
    VerifyCa,
    /// And it must be for the name of the server.
    #[default]
    VerifyFull,
}

/// A TLS setting that cannot be used: which, the value, the rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tls {setting}: {rule}")]
pub struct SettingsError {
    setting: String,
    rule: String,
}

impl SettingsError {
    fn new(setting: impl fmt::Display, rule: impl Into<String>) -> Self {
        Self {
            setting: setting.to_string(),
            rule: rule.into(),
        }
    }
}

impl TlsSettings {
    /// Reads `tls` (off, require, verify-ca or verify-full), `tls_ca`, `tls_certificate`, `tls_key` and
    /// `tls_server_name`; certificates and key are PEM or the path of a file that holds it.
    pub fn read(settings: &mut Settings, default: Verification) -> Result<Self, ConfigError> {
        let pem = |value: &Value| value.text().map(|text| Some(Pem::from(text)));
        let key = settings.secret("tls_key")?;
        Ok(Self {
            verification: settings.or("tls", default, |value| value.one_of(&VERIFICATIONS))?,
            authorities: settings.or("tls_ca", None, pem)?,
            certificate: settings.or("tls_certificate", None, pem)?,
            key: key.map(|key| Pem::from(key.reveal())),
            server_name: settings.or("tls_server_name", None, |value| {
                value.text().map(|name| Some(name.to_owned()))
            })?,
            protocols: Vec::new(),
        })
    }

    /// Reads the files and checks that all fits together: once, at the start. `None` for [`Verification::Off`].
    pub fn load(&self) -> Result<Option<Tls>, SettingsError> {
        if self.verification == Verification::Off {
            return Ok(None);
        }
        let provider = Arc::new(provider());
        let name = self.name()?;
        let verifier: Arc<dyn ServerCertVerifier> =
            Arc::new(Verifier::new(self.verification, name.clone(), self.roots()?, &provider));
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| SettingsError::new("versions", error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match (&self.certificate, &self.key) {
            (None, None) => config.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let of_certificate = |rule| SettingsError::new(format_args!("certificate {certificate}"), rule);
                let of_key = |rule| SettingsError::new(format_args!("key {key}"), rule);
                config
                    .with_client_auth_cert(
                        certificate.certificates().map_err(of_certificate)?,
                        key.key().map_err(of_key)?,
                    )
                    .map_err(|error| of_key(client_identity(&error)))?
            }
            (Some(certificate), None) => {
                return Err(SettingsError::new(
                    format_args!("certificate {certificate}"),
                    "its key is missing",
                ));
            }
            (None, Some(key)) => {
                return Err(SettingsError::new(
                    format_args!("key {key}"),
                    "its certificate is missing",
                ));
            }
        };
        config.alpn_protocols = self
            .protocols
            .iter()
            .map(|protocol| protocol.clone().into_bytes())
            .collect();
        Ok(Some(Tls {
            config: Arc::new(config),
            name,
        }))
    }

    fn name(&self) -> Result<Option<ServerName<'static>>, SettingsError> {
        let Some(text) = &self.server_name else { return Ok(None) };
        let wrong = |rule: String| SettingsError::new(format_args!("server name {text:?}"), rule);
        match text
            .parse::<Host>()
            .map_err(|_| wrong("is neither a host name nor an address".to_owned()))?
        {
            Host::Address(address) => Ok(Some(ServerName::IpAddress(address.into()))),
            Host::Name(name) => ServerName::try_from(name)
                .map(Some)
                .map_err(|error| wrong(error.to_string())),
        }
    }

    fn roots(&self) -> Result<RootCertStore, SettingsError> {
        let Some(authorities) = &self.authorities else {
            return Ok(RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            });
        };
        let wrong = |rule: String| SettingsError::new(format_args!("authorities {authorities}"), rule);
        let mut roots = RootCertStore::empty();
        for (index, certificate) in authorities.certificates().map_err(wrong)?.into_iter().enumerate() {
            let number = index + 1;
            roots
                .add(certificate)
                .map_err(|error| wrong(format!("certificate {number} cannot be used: {error}")))?;
        }
        Ok(roots)
    }
}

/// rustls's own choices, with the suites of ChaCha20-Poly1305 before all others.
fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| !is_chacha(suite));
    provider
}

fn is_chacha(suite: &SupportedCipherSuite) -> bool {
    matches!(
        suite.suite(),
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
    )
}

fn client_identity(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InconsistentKeys(_) => "is not the key of the certificate".to_owned(),
        error => format!("cannot be used with the certificate: {error}"),
    }
}

const VERIFICATIONS: [(&str, Verification); 4] = [
    ("off", Verification::Off),
    ("require", Verification::Require),
    ("verify-ca", Verification::VerifyCa),
    ("verify-full", Verification::VerifyFull),
];

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = VERIFICATIONS.iter().find(|(_, verification)| verification == self);
        f.write_str(word.map_or("off", |(word, _)| word))
    }
}
