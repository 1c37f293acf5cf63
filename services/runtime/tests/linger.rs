//! Sockets whose peers do not read, dropped: by those who accepted them, and by those who dialed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::time::Duration;

use mainstay_runtime::listener::Listener;
use mainstay_runtime::net::{Coalesced, Dialer, Endpoint, Socket, linger};
use mainstay_runtime::{Context, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;

const LONG: Duration = Duration::from_secs(20);

/// As a service runs it.
async fn in_a_service(test: impl AsyncFnOnce(Context) + 'static) {
    let service = async |context| {
        test(context).await;
        Ok::<(), String>(())
    };
    run("test", service).await.unwrap();
}

/// Writes until the peer, which does not read, has no room left.
async fn fill(stream: &mut (impl tokio::io::AsyncWrite + Unpin)) {
    let chunk = vec![7; 64 * 1024];
    while tokio::time::timeout(Duration::from_millis(200), stream.write_all(&chunk))
        .await
        .is_ok()
    {}
}

async fn until_lingering(context: &Context, count: f64) {
    let gauge = context.metrics.gauge("mainstay_lingering_sockets", "", &[]);
    let reached = async {
        while gauge.value() != count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let found = tokio::time::timeout(LONG, reached).await;
    found.unwrap_or_else(|_| panic!("{} linger, not {count}", gauge.value()));
}

#[tokio::test]
async fn a_client_that_does_not_read_keeps_its_place_and_no_other() {
    in_a_service(async |context| {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address();
        spawn_local(listener.serve(2, async |mut stream: Socket, _| {
            if stream.read_u8().await.is_ok_and(|wish| wish == b'f') {
                fill(&mut stream).await;
            }
        }));
        let mut clients = Vec::new();
        for _ in 0..2 {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_u8(b'f').await.unwrap();
            clients.push(client);
        }
        until_lingering(&context, 2.0).await;
        // The places are taken, and one becomes free when its client hangs up without having read, another by reading.
        let mut next = TcpStream::connect(address).await.unwrap();
        next.write_u8(b'x').await.unwrap();
        let waiting = tokio::time::timeout(Duration::from_millis(200), next.read_u8()).await;
        assert!(waiting.is_err(), "{waiting:?}");
        clients.pop();
        let ended = tokio::time::timeout(LONG, next.read_u8()).await.unwrap();
        assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
        until_lingering(&context, 1.0).await;
        let mut all = Vec::new();
        let read = tokio::time::timeout(LONG, clients[0].read_to_end(&mut all))
            .await
            .unwrap();
        assert!(read.unwrap() > 64 * 1024);
        until_lingering(&context, 0.0).await;
    })
    .await;
}

#[tokio::test]
async fn a_server_that_does_not_read_is_connected_to_so_often_and_no_more() {
    in_a_service(async |context| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let endpoint: Endpoint = address.to_string().parse().unwrap();
        let dialer = Dialer::new(LONG);
        let mut accepted = Vec::new();
        for _ in 0..linger::MOST {
            let (stream, far) = tokio::join!(dialer.connect(&endpoint), listener.accept());
            let mut stream = stream.unwrap();
            fill(&mut stream).await;
            accepted.push(far.unwrap().0);
        }
        until_lingering(&context, linger::MOST as f64).await;
        let error = dialer.connect(&endpoint).await.unwrap_err().to_string();
        assert_eq!(
            error,
            format!("connect to {endpoint}: {address}: 16 earlier connections wait for it to read what it was sent")
        );
        accepted.pop();
        until_lingering(&context, linger::MOST as f64 - 1.0).await;
        dialer.connect(&endpoint).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_was_written_arrives_before_the_end_when_a_socket_is_dropped() {
    in_a_service(async |_| {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address();
        spawn_local(listener.serve(1, async |stream, _| {
            let mut stream = Coalesced::new(stream);
            stream.write_all(&[7; 1000]).await.unwrap();
            stream.flush().await.unwrap();
        }));
        for _ in 0..3 {
            let mut client = TcpStream::connect(address).await.unwrap();
            let mut all = Vec::new();
            let read = tokio::time::timeout(LONG, client.read_to_end(&mut all)).await.unwrap();
            assert_eq!(read.unwrap(), 1000);
        }
    })
    .await;
}
