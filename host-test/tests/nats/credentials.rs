//! Who the service is: each kind of credentials against the newest and the oldest server, and none of them shown.

use std::fs;

use base64::Engine as _;
use mainstay_host_test::workload::{Phase, Workload};
use mainstay_peers::NatsServer;

use crate::support::{are_secret, eventually, log, metric, page, ready, with, works};

/// A wrong credential is told once, as an error.
async fn is_refused(workload: &Workload) {
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
    let told = log
        .lines()
        .filter(|line| line.contains("does not take the credentials:"));
    let told: Vec<&str> = told.collect();
    assert!(told.len() == 1 && told[0].contains("ERROR"), "{log}");
    assert_eq!(workload.status().state, Phase::Running);
}

/// The servers that credentials are shown to: the newest one and the oldest that is tested.
fn servers(lines: &str) -> [NatsServer; 2] {
    [
        NatsServer::with_config(lines).unwrap(),
        NatsServer::older(lines).unwrap(),
    ]
}

/// Credentials that are right and others that are wrong, against both servers. None of the secrets is shown anywhere.
async fn are_told_apart(
    lines: &str,
    options: async_nats::ConnectOptions,
    right: &[&[(&str, &str)]],
    wrong: &[(&str, &str)],
    secrets: &[&str],
) {
    for server in servers(lines) {
        let client = options.clone().connect(server.url()).await.unwrap();
        for variables in right {
            let workload = with(&server, variables).start();
            works(&workload, &client).await;
            are_secret(&workload, secrets).await;
        }
        let workload = with(&server, wrong).start();
        is_refused(&workload).await;
        are_secret(&workload, secrets).await;
    }
}

#[tokio::test]
async fn a_token_is_taken_and_a_wrong_one_refused_once() {
    are_told_apart(
        "authorization { token: s3cr3t }",
        async_nats::ConnectOptions::with_token("s3cr3t".to_owned()),
        &[&[("NATS_TOKEN", "s3cr3t")]],
        &[("NATS_TOKEN", "wr0ng")],
        &["s3cr3t", "wr0ng"],
    )
    .await;
}

#[tokio::test]
async fn user_and_password_are_taken_and_wrong_ones_refused_once() {
    are_told_apart(
        "authorization { user: me, password: \"p@ss-w0rd\" }",
        async_nats::ConnectOptions::with_user_and_password("me".to_owned(), "p@ss-w0rd".to_owned()),
        &[&[("NATS_USER", "me"), ("NATS_PASSWORD", "p@ss-w0rd")]],
        &[("NATS_USER", "me"), ("NATS_PASSWORD", "wr0ng")],
        &["p@ss-w0rd", "wr0ng"],
    )
    .await;
}

#[tokio::test]
async fn credentials_in_the_url_are_taken_and_not_shown() {
    for (lines, user) in [
        ("authorization { user: me, password: \"p@ss-w0rd\" }", "me:p%40ss-w0rd"),
        ("authorization { token: p@ss-w0rd }", "p%40ss-w0rd"),
    ] {
        let server = NatsServer::with_config(lines).unwrap();
        let url = format!("nats://{user}@host.wasmcloud.internal:{}", server.port());
        let workload = with(&server, &[("NATS_URL", &url)]).start();
        ready(&workload).await;
        are_secret(&workload, &["ss-w0rd"]).await;
    }
}

#[tokio::test]
async fn an_nkey_signs_for_the_service_and_a_strangers_is_refused_once() {
    let [key, stranger] = [nkeys::KeyPair::new_user(), nkeys::KeyPair::new_user()];
    let [seed, foreign] = [&key, &stranger].map(|key| key.seed().unwrap());
    are_told_apart(
        &format!("authorization {{ users: [ {{ nkey: {} }} ] }}", key.public_key()),
        async_nats::ConnectOptions::with_nkey(seed.clone()),
        &[&[("NATS_NKEY", &seed)]],
        &[("NATS_NKEY", &foreign)],
        &[&seed, &foreign],
    )
    .await;
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
async fn a_jwt_is_taken_as_credentials_text_as_a_file_and_with_its_seed_and_anothers_is_refused_once() {
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
    let creds = |jwt: &str| {
        format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
    };
    let foreign = jwt(&nkeys::KeyPair::new_account(), &user.public_key(), user_claims);
    are_told_apart(
        &lines,
        async_nats::ConnectOptions::with_credentials(&creds(&user_jwt)).unwrap(),
        &[
            &[("NATS_CREDS", &creds(&user_jwt))],
            &[("NATS_JWT", &user_jwt), ("NATS_NKEY", &seed)],
        ],
        &[("NATS_CREDS", &creds(&foreign))],
        &[&seed, &user_jwt, &foreign],
    )
    .await;

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("user.creds"), creds(&user_jwt)).unwrap();
    let server = NatsServer::with_config(&lines).unwrap();
    for variable in ["NATS_CREDS", "NATS_CREDS_FILE"] {
        let workload = with(&server, &[(variable, "/secrets/user.creds")])
            .volume(folder.path(), "/secrets")
            .start();
        ready(&workload).await;
        are_secret(&workload, &[&seed, &user_jwt]).await;
    }
}

#[tokio::test]
async fn a_credential_that_cannot_be_one_ends_the_service_and_is_not_shown() {
    let server = NatsServer::start().unwrap();
    for (variables, said) in [
        (&[("NATS_NKEY", "SUs3cr3t")][..], "NATS_NKEY is not an nkey seed"),
        (
            &[("NATS_JWT", "s3cr3t")],
            "NATS_JWT is set and NATS_NKEY, the seed that signs, is not",
        ),
        (
            &[("NATS_CREDS", "-----BEGIN s3cr3t")],
            "NATS_CREDS holds no -----BEGIN NATS USER JWT-----",
        ),
        (
            &[("NATS_CREDS", "/s3cr3t.creds")],
            "NATS_CREDS is neither the text of a credentials file nor the path",
        ),
        (
            &[("NATS_PASSWORD", "s3cr3t")],
            "NATS_PASSWORD is set and NATS_USER is not",
        ),
        (
            &[
                ("NATS_TOKEN", "s3cr3t"),
                ("NATS_USER", "me"),
                ("NATS_PASSWORD", "s3cr3t"),
            ],
            "NATS_USER and NATS_TOKEN are both set",
        ),
        (
            &[("NATS_URL", "http://me:s3cr3t@nats.example")],
            "the scheme is not nats or tls",
        ),
        (
            &[("NATS_KEY", "-----BEGIN PRIVATE KEY-----\ns3cr3t")],
            "NATS_CA, NATS_CERT, NATS_KEY",
        ),
    ] {
        let (status, stdout, stderr) = with(&server, variables).run().await;
        assert_eq!(status.state, Phase::Error, "{variables:?}");
        assert!(stderr.contains(said), "{said}: {stderr}");
        let shown = [stdout, stderr, status.to_string()].concat();
        assert!(!shown.contains("s3cr3t"), "{shown}");
    }
}
