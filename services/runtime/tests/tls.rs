//! The dialer's TLS against a real server: who is trusted, what is agreed upon, what the errors say.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod counting;
mod tls_server;

use std::io;
use std::time::Duration;

use mainstay_runtime::net::tls::explain;
use mainstay_runtime::net::{Coalesced, Dialer, Endpoint, Error, Host, Pem, Stream, Tls, TlsSettings, Verification};
use rustls::{CipherSuite, ProtocolVersion};
use tls_server::{Authority, Options, TlsServer, VERSIONS};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const NAME: &str = "nats.example";

fn text(pem: &str) -> Option<Pem> {
    Some(Pem::from(pem))
}

/// Settings that trust `authority` and expect [`NAME`].
fn settings(authority: &Authority) -> TlsSettings {
    TlsSettings {
        authorities: text(&authority.pem()),
        server_name: Some(NAME.to_owned()),
        ..TlsSettings::default()
    }
}

async fn dial(server: &TlsServer, settings: &TlsSettings) -> Result<Stream, Error> {
    let endpoint: Endpoint = server.address.to_string().parse().unwrap();
    Dialer::new(Duration::from_secs(10))
        .with_tls(settings.load().unwrap())
        .connect(&endpoint)
        .await
}

async fn echo(stream: &mut Stream, text: &str) -> io::Result<String> {
    stream.write_all(text.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).await?;
    Ok(String::from_utf8(answer).unwrap())
}

/// The error of a connection that fails, without the address in front.
async fn refusal(server: &TlsServer, settings: &TlsSettings) -> String {
    let error = dial(server, settings)
        .await
        .expect_err("the connection should have failed")
        .to_string();
    let prefix = format!("connect to {0}: {0}: ", server.address);
    error
        .strip_prefix(&prefix)
        .unwrap_or_else(|| panic!("no {prefix:?} in {error:?}"))
        .to_owned()
}

