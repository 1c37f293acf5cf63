//! The connection to the server: who the service is, TLS, names, servers that come and go.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod common;
mod nats;

use std::fs;

use base64::Engine as _;
use mainstay_host_test::workload::{Phase, Workload};
use mainstay_peers::NatsServer;
use nats::{client, eventually, handler, log, metric, page, ready};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

async fn works(workload: &Workload, client: &async_nats::Client) {
    ready(workload).await;
    let answer = client.request("greet", "hello".into()).await.unwrap();
    assert_eq!(answer.payload, "hello");
}

/// A wrong credential is told once, as an error, and shown nowhere.
async fn is_refused(workload: &Workload, secret: &str) {
    eventually("it is refused", workload, async || {
        page(workload, "/readyz")
            .await
            .contains("does not take the credentials")
    })
    .await;
    eventually("it is tried again", workload, async || {
        metric(workload, "nats_connection_failures_total").await > 2.0
    })
    .await;
    let log = log(workload);
    assert_eq!(log.matches("does not take the credentials:").count(), 1, "{log}");
    assert!(!log.contains(secret), "{log}");
    assert!(!page(workload, "/metrics").await.contains(secret));
}

#[tokio::test]
async fn a_token_is_taken_and_a_wrong_one_refused_once() {
    let server = NatsServer::with_config("authorization { token: s3cr3t }").unwrap();
    let client = async_nats::ConnectOptions::with_token("s3cr3t".to_owned())
        .connect(server.url())
        .await
        .unwrap();
    let base = handler(&server)
        .environment("NATS_SUBJECTS", "greet")
        .environment("NATS_RECONNECT_MAX", "100ms");
    works(&base.clone().environment("NATS_TOKEN", "s3cr3t").start(), &client).await;
    is_refused(&base.environment("NATS_TOKEN", "wr0ng").start(), "wr0ng").await;
}

#[tokio::test]
async fn user_and_password_are_taken_from_variables_and_from_the_url() {
    let server = NatsServer::with_config("authorization { user: me, password: \"p@ss\" }").unwrap();
    let options = async_nats::ConnectOptions::with_user_and_password("me".to_owned(), "p@ss".to_owned());
    let client = options.connect(server.url()).await.unwrap();
    let base = handler(&server)
        .environment("NATS_SUBJECTS", "greet")
        .environment("NATS_RECONNECT_MAX", "100ms");
    let by_variables = base
        .clone()
        .environment("NATS_USER", "me")
        .environment("NATS_PASSWORD", "p@ss");
    works(&by_variables.start(), &client).await;
    let url = format!("nats://me:p%40ss@host.wasmcloud.internal:{}", server.port());
    works(&base.clone().environment("NATS_URL", &url).start(), &client).await;
    let wrong = base
        .environment("NATS_USER", "me")
        .environment("NATS_PASSWORD", "wr0ng");
    is_refused(&wrong.start(), "wr0ng").await;
}

#[tokio::test]
async fn an_nkey_signs_for_the_service() {
    let key = nkeys::KeyPair::new_user();
    let (public, seed) = (key.public_key(), key.seed().unwrap());
    let server = NatsServer::with_config(&format!("authorization {{ users: [ {{ nkey: {public} }} ] }}")).unwrap();
    let client = async_nats::ConnectOptions::with_nkey(seed.clone())
        .connect(server.url())
        .await
        .unwrap();
    let base = handler(&server).environment("NATS_SUBJECTS", "greet");
    works(&base.environment("NATS_NKEY", &seed).start(), &client).await;
}

