//! Who a server must prove to be.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::Verification;

/// Verifies by webpki what [`Verification`] asks for, against the configured name where there is one. That name is
/// put in here, and not only into the handshake, for libraries that connect to an address and name no other.
#[derive(Debug)]
pub(super) struct Verifier {
    verification: Verification,
    name: Option<ServerName<'static>>,
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(super) fn new(
        verification: Verification,
        name: Option<ServerName<'static>>,
        roots: RootCertStore,
        provider: &CryptoProvider,
    ) -> Self {
        Self {
            verification,
            name,
            roots: Arc::new(roots),
            algorithms: provider.signature_verification_algorithms,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let (chain, name) = match self.verification {
            Verification::Off | Verification::Require => (false, false),
            Verification::VerifyCa => (true, false),
            Verification::VerifyFull => (true, true),
        };
        let certificate = ParsedCertificate::try_from(end_entity)?;
        if chain {
            let algorithms = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)?;
        }
        if name {
            verify_server_name(&certificate, self.name.as_ref().unwrap_or(server_name))?;
        }
        Ok(ServerCertVerified::assertion())
    }

    /// Whatever else is verified, the server must hold the key of the certificate that it shows.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