#[tokio::test]
async fn both_versions_agree_on_chacha_and_carry_data() {
    let authority = Authority::new("authority");
    let agreed = [
        (
            ProtocolVersion::TLSv1_2,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        ),
        (ProtocolVersion::TLSv1_3, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
    ];
    for (versions, (version, suite)) in VERSIONS.into_iter().zip(agreed) {
        let server = TlsServer::start(Options {
            versions,
            ..Options::new(authority.issue(&[NAME]))
        });
        let mut stream = dial(&server, &settings(&authority)).await.unwrap();
        assert_eq!(echo(&mut stream, "hello").await.unwrap(), "hello");
        assert_eq!(stream.session().unwrap().protocol_version(), Some(version));
        let seen = server.seen().pop().unwrap();
        assert_eq!((seen.version, seen.suite), (Some(version), Some(suite)));
        assert_eq!(
            seen.name.as_deref(),
            Some(NAME),
            "the server is asked for the configured name"
        );
        assert!(!seen.client_certificate);
    }
}

#[tokio::test]
async fn more_than_a_buffer_comes_back_whole() {
    let authority = Authority::new("authority");
    let server = TlsServer::start(Options::new(authority.issue(&[NAME])));
    let stream = dial(&server, &settings(&authority)).await.unwrap();
    let sent: Vec<u8> = (0..3_000_000_u32)
        .map(|n| n.to_le_bytes()[0] ^ (n >> 8).to_le_bytes()[0])
        .collect();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut received = vec![0; sent.len()];
    let write = async { writer.write_all(&sent).await.and(writer.flush().await) };
    let (written, read) = tokio::join!(write, reader.read_exact(&mut received));
    written.and(read.map(drop)).unwrap();
    assert!(sent == received);
}

#[tokio::test]
async fn a_certificate_for_an_address_is_enough_for_that_address() {
    let authority = Authority::new("authority");
    let server = TlsServer::start(Options::new(authority.issue(&["127.0.0.1"])));
    let settings = TlsSettings {
        server_name: None,
        ..settings(&authority)
    };
    let mut stream = dial(&server, &settings).await.unwrap();
    assert_eq!(echo(&mut stream, "hello").await.unwrap(), "hello");
    assert_eq!(
        server.seen().pop().unwrap().name,
        None,
        "addresses are not names to ask for (RFC 6066 §3)"
    );
}

#[tokio::test]
async fn a_wrong_name_is_refused_with_the_names_of_the_certificate() {
    let authority = Authority::new("authority");
    let server = TlsServer::start(Options::new(authority.issue(&["other.example", "10.1.2.3"])));
    let error = refusal(&server, &settings(&authority)).await;
    let expected = "the server's certificate is not for nats.example, but for other.example, 10.1.2.3: connect by a name that it has, or configure that name as the server name";
    assert_eq!(error, expected);
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let authority = Authority::new("authority");
    let server = TlsServer::start(Options::new(authority.issue_until(&[NAME], 2020)));
    let error = refusal(&server, &settings(&authority)).await;
    assert!(error.starts_with("the server's certificate expired "), "{error}");
    assert!(error.ends_with(" days ago: it has to be renewed"), "{error}");
}

#[tokio::test]
async fn a_certificate_of_a_foreign_authority_is_refused() {
    let (trusted, foreign) = (Authority::new("trusted"), Authority::new("foreign"));
    let server = TlsServer::start(Options::new(foreign.issue(&[NAME])));
    let expected = "the server's certificate is from an authority that is not trusted: configure the CA certificate";
    assert_eq!(refusal(&server, &settings(&trusted)).await, expected);
    let mozilla = TlsSettings {
        authorities: None,
        ..settings(&trusted)
    };
    assert_eq!(
        refusal(&server, &mozilla).await,
        expected,
        "the Mozilla roots do not know it either"
    );
    let same_name = TlsServer::start(Options::new(Authority::new("trusted").issue(&[NAME])));
    refusal(&same_name, &settings(&trusted)).await;
}

#[tokio::test]
async fn the_certificate_of_an_authority_is_not_one_for_a_server() {
    let authority = Authority::new("authority");
    let server = TlsServer::start(Options::new(authority.identity()));
    let expected =
        "the server's certificate is the one of a certificate authority: give the server one that is issued by it";
    assert_eq!(refusal(&server, &settings(&authority)).await, expected);
}

#[tokio::test]
async fn each_verification_accepts_what_it_says_and_no_more() {
    let (trusted, foreign) = (Authority::new("trusted"), Authority::new("foreign"));
    let good = TlsServer::start(Options::new(trusted.issue(&[NAME])));
    let wrong_name = TlsServer::start(Options::new(trusted.issue(&["other.example"])));
    let expired = TlsServer::start(Options::new(trusted.issue_until(&[NAME], 2020)));
    let foreign = TlsServer::start(Options::new(foreign.issue(&[NAME])));
    let cases = [
        (Verification::Require, [true, true, true, true]),
        (Verification::VerifyCa, [true, true, false, false]),
        (Verification::VerifyFull, [true, false, false, false]),
    ];
    for (verification, accepted) in cases {
        let settings = TlsSettings {
            verification,
            ..settings(&trusted)
        };
        for (server, accepted) in [&good, &wrong_name, &expired, &foreign].into_iter().zip(accepted) {
            let connected = dial(server, &settings).await;
            assert_eq!(connected.is_ok(), accepted, "{verification}: {:?}", connected.map(drop));
        }
    }
    let off = TlsSettings {
        verification: Verification::Off,
        ..TlsSettings::default()
    };
    assert!(off.load().unwrap().is_none());
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_it_is_demanded() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    for versions in VERSIONS {
        let clients_of = Some(clients.pem());
        let server = TlsServer::start(Options {
            versions,
            clients_of,
            ..Options::new(servers.issue(&[NAME]))
        });
        let shown = |authority: &Authority| {
            let identity = authority.issue(&["client"]);
            TlsSettings {
                certificate: text(&identity.certificate),
                key: text(&identity.key),
                ..settings(&servers)
            }
        };
        let mut stream = dial(&server, &shown(&clients)).await.unwrap();
        assert_eq!(echo(&mut stream, "hello").await.unwrap(), "hello");
        assert!(server.seen().pop().unwrap().client_certificate);

        let missing = client_refusal(&server, &settings(&servers)).await;
        // TLS 1.2 has no alert of its own for it (RFC 5246 §7.4.6).
        assert!(missing.contains("client certificate"), "{missing}");
        let foreign = client_refusal(&server, &shown(&servers)).await;
        let expected = "the server refuses our client certificate: it does not trust the authority that issued it";
        assert_eq!(foreign, expected);
    }
}

/// What a client is told that the server does not let in: in the handshake by TLS 1.2, afterwards by TLS 1.3.
async fn client_refusal(server: &TlsServer, settings: &TlsSettings) -> String {
    match dial(server, settings).await {
        Err(error) => error
            .to_string()
            .rsplit_once(&format!("{}: ", server.address))
            .unwrap()
            .1
            .to_owned(),
        Ok(mut stream) => explain(&echo(&mut stream, "hello").await.unwrap_err()).unwrap(),
    }
}

#[tokio::test]
async fn a_protocol_is_agreed_upon() {
    let authority = Authority::new("authority");
    let protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let server = TlsServer::start(Options {
        protocols,
        ..Options::new(authority.issue(&[NAME]))
    });
    let offered = |protocol: &str| TlsSettings {
        protocols: vec![protocol.to_owned()],
        ..settings(&authority)
    };
    let stream = dial(&server, &offered("http/1.1")).await.unwrap();
    assert_eq!(stream.session().unwrap().alpn_protocol(), Some(&b"http/1.1"[..]));
    let error = refusal(&server, &offered("postgresql")).await;
    assert_eq!(error, "the server speaks none of the protocols offered by ALPN");
}

/// What a NATS client does: it is given an address, and rustls's own configuration.
#[tokio::test]
async fn a_library_that_knows_only_an_address_is_held_to_the_configured_name() {
    let authority = Authority::new("authority");
    let right = TlsServer::start(Options::new(authority.issue(&[NAME])));
    let wrong = TlsServer::start(Options::new(authority.issue(&["other.example", "127.0.0.1"])));
    let config = settings(&authority).load().unwrap().unwrap().config();
    for (server, accepted) in [(right, true), (wrong, false)] {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let name = rustls::pki_types::ServerName::IpAddress(server.address.ip().into());
        let connected = tokio_rustls::TlsConnector::from(config.clone())
            .connect(name, stream)
            .await;
        assert_eq!(connected.is_ok(), accepted);
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_one_with_a_bad_certificate() {
    let settings = settings(&Authority::new("authority"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let dialer = Dialer::new(Duration::from_secs(10)).with_tls(settings.load().unwrap());
    let endpoint: Endpoint = address.to_string().parse().unwrap();
    for (answer, expected) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            "the server does not speak TLS, or something between alters it",
        ),
        (
            &b""[..],
            "the server closed the connection during the TLS handshake: does it speak TLS?",
        ),
    ] {
        let answering = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_u8().await.unwrap();
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.unwrap();
            // Until the client hangs up: closing with unread bytes would reset the connection.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        };
        let (connected, ()) = tokio::join!(
            async {
                let connected = dialer.connect(&endpoint).await;
                connected.map(drop)
            },
            answering
        );
        assert_eq!(
            connected.unwrap_err().to_string(),
            format!("connect to {address}: {address}: {expected}")
        );
    }
}

/// The client has two flights, in both versions of TLS, and each is one write, even when it shows a certificate.
#[tokio::test]
async fn each_flight_of_a_handshake_is_one_write() {
    let authority = Authority::new("authority");
    let identity = authority.issue(&["client"]);
    let settings = TlsSettings {
        certificate: text(&identity.certificate),
        key: text(&identity.key),
        ..settings(&authority)
    };
    let tls: Tls = settings.load().unwrap().unwrap();
    for versions in VERSIONS {
        let clients_of = Some(authority.pem());
        let server = TlsServer::start(Options {
            versions,
            clients_of,
            ..Options::new(authority.issue(&[NAME]))
        });
        let (stream, writes) = counting::Counting::connect(server.address).await;
        let host: Host = NAME.parse().unwrap();
        let mut stream = tls.handshake(&host, Coalesced::new(stream)).await.unwrap();
        assert_eq!(writes.get(), 2);
        // A request made of four pieces is four TLS records and one write.
        for piece in ["one", "two", "three", "four"] {
            stream.write_all(piece.as_bytes()).await.unwrap();
        }
        stream.flush().await.unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!((&answer, writes.get()), (b"onetwothreefour", 3));
    }
}