/// A claim that `issuer` makes of `subject`, as NATS signs them (ADR-14).
fn jwt(issuer: &nkeys::KeyPair, subject: &str, claims: &str) -> String {
    let encode = |bytes: &[u8]| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let head = encode(br#"{"typ":"JWT","alg":"ed25519-nkey"}"#);
    let issuer_key = issuer.public_key();
    let body = format!(
        r#"{{"jti":"{subject}","iat":1700000000,"iss":"{issuer_key}","name":"test","sub":"{subject}","nats":{claims}}}"#
    );
    let signed = format!("{head}.{}", encode(body.as_bytes()));
    let signature = encode(&issuer.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

#[tokio::test]
async fn a_credentials_file_is_taken_as_text_and_a_revoked_one_is_refused() {
    let [operator, account, user] = [
        nkeys::KeyPair::new_operator(),
        nkeys::KeyPair::new_account(),
        nkeys::KeyPair::new_user(),
    ];
    let operator_jwt = jwt(&operator, &operator.public_key(), r#"{"type":"operator","version":2}"#);
    let limits = r#"{"subs":-1,"data":-1,"payload":-1,"imports":-1,"exports":-1,"wildcards":true,"conn":-1,"leaf":-1}"#;
    let account_claims = format!(r#"{{"type":"account","version":2,"limits":{limits}}}"#);
    let account_jwt = jwt(&operator, &account.public_key(), &account_claims);
    let user_claims = r#"{"type":"user","version":2,"subs":-1,"data":-1,"payload":-1}"#;
    let user_jwt = jwt(&account, &user.public_key(), user_claims);
    let seed = user.seed().unwrap();
    let lines = format!(
        "operator: {operator_jwt}\nresolver: MEMORY\nresolver_preload {{ {}: {account_jwt} }}",
        account.public_key()
    );
    let server = NatsServer::with_config(&lines).unwrap();
    let creds = |jwt: &str| {
        format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
    };
    let options = async_nats::ConnectOptions::with_credentials(&creds(&user_jwt)).unwrap();
    let client = options.connect(server.url()).await.unwrap();
    let base = handler(&server)
        .environment("NATS_SUBJECTS", "greet")
        .environment("NATS_RECONNECT_MAX", "100ms");
    works(
        &base.clone().environment("NATS_CREDS", &creds(&user_jwt)).start(),
        &client,
    )
    .await;
    let foreign = jwt(&nkeys::KeyPair::new_account(), &user.public_key(), user_claims);
    is_refused(&base.environment("NATS_CREDS", &creds(&foreign)).start(), &seed).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_at_start_is_a_state() {
    let mut server = NatsServer::start().unwrap();
    server.kill();
    let workload = handler(&server).environment("NATS_SUBJECTS", "greet").start();
    eventually("it says so", &workload, async || {
        let readyz = page(&workload, "/readyz").await;
        readyz.contains("503") && readyz.contains("not connected to a NATS server yet")
    })
    .await;
    assert_eq!(workload.status().state, Phase::Running);
    server.start_again().unwrap();
    works(&workload, &client(&server).await).await;
}

#[tokio::test]
async fn a_wrong_setting_ends_the_service_with_one_line() {
    let server = NatsServer::start().unwrap();
    let (status, _, stderr) = handler(&server).environment("NATS_TIMEOUT", "soon").run().await;
    assert_eq!(status.state, Phase::Error);
    assert!(
        stderr.contains("NATS_TIMEOUT \\\"soon\\\"") || stderr.contains("NATS_TIMEOUT \"soon\""),
        "{stderr}"
    );
}

#[tokio::test]
async fn the_service_moves_on_when_its_server_is_about_to_go() {
    let lame = NatsServer::with_config("lame_duck_duration: \"30s\"\nlame_duck_grace_period: \"10s\"").unwrap();
    let other = NatsServer::start().unwrap();
    let urls = [lame.port(), other.port()]
        .map(|port| format!("nats://host.wasmcloud.internal:{port}"))
        .join(",");
    let workload = handler(&lame)
        .environment("NATS_SUBJECTS", "greet")
        .environment("NATS_URL", &urls)
        .with_service(|service| service.resources.allowed_host_loopback_ports.push(other.port()))
        .start();
    ready(&workload).await;
    // Either of them may have been the first.
    let was = |server: &NatsServer| {
        log(&workload).contains(&format!(
            "connected server=nats://host.wasmcloud.internal:{}",
            server.port()
        ))
    };
    if !was(&lame) {
        return;
    }
    lame.signal("ldm").unwrap();
    eventually("it has moved", &workload, async || was(&other)).await;
    works(&workload, &client(&other).await).await;
    assert_eq!(metric(&workload, "nats_connected").await, 1.0);
}

/// An authority, and a server's certificate for a name; files in the server's folder.
struct Certificates {
    authority: String,
    lines: String,
    client: (String, String),
}

fn certificates(folder: &std::path::Path, name: &str) -> Certificates {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()])
            .unwrap()
            .signed_by(&key, &authority)
            .unwrap();
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

/// A server that speaks TLS, with a certificate for this name.
fn tls_server(name: &str, more: &str) -> (NatsServer, Certificates) {
    let mut server = NatsServer::start().unwrap();
    let certificates = certificates(server.folder(), name);
    server
        .configure(&format!("tls {{ {}, {more} }}", certificates.lines))
        .unwrap();
    server.restart().unwrap();
    (server, certificates)
}

const NAME: &str = "host.wasmcloud.internal";

#[tokio::test]
async fn tls_with_an_authority_of_ones_own_works_and_with_any_other_it_does_not() {
    let (server, certificates) = tls_server(NAME, "");
    let base = handler(&server).environment("NATS_SUBJECTS", "greet");
    let workload = base.clone().environment("NATS_CA", &certificates.authority).start();
    ready(&workload).await;
    assert!(log(&workload).contains("tls=true"), "{}", log(&workload));
    let stranger = base.start();
    eventually("it is not trusted", &stranger, async || {
        log(&stranger).contains("not connected")
    })
    .await;
    assert!(!log(&stranger).contains("tls=true"));
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (server, certificates) = tls_server("other.example", "");
    let base = handler(&server)
        .environment("NATS_SUBJECTS", "greet")
        .environment("NATS_CA", &certificates.authority);
    let workload = base.start();
    eventually("the name is named", &workload, async || {
        let log = log(&workload);
        log.contains("not connected") && log.contains("other.example")
    })
    .await;
    let named = base.environment("NATS_TLS_SERVER_NAME", "other.example").start();
    ready(&named).await;
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_the_handshake_may_come_first() {
    let (server, certificates) = tls_server(NAME, "verify: true, handshake_first: true");
    let base = handler(&server)
        .environment("NATS_SUBJECTS", "greet")
        .environment("NATS_CA", &certificates.authority)
        .environment("NATS_TLS_FIRST", "true");
    let (certificate, key) = &certificates.client;
    let workload = base
        .clone()
        .environment("NATS_CERT", certificate)
        .environment("NATS_KEY", key)
        .start();
    ready(&workload).await;
    assert!(log(&workload).contains("tls=true"));
    let without = base.start();
    eventually("it is refused", &without, async || {
        metric(&without, "nats_connection_failures_total").await > 0.0
    })
    .await;
    assert!(!log(&without).contains("tls=true"));
}
