//! TLS to the collector: an authority of one's own, a certificate of the sidecar's, a wrong name, a password.

use std::net::SocketAddr;
use std::sync::Arc;

use mainstay_collector::{Collector, Encoding, Signal};
use mainstay_host_test::workload::Workload;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::common::{Builder, DEADLINE};
use crate::support::{arrived, fixtures, receiver, send, sidecar_to};

const NAME: &str = "host.wasmcloud.internal";

/// An authority, and what it issued to the sidecar.
struct Authority {
    pem: String,
    certificate: String,
    key: String,
}

/// A certificate for a name, and its key.
fn issue(name: &str, authority: &Issuer<'_, KeyPair>) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap();
    (certificate.signed_by(&key, authority).unwrap(), key)
}

/// Listens for TLS in front of a collector, with a certificate for this name, and lets nobody in who has none.
async fn before(collector: SocketAddr, name: &str, encoding: Encoding) -> (SocketAddr, Authority) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let (certificate, key) = issue(name, &authority);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut trusted = RootCertStore::empty();
    trusted.add(authority.der().clone()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), Arc::clone(&provider));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    // One that offers something else is not spoken to.
    config.alpn_protocols = vec![if encoding == Encoding::Grpc { "h2" } else { "http/1.1" }.into()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut near = acceptor.accept(stream).await?;
                let mut far = TcpStream::connect(collector).await?;
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    let (certificate, key) = issue("sidecar.example", &authority);
    let authority = Authority {
        pem: authority.pem(),
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    };
    (address, authority)
}

/// A collector, and a sidecar that sends to it by TLS: trusts the authority, and shows its certificate.
async fn secured(name: &str, encoding: Encoding) -> (Collector, Authority, Builder) {
    let collector = Collector::start().unwrap();
    let plain = match encoding {
        Encoding::Grpc => collector.grpc(),
        Encoding::Protobuf | Encoding::Json => collector.http(),
    };
    let (address, authority) = before(plain, name, encoding).await;
    let url = format!("https://{NAME}:{}", address.port());
    let builder = sidecar_to(address, encoding)
        .environment("OTEL_EXPORTER_OTLP_ENDPOINT", &url)
        .environment("OTEL_EXPORTER_OTLP_CERTIFICATE", &authority.pem)
        .environment("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &authority.certificate)
        .environment("OTEL_EXPORTER_OTLP_CLIENT_KEY", &authority.key)
        .environment("OTEL_RETRY_MIN", "20ms")
        .environment("OTEL_RETRY_MAX", "100ms");
    (collector, authority, builder)
}

async fn hand_over(workload: &Workload) {
    let to = receiver(workload, Encoding::Protobuf).await;
    let body = fixtures::bytes(Signal::Logs);
    send::accepted(to, Signal::Logs, Encoding::Protobuf, &body).await;
}

/// Waits for a failed export whose reason has this in it; nothing has arrived.
async fn fails(workload: &Workload, collector: &Collector, reason: &str) {
    hand_over(workload).await;
    let log = workload.stderr().unwrap();
    let waited = log.wait_for(reason, DEADLINE).await;
    waited.unwrap_or_else(|error| panic!("{reason}: {error}\n{}", log.text()));
    assert!(collector.exports().is_empty());
}

const WAYS: [Encoding; 2] = [Encoding::Protobuf, Encoding::Grpc];

#[tokio::test]
async fn it_arrives_over_tls_with_a_certificate_of_the_sidecar_and_a_password() {
    for encoding in WAYS {
        let (collector, authority, builder) = secured(NAME, encoding).await;
        let workload = builder
            .environment("OTEL_EXPORTER_OTLP_USERNAME", "ann")
            .environment("OTEL_EXPORTER_OTLP_PASSWORD", "open sesame")
            .start();
        hand_over(&workload).await;
        arrived(&workload, &collector, Signal::Logs, 1).await;
        let export = collector.exports().remove(0);
        assert_eq!(export.encoding, encoding);
        let found = export.headers.iter().find(|(name, _)| name == "authorization");
        // printf 'ann:open sesame' | base64
        assert_eq!(found.unwrap().1, "Basic YW5uOm9wZW4gc2VzYW1l");
        let log = workload.stderr().unwrap().text();
        let key = authority.key.lines().nth(1).unwrap();
        assert!(
            !log.contains("sesame") && !log.contains("c2VzYW1l") && !log.contains(key),
            "{log}"
        );
    }
}

#[tokio::test]
async fn a_collector_with_another_name_is_refused_unless_that_is_the_name_to_expect() {
    for encoding in WAYS {
        let (collector, _, builder) = secured("other.example", encoding).await;
        let workload = builder.clone().start();
        fails(&workload, &collector, "other.example").await;
        drop(workload);
        let named = builder.environment("OTEL_EXPORTER_OTLP_TLS_SERVER_NAME", "other.example");
        let workload = named.start();
        hand_over(&workload).await;
        arrived(&workload, &collector, Signal::Logs, 1).await;
    }
}

#[tokio::test]
async fn a_collector_of_another_authority_is_refused() {
    for encoding in WAYS {
        let (collector, _, builder) = secured(NAME, encoding).await;
        let (_, other) = before(collector.http(), NAME, encoding).await;
        let workload = builder
            .environment("OTEL_EXPORTER_OTLP_CERTIFICATE", &other.pem)
            .start();
        fails(&workload, &collector, "an authority that is not trusted").await;
    }
}

#[tokio::test]
async fn without_a_certificate_of_its_own_the_sidecar_is_not_let_in() {
    for encoding in WAYS {
        let (collector, _, builder) = secured(NAME, encoding).await;
        let builder = builder.with_service(|service| {
            service
                .resources
                .environment
                .remove("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE");
            service.resources.environment.remove("OTEL_EXPORTER_OTLP_CLIENT_KEY");
        });
        fails(&builder.start(), &collector, "export: ").await;
    }
}
