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

/// A server that does this to every connection.
async fn server<Served: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> Served + Send + Sync + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            tokio::spawn(serve(listener.accept().await.unwrap().0));
        }
    });
    port
}

#[tokio::test]
async fn what_a_server_said_before_it_was_killed_reaches_the_client() {
    let port = server(|mut stream| async move {
        let mut asked = [0; 3];
        stream.read_exact(&mut asked).await.unwrap();
        stream.write_all(&[7; 30_000]).await.unwrap();
        // With bytes unread, this is a reset and no orderly end.
        stream.read_exact(&mut asked[..1]).await.unwrap();
    })
    .await;
    let workload = workload(port, "max=2");
    ready(&workload).await;
    let mut stream = common::connect(&workload, 9000).await;
    stream.write_all(b"askXYZ").await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard.len(), 30_000);
    support::eventually("it is let go", &workload, async || {
        figures(&workload, "echo").await["active"] == 0
    })
    .await;
}

#[tokio::test]
async fn a_server_that_never_reads_is_given_up_and_holds_up_nobody() {
    let port = server(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let workload = workload(port, "max=2&send_timeout=1s");
    ready(&workload).await;
    for goes in [true, false] {
        let mut stream = common::connect(&workload, 9000).await;
        let piece = vec![7; 64 * 1024];
        // Until nobody takes any more, or it is cut off for that.
        while let Ok(Ok(())) =
            tokio::time::timeout(std::time::Duration::from_millis(300), stream.write_all(&piece)).await
        {}
        if goes {
            drop(stream);
        } else {
            let mut heard = Vec::new();
            let ended = tokio::time::timeout(common::DEADLINE, stream.read_to_end(&mut heard)).await;
            assert!(ended.is_ok(), "{}", support::log(&workload));
        }
        support::eventually("it is let go", &workload, async || {
            figures(&workload, "echo").await["active"] == 0
        })
        .await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_not_read_for() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    const ALL: usize = 64 * 1024 * 1024;
    let said = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&said);
    let port = server(move |mut stream| {
        let count = Arc::clone(&count);
        async move {
            for _ in 0..ALL / 65_536 {
                // A connection that nobody has borrowed yet is given up when its server speaks.
                if stream.write_all(&[7; 65_536]).await.is_err() {
                    return;
                }
                count.fetch_add(65_536, Ordering::SeqCst);
            }
        }
    })
    .await;
    let workload = workload(port, "max=1");
    let mut stream = common::connect(&workload, 9000).await;
    let mut before = 0;
    support::eventually("nobody takes more", &workload, async || {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let now = said.load(Ordering::SeqCst);
        std::mem::replace(&mut before, now) == now && now > 0
    })
    .await;
    assert!(before < ALL / 2, "{before} bytes are somewhere");
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard.len(), ALL);
}

#[tokio::test]
async fn who_goes_while_it_waits_waits_no_longer() {
    let workload = workload(echo().await, "max=1&acquire_timeout=60s");
    ready(&workload).await;
    let (holder, _) = connect(&workload).await;
    let waiting = common::connect(&workload, 9000).await;
    support::eventually("it waits", &workload, async || {
        figures(&workload, "echo").await["waiting"] == 1
    })
    .await;
    drop(waiting);
    support::eventually("it is gone", &workload, async || {
        figures(&workload, "echo").await["waiting"] == 0
    })
    .await;
    drop(holder);
}
