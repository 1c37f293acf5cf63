//! TLS to the server: authorities, names, certificates that are no good, and those that the service shows.

use std::fs;
use std::path::Path;

use mainstay_peers::NatsServer;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};

use crate::support::{are_secret, eventually, log, metric, ready, with};

const NAME: &str = "host.wasmcloud.internal";

/// An authority, and a server's certificate for a name; files in the server's folder.
struct Certificates {
    authority: String,
    lines: String,
    /// A certificate for the service, and its key.
    client: (String, String),
}

fn certificates(folder: &Path, name: &str, expired: bool) -> Certificates {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let place = folder.display().to_string();
    params.distinguished_name.push(DnType::CommonName, place);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let certificate = params.signed_by(&key, &authority).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    let (certificate, key) = issue(name);
    for (file, text) in [("ca.pem", authority.pem()), ("cert.pem", certificate), ("key.pem", key)] {
        fs::write(folder.join(file), text).unwrap();
    }
    Certificates {
        authority: authority.pem(),
        lines: "cert_file: \"$FOLDER/cert.pem\", key_file: \"$FOLDER/key.pem\", ca_file: \"$FOLDER/ca.pem\"".to_owned(),
        client: issue("client.example"),
    }
}

/// Lets a server speak TLS, with a certificate for this name.
fn tls(mut server: NatsServer, name: &str, expired: bool, more: &str) -> (NatsServer, Certificates) {
    let certificates = certificates(server.folder(), name, expired);
    let lines = format!("tls {{ {}, {more} }}", certificates.lines);
    server.configure(&lines).unwrap();
    server.restart().unwrap();
    (server, certificates)
}

/// A server of the newest version, and one of the oldest that is tested.
fn both() -> [NatsServer; 2] {
    [NatsServer::start().unwrap(), NatsServer::older("").unwrap()]
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_and_nobody_else() {
    for server in both() {
        let (server, certificates) = tls(server, NAME, false, "");
        let workload = with(&server, &[("NATS_CA", &certificates.authority)]).start();
        ready(&workload).await;
        assert!(log(&workload).contains("tls=true"), "{}", log(&workload));
        // Whom the web trusts did not sign it, nor did another authority.
        let folder = tempfile::tempdir().unwrap();
        let other = self::certificates(folder.path(), NAME, false).authority;
        for variables in [&[][..], &[("NATS_CA", other.as_str())]] {
            let stranger = with(&server, variables).start();
            eventually("it is not trusted", &stranger, async || {
                log(&stranger).contains("not connected")
                    && log(&stranger).contains("from an authority that is not trusted")
            })
            .await;
            assert!(!log(&stranger).contains("tls=true"));
        }
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_unless_that_is_the_name_to_expect() {
    for server in both() {
        let (server, certificates) = tls(server, "other.example", false, "");
        let authority = certificates.authority.as_str();
        let workload = with(&server, &[("NATS_CA", authority)]).start();
        eventually("the name is named", &workload, async || {
            let log = log(&workload);
            log.contains("not connected") && log.contains("other.example")
        })
        .await;
        assert!(!log(&workload).contains("tls=true"));
        let named = [("NATS_CA", authority), ("NATS_TLS_SERVER_NAME", "other.example")];
        ready(&with(&server, &named).start()).await;
    }
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let (server, certificates) = tls(NatsServer::start().unwrap(), NAME, true, "");
    let workload = with(&server, &[("NATS_CA", &certificates.authority)]).start();
    eventually("it is said", &workload, async || {
        let log = log(&workload);
        log.contains("not connected") && log.contains("expired")
    })
    .await;
    assert!(!log(&workload).contains("tls=true"));
}

#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to_where_the_url_wants_it() {
    let server = NatsServer::start().unwrap();
    let url = format!("tls://{NAME}:{}", server.port());
    let workload = with(&server, &[("NATS_URL", &url)]).start();
    eventually("it does not connect", &workload, async || {
        metric(&workload, "nats_connection_failures_total").await > 1.0
    })
    .await;
    assert_eq!(metric(&workload, "nats_connections_total").await, 0.0);
    // Nor where whom to trust is said.
    let folder = tempfile::tempdir().unwrap();
    let authority = certificates(folder.path(), NAME, false).authority;
    let workload = with(&server, &[("NATS_CA", &authority)]).start();
    eventually("it says why", &workload, async || {
        log(&workload).contains("the server speaks no TLS")
    })
    .await;
    assert_eq!(metric(&workload, "nats_connections_total").await, 0.0);
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_the_server_wants_one_and_its_key_to_nobody() {
    for server in both() {
        let (server, certificates) = tls(server, NAME, false, "verify: true");
        shows_its_certificate(&server, &certificates, "false").await;
    }
}

#[tokio::test]
async fn the_handshake_may_come_before_everything_else() {
    // Servers have known it since 2.10.
    let (server, certificates) = tls(
        NatsServer::start().unwrap(),
        NAME,
        false,
        "verify: true, handshake_first: true",
    );
    shows_its_certificate(&server, &certificates, "true").await;
}

async fn shows_its_certificate(server: &NatsServer, certificates: &Certificates, first: &str) {
    let (certificate, key) = &certificates.client;
    let base = [("NATS_CA", certificates.authority.as_str()), ("NATS_TLS_FIRST", first)];
    let own = [base[0], base[1], ("NATS_CERT", certificate), ("NATS_KEY", key)];
    let workload = with(server, &own).start();
    ready(&workload).await;
    assert!(log(&workload).contains("tls=true"));
    let body: Vec<&str> = key.lines().filter(|line| !line.starts_with('-')).collect();
    are_secret(&workload, &body).await;
    let without = with(server, &base).start();
    eventually("it is refused", &without, async || {
        metric(&without, "nats_connection_failures_total").await > 0.0
    })
    .await;
    assert!(!log(&without).contains(" connected server="));
}
