//! Certificates and keys as their users have them: PEM, in a file or in the setting itself.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Where PEM text is. A text that holds a `-----BEGIN` line is the PEM itself, any other is the path of a file, which
/// has to be on a volume that the service mounts.
///
/// What it holds is never shown, for it may be a key: not PEM text, and no text that is not the path of a file that is
/// there. A key that is not in PEM form, or in the wrong variable, is a path to nothing.
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    /// The PEM itself.
    Text(String),
    /// A file that holds it.
    File(PathBuf),
}

impl Pem {
    fn read(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Text(text) => Ok(text.clone().into_bytes()),
            Self::File(path) => fs::read(path).map_err(|error| {
                format!(
                    "neither PEM text nor the path of a readable file: {error}; is its volume among the service's \
                     volumeMounts?"
                )
            }),
        }
    }

    /// All certificates, in their order; at least one.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let text = self.read()?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        match certificates.map_err(rule)? {
            certificates if certificates.is_empty() => Err("holds no -----BEGIN CERTIFICATE-----".to_owned()),
            certificates => Ok(certificates),
        }
    }

    /// The first private key: PKCS #8, PKCS #1 or SEC 1, not encrypted.
    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, String> {
        let text = self.read()?;
        PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
            PemError::NoItemsFound if text.windows(9).any(|part| part == b"ENCRYPTED") => {
                "the key is encrypted: decrypt it with `openssl pkey`, and keep it in a secret".to_owned()
            }
            PemError::NoItemsFound => "holds no -----BEGIN PRIVATE KEY-----".to_owned(),
            error => rule(error),
        })
    }
}

/// Never with the line at fault in it, which may be one of a key.
fn rule(error: PemError) -> String {
    match error {
        PemError::MissingSectionEnd { .. } => "an -----END line is missing".to_owned(),
        PemError::IllegalSectionStart { .. } => "a -----BEGIN line is malformed".to_owned(),
        PemError::Base64Decode(_) => "what it holds is not base64".to_owned(),
        _ => "is not PEM".to_owned(),
    }
}

impl From<&str> for Pem {
    fn from(text: &str) -> Self {
        match text.contains("-----BEGIN") {
            true => Self::Text(text.to_owned()),
            false => Self::File(text.into()),
        }
    }
}

impl fmt::Display for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("(PEM text)"),
            Self::File(path) if path.is_file() => write!(f, "{:?}", path.display().to_string()),
            Self::File(_) => f.write_str("(not shown)"),
        }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pem {self}")
    }
}
