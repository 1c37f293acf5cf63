//! The dialer and resolver of `mainstay-runtime` in a guest, against TLS servers on this machine.

use mainstay_host_test::workload::Phase;
use serde_json::Value;

use crate::common;
use crate::tls_server::{Authority, Options, TlsServer, VERSIONS};

const NAME: &str = "nats.example";

/// A probe that may reach the server through `host.wasmcloud.internal`, trusts the authority and expects [`NAME`].
fn probing(server: &TlsServer, authority: &Authority) -> common::Builder {
    let port = server.address.port();
    common::service("test/net-probe")
        .environment("PROBE_HEALTH", "off")
        .environment("PROBE_DIAL", &format!("host.wasmcloud.internal:{port}"))
        .environment("PROBE_TLS_CA", &authority.pem())
        .environment("PROBE_TLS_SERVER_NAME", NAME)
        .with_service(|service| service.resources.allowed_host_loopback_ports.push(port))
}

/// What the probe saw, endpoint by endpoint.
async fn probe(probing: common::Builder) -> Vec<Value> {
    let (status, stdout, stderr) = probing.run().await;
    assert_eq!(status.state, Phase::Completed, "{status}\n{stderr}");
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Why the probe has no connection, without the endpoint in front.
async fn refusal(probing: common::Builder) -> String {
    let seen = probe(probing).await;
    let error = seen[0]["error"]
        .as_str()
        .unwrap_or_else(|| panic!("connected: {seen:?}"));
    error
        .rsplit_once(": the server's")
        .map_or(error, |(_, text)| text)
        .trim()
        .to_owned()
}

#[tokio::test]
async fn both_versions_of_tls_carry_ten_megabytes_with_chacha() {
    let authority = Authority::new("authority");
    for (versions, version) in VERSIONS.into_iter().zip(["TLSv1_2", "TLSv1_3"]) {
        let server = TlsServer::start(Options {
            versions,
            ..Options::new(authority.issue(&[NAME]))
        });
        let seen = probe(probing(&server, &authority).environment("PROBE_BYTES", "10000000")).await;
        assert_eq!(seen[0]["version"], version, "{seen:?}");
        assert!(
            seen[0]["suite"].as_str().unwrap().contains("CHACHA20_POLY1305"),
            "{seen:?}"
        );
        assert_eq!(server.seen()[0].name.as_deref(), Some(NAME));
    }
}

#[tokio::test]
async fn a_wrong_name_an_expired_and_a_foreign_certificate_are_refused() {
    let (trusted, foreign) = (Authority::new("trusted"), Authority::new("foreign"));
    let cases = [
        (
            trusted.issue(&["other.example"]),
            "certificate is not for nats.example, but for other.example",
        ),
        (trusted.issue_until(&[NAME], 2020), "certificate expired "),
        (
            foreign.issue(&[NAME]),
            "certificate is from an authority that is not trusted: configure the CA certificate",
        ),
    ];
    for (identity, expected) in cases {
        let server = TlsServer::start(Options::new(identity));
        let refusal = refusal(probing(&server, &trusted)).await;
        assert!(refusal.starts_with(expected), "{refusal}");
        assert!(server.seen().is_empty(), "the handshake should not have succeeded");
    }
}

#[tokio::test]
async fn certificates_and_key_come_from_a_volume() {
    let authority = Authority::new("authority");
    let clients_of = Some(authority.pem());
    let server = TlsServer::start(Options {
        clients_of,
        ..Options::new(authority.issue(&[NAME]))
    });
    let folder = tempfile::tempdir().unwrap();
    let identity = authority.issue(&["client"]);
    for (file, text) in [
        ("ca.pem", authority.pem()),
        ("tls.crt", identity.certificate),
        ("tls.key", identity.key),
    ] {
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    let files = |probing: common::Builder| {
        probing
            .environment("PROBE_TLS_CA", "/tls/ca.pem")
            .volume(folder.path(), "/tls")
    };
    let missing = probe(files(probing(&server, &authority))).await;
    assert_eq!(
        missing[0]["error"],
        "the server demands a client certificate: configure certificate and key"
    );
    let shown = files(probing(&server, &authority))
        .environment("PROBE_TLS_CERTIFICATE", "/tls/tls.crt")
        .environment("PROBE_TLS_KEY_FILE", "/tls/tls.key");
    let seen = probe(shown).await;
    assert_eq!(seen[0]["version"], "TLSv1_3", "{seen:?}");
    assert!(server.seen().last().unwrap().client_certificate);
}

#[tokio::test]
async fn what_is_not_granted_is_refused_with_the_grant_that_is_missing() {
    let authority = Authority::new("authority");
    let server = TlsServer::start(Options::new(authority.issue(&[NAME])));
    let port = server.address.port();
    let dial = format!("nats.example:4222, 192.0.2.1:4222, host.wasmcloud.internal:{port}, 127.0.0.1:{port}");
    let denied = probing(&server, &authority)
        .environment("PROBE_DIAL", &dial)
        .with_service(|service| service.resources.allowed_host_loopback_ports.clear());
    let errors: Vec<String> = probe(denied)
        .await
        .iter()
        .map(|seen| seen["error"].as_str().unwrap().to_owned())
        .collect();
    let sentinel = format!("127.255.255.254:{port}");
    assert_eq!(
        errors,
        [
            "look up \"nats.example\": the host refuses to look it up: grant the name with allowedIpNameLookups"
                .to_owned(),
            "connect to 192.0.2.1:4222: the host denies 192.0.2.1:4222: grant it with allowedHosts".to_owned(),
            format!(
                "connect to host.wasmcloud.internal:{port}: the host denies {sentinel}: \
                 grant the port with allowedHostLoopbackPorts"
            ),
            format!("connect to 127.0.0.1:{port}: 127.0.0.1:{port} refused, nothing listens there"),
        ]
    );
}

#[tokio::test]
async fn a_name_that_is_granted_is_looked_up_by_the_machine() {
    let authority = Authority::new("authority");
    let server = TlsServer::start(Options::new(authority.issue(&[NAME])));
    let granted = probing(&server, &authority)
        .environment("PROBE_DIAL", "nowhere.invalid:1")
        .with_service(|service| {
            service
                .resources
                .allowed_ip_name_lookups
                .push("*.invalid".parse().unwrap())
        });
    let seen = probe(granted).await;
    assert_eq!(
        seen[0]["error"],
        "look up \"nowhere.invalid\": no such name, or it has no address"
    );
}
