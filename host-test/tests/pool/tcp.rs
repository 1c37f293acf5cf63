//! Bytes through the pool: a connection is as a direct one would be.

use mainstay_host_test::workload::Workload;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::common;
use crate::support::{self, figures, ready};

/// A server that greets with a number, and sends back what it is sent, to the end.
async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for number in 0_u8.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                stream.write_all(&[number]).await.unwrap();
                let (mut reader, mut writer) = stream.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
                let _ = writer.write_all(b"end").await;
                let _ = writer.shutdown().await;
            });
        }
    });
    port
}

fn workload(port: u16, settings: &str) -> Workload {
    let url = format!("tcp://host.wasmcloud.internal:{port}?listen=9000&{settings}");
    support::service(&[port]).environment("POOL_ECHO_URL", &url).start()
}

async fn connect(workload: &Workload) -> (TcpStream, u8) {
    let mut stream = common::connect(workload, 9000).await;
    let number = stream.read_u8().await.unwrap();
    (stream, number)
}

#[tokio::test]
async fn half_closes_and_large_transfers_are_those_of_a_direct_connection() {
    let workload = workload(echo().await, "min_idle=1");
    ready(&workload).await;
    let (mut stream, _) = connect(&workload).await;
    let sent: Vec<u8> = (0..20_000_000_u32).map(|number| (number % 251) as u8).collect();
    let (mut reader, mut writer) = stream.split();
    let write = async {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut heard = Vec::new();
    let (_, read) = tokio::join!(write, reader.read_to_end(&mut heard));
    read.unwrap();
    assert_eq!(heard.len(), sent.len() + 3);
    assert!(heard[..sent.len()] == sent[..] && heard.ends_with(b"end"));
}

#[tokio::test]
async fn nobody_gets_a_connection_that_another_has_had() {
    let workload = workload(echo().await, "min_idle=2&max=4");
    ready(&workload).await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..6 {
        let (stream, number) = connect(&workload).await;
        assert!(seen.insert(number), "number {number} came twice");
        drop(stream);
    }
}

#[tokio::test]
async fn a_connection_goes_back_when_the_server_had_the_last_word() {
    let workload = workload(echo().await, "reuse=on-idle&max=1");
    ready(&workload).await;
    let (mut stream, _) = connect(&workload).await;
    stream.write_all(b"hello").await.unwrap();
    let mut heard = [0; 5];
    stream.read_exact(&mut heard).await.unwrap();
    drop(stream);
    support::eventually("it is back", &workload, async || {
        figures(&workload, "echo").await["idle"] == 1
    })
    .await;
    let mut stream = common::connect(&workload, 9000).await;
    stream.write_all(b"again").await.unwrap();
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"again");
    assert_eq!(figures(&workload, "echo").await["connects"], 1);
}
