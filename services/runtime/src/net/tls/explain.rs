//! Whose fault a failed handshake is, and the way out.

use std::io;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error};

/// Says in one line whose fault a TLS error is and what to do; `None` for an error that is not one of TLS.
///
/// For errors of a handshake and for those of later reads and writes: a server that speaks TLS 1.3 judges the client's
/// certificate when the client already believes that all is well.
pub fn explain(error: &io::Error) -> Option<String> {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>())
        .map(text)
}

/// [`explain`] for an error of a handshake, and the same of a server that just hangs up.
pub(super) fn explain_handshake(error: io::Error) -> io::Error {
    match (explain(&error), error.kind()) {
        (Some(text), kind) => io::Error::new(kind, text),
        (None, kind @ io::ErrorKind::UnexpectedEof) => io::Error::new(
            kind,
            "the server closed the connection during the TLS handshake: does it speak TLS?",
        ),
        (None, _) => error,
    }
}

fn text(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::AlertReceived(alert) => refusal(*alert),
        Error::InvalidMessage(_) => "the server does not speak TLS, or something between alters it".to_owned(),
        Error::PeerIncompatible(why) => format!("the server's TLS is too old or too limited: {why:?}"),
        Error::PeerMisbehaved(why) => format!("the server breaks the TLS protocol: {why:?}"),
        Error::NoApplicationProtocol => "the server speaks none of the protocols offered by ALPN".to_owned(),
        Error::NoCertificatesPresented => "the server shows no certificate".to_owned(),
        Error::PeerSentOversizedRecord => "the server does not speak TLS: its first record is too long".to_owned(),
        error => format!("TLS failed: {error}"),
    }
}

/// What is wrong with the server's certificate.
fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::ExpiredContext { time, not_after } => {
            format!(
                "the server's certificate expired {} ago: it has to be renewed",
                span(*not_after, *time)
            )
        }
        CertificateError::Expired => "the server's certificate has expired: it has to be renewed".to_owned(),
        CertificateError::NotValidYetContext { time, not_before } => {
            let span = span(*time, *not_before);
            format!("the server's certificate is not valid for another {span}: is the clock of one of the two wrong?")
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<&str> = presented.iter().map(|name| bare(name)).collect();
            let names = if names.is_empty() {
                "no name at all".to_owned()
            } else {
                names.join(", ")
            };
            let expected = expected.to_str();
            format!(
                "the server's certificate is not for {expected}, but for {names}: connect by a name that it has, or \
                 configure that name as the server name"
            )
        }
        // The other one is what is found when a stranger bears the name of an authority that is trusted.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the server's certificate is from an authority that is not trusted: configure the CA certificate".to_owned()
        }
        CertificateError::Revoked => "the server's certificate has been revoked".to_owned(),
        CertificateError::InvalidPurpose => "the server's certificate is not one for servers".to_owned(),
        // webpki has no name for it here but that of its own error, which rustls wraps.
        CertificateError::Other(other) if other.to_string() == "CaUsedAsEndEntity" => {
            "the server's certificate is the one of a certificate authority: give the server one that is issued by it"
                .to_owned()
        }
        CertificateError::Other(other) => format!("the server's certificate is malformed or misused: {other}"),
        error => format!("the server's certificate cannot be accepted: {error}"),
    }
}

/// `nats.example` of the `DnsName("nats.example")` that webpki hands out.
fn bare(presented: &str) -> &str {
    let inside = presented.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inside.unwrap_or(presented).trim_matches('"')
}

/// What the server said when it hung up.
fn refusal(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            "the server demands a client certificate: configure certificate and key".to_owned()
        }
        AlertDescription::UnknownCA => {
            "the server refuses our client certificate: it does not trust the authority that issued it".to_owned()
        }
        AlertDescription::CertificateExpired => {
            "the server refuses our client certificate: it has expired and has to be renewed".to_owned()
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied => format!("the server refuses our client certificate: {alert:?}"),
        AlertDescription::UnrecognisedName => {
            "the server does not know the name it was asked for: configure the server name".to_owned()
        }
        AlertDescription::ProtocolVersion => "the server speaks neither TLS 1.2 nor TLS 1.3".to_owned(),
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            "the server shares no cipher suite or key exchange with us, or misses a client certificate".to_owned()
        }
        AlertDescription::NoApplicationProtocol => "the server speaks none of the protocols offered by ALPN".to_owned(),
        alert => format!("the server ended the TLS session: {alert:?}"),
    }
}

/// The time between two instants, roughly.
fn span(from: UnixTime, to: UnixTime) -> String {
    let seconds = to.as_secs().saturating_sub(from.as_secs());
    match seconds {
        0..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
