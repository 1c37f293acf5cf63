//! TLS settings: what is taken, what is refused and why, and what is never shown.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod tls_server;

use mainstay_runtime::net::{Pem, TlsSettings};
use tls_server::Authority;

fn text(pem: &str) -> Option<Pem> {
    Some(Pem::from(pem))
}

#[test]
fn settings_that_do_not_fit_together_are_refused() {
    let authority = Authority::new("authority");
    let (one, other) = (authority.issue(&["one"]), authority.issue(&["other"]));
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("ca.pem");
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let default = TlsSettings::default;
    let cases = [
        (
            TlsSettings {
                certificate: text(&one.certificate),
                ..default()
            },
            "certificate (PEM text): its key is missing",
        ),
        (
            TlsSettings {
                key: text(&one.key),
                ..default()
            },
            "key (PEM text): its certificate is missing",
        ),
        (
            TlsSettings {
                certificate: text(&one.certificate),
                key: text(&other.key),
                ..default()
            },
            "key (PEM text): is not the key of the certificate",
        ),
        (
            TlsSettings {
                certificate: text(&one.key),
                key: text(&one.key),
                ..default()
            },
            "certificate (PEM text): holds no -----BEGIN CERTIFICATE-----",
        ),
        (
            TlsSettings {
                certificate: text(&one.certificate),
                key: text(&one.certificate),
                ..default()
            },
            "key (PEM text): holds no -----BEGIN PRIVATE KEY-----",
        ),
        (
            TlsSettings {
                certificate: text(&one.certificate),
                key: text(encrypted),
                ..default()
            },
            "key (PEM text): the key is encrypted: decrypt it with `openssl pkey`, and keep it in a secret",
        ),
        (
            TlsSettings {
                authorities: text("-----BEGIN CERTIFICATE-----\nAAAA\n"),
                ..default()
            },
            "authorities (PEM text): an -----END line is missing",
        ),
        (
            TlsSettings {
                authorities: text("-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n"),
                ..default()
            },
            "authorities (PEM text): what it holds is not base64",
        ),
        (
            TlsSettings {
                server_name: Some("nats example".to_owned()),
                ..default()
            },
            "server name \"nats example\": is neither a host name nor an address",
        ),
    ];
    for (settings, message) in cases {
        assert_eq!(settings.load().unwrap_err().to_string(), format!("tls {message}"));
    }
    let settings = TlsSettings {
        authorities: Some(Pem::File(missing.clone())),
        ..default()
    };
    let error = settings.load().unwrap_err().to_string();
    assert!(
        error.starts_with("tls authorities (not shown): neither PEM text nor the path of a readable file: "),
        "{error}"
    );

    std::fs::write(&missing, "no certificate").unwrap();
    assert_eq!(
        settings.load().unwrap_err().to_string(),
        format!("tls authorities {missing:?}: holds no -----BEGIN CERTIFICATE-----")
    );
    std::fs::write(&missing, authority.pem()).unwrap();
    settings.load().unwrap().unwrap();
}

#[test]
fn a_key_is_not_shown() {
    let identity = Authority::new("authority").issue(&["one"]);
    let settings = TlsSettings {
        key: text(&identity.key),
        ..TlsSettings::default()
    };
    assert!(!format!("{settings:?}").contains("PRIVATE"));

    // Keys without the lines around them: of NATS, and base64 such as is left of PEM whose line ends were lost.
    let bare: String = identity.key.lines().filter(|line| !line.starts_with('-')).collect();
    let seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    for secret in [seed, bare.as_str()] {
        // As the key itself, and as what has come into the wrong variable.
        let settings = [
            TlsSettings {
                certificate: text(&identity.certificate),
                key: text(secret),
                ..TlsSettings::default()
            },
            TlsSettings {
                certificate: text(secret),
                ..TlsSettings::default()
            },
            TlsSettings {
                key: text(secret),
                ..TlsSettings::default()
            },
            TlsSettings {
                authorities: text(secret),
                ..TlsSettings::default()
            },
        ];
        for settings in settings {
            let error = settings.load().unwrap_err().to_string();
            for shown in [&error, &format!("{settings:?}")] {
                assert!(!shown.contains(secret.get(..16).unwrap()), "{shown}");
            }
        }
    }
}
