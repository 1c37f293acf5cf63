//! The dialer without TLS, and what its errors say.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::time::Duration;

use mainstay_runtime::net::{Dialer, Endpoint, TlsSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

async fn listen() -> (TcpListener, Endpoint) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = listener.local_addr().unwrap().to_string().parse().unwrap();
    (listener, endpoint)
}

#[tokio::test]
async fn a_plain_connection_carries_data_both_ways() {
    let (listener, endpoint) = listen().await;
    let local = Endpoint::parse(&format!("localhost:{}", endpoint.port()), None).unwrap();
    let dialer = Dialer::new(Duration::from_secs(10));
    let (near, far) = tokio::join!(dialer.connect(&local), listener.accept());
    let (mut near, mut far) = (near.unwrap(), far.unwrap().0);
    assert_eq!(near.peer(), listener.local_addr().unwrap());
    near.write_all(b"ping").await.unwrap();
    near.flush().await.unwrap();
    let mut bytes = [0; 4];
    far.read_exact(&mut bytes).await.unwrap();
    far.write_all(&bytes).await.unwrap();
    near.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"ping");
}

#[tokio::test]
async fn a_refused_connection_names_the_endpoint_and_the_address() {
    let (listener, endpoint) = listen().await;
    drop(listener);
    let endpoint = Endpoint::parse("localhost", Some(endpoint.port())).unwrap();
    let error = Dialer::new(Duration::from_secs(10))
        .connect(&endpoint)
        .await
        .unwrap_err()
        .to_string();
    let port = endpoint.port();
    assert_eq!(
        error,
        format!("connect to localhost:{port}: 127.0.0.1:{port} refused, nothing listens there")
    );
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_in_time() {
    let (listener, endpoint) = listen().await;
    let dialer = Dialer::new(Duration::from_millis(100)).with_tls(TlsSettings::default().load().unwrap());
    let (connected, accepted) = tokio::join!(dialer.connect(&endpoint), listener.accept());
    assert_eq!(
        connected.unwrap_err().to_string(),
        format!("connect to {endpoint}: {endpoint}: no answer within 100ms")
    );
    drop(accepted);
}

#[tokio::test]
async fn a_name_without_an_address_is_named() {
    let endpoint: Endpoint = "nowhere.invalid:4222".parse().unwrap();
    let error = Dialer::new(Duration::from_secs(10))
        .connect(&endpoint)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("look up \"nowhere.invalid\": "), "{error}");
}
