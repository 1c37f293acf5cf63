//! What gathers writes: when it lets them go, and that it loses and stalls nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod counting;

use std::io::IoSlice;
use std::time::Duration;

use counting::Counting;
use mainstay_runtime::net::Coalesced;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CAPACITY: usize = 64 * 1024;

/// A connection whose near end counts its writes, and its far end.
async fn pair() -> (Coalesced<Counting>, std::rc::Rc<std::cell::Cell<usize>>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let ((near, writes), far) = tokio::join!(Counting::connect(address), listener.accept());
    (Coalesced::new(near), writes, far.unwrap().0)
}

#[tokio::test]
async fn a_flush_makes_one_write_of_many() {
    let (mut near, writes, mut far) = pair().await;
    for _ in 0..1000 {
        near.write_all(b"0123456789").await.unwrap();
    }
    let slices = [IoSlice::new(b"end"), IoSlice::new(b"."), IoSlice::new(b"\n")];
    assert_eq!(near.write_vectored(&slices).await.unwrap(), 5);
    assert_eq!((writes.get(), near.pending()), (0, 10_005));
    near.flush().await.unwrap();
    assert_eq!((writes.get(), near.pending()), (1, 0));
    let mut received = vec![0; 10_005];
    far.read_exact(&mut received).await.unwrap();
    assert!(received.ends_with(b"789end.\n"));
}

#[tokio::test]
async fn a_read_that_waits_flushes() {
    let (mut near, writes, mut far) = pair().await;
    near.write_all(b"ping ").await.unwrap();
    near.write_all(b"me\n").await.unwrap();
    let answer = async {
        let mut question = [0; 8];
        far.read_exact(&mut question).await.unwrap();
        far.write_all(b"pong").await.unwrap();
    };
    let mut received = [0; 4];
    let (read, ()) = tokio::join!(near.read_exact(&mut received), answer);
    read.unwrap();
    assert_eq!((&received, writes.get()), (b"pong", 1));
}

#[tokio::test]
async fn a_read_that_finds_bytes_does_not_flush() {
    let (mut near, writes, mut far) = pair().await;
    far.write_all(b"onetwo").await.unwrap();
    let mut received = [0; 3];
    near.read_exact(&mut received).await.unwrap();
    near.write_all(b"answer to one").await.unwrap();
    near.read_exact(&mut received).await.unwrap();
    assert_eq!((&received, writes.get()), (b"two", 0));
}

#[tokio::test]
async fn a_full_buffer_is_written_without_being_asked() {
    let (mut near, writes, mut far) = pair().await;
    near.write_all(&vec![1; CAPACITY]).await.unwrap();
    assert_eq!(
        (writes.get(), near.pending()),
        (1, 0),
        "a write of that size is not copied"
    );
    near.write_all(&vec![2; CAPACITY - 1]).await.unwrap();
    assert_eq!((writes.get(), near.pending()), (1, CAPACITY - 1));
    near.write_all(&[3; 2]).await.unwrap();
    assert_eq!(near.pending(), 2);
    near.flush().await.unwrap();
    let mut received = vec![0; 2 * CAPACITY + 1];
    far.read_exact(&mut received).await.unwrap();
    assert!(received[..CAPACITY].iter().all(|byte| *byte == 1));
    assert!(received[CAPACITY..2 * CAPACITY - 1].iter().all(|byte| *byte == 2));
    assert_eq!(received[2 * CAPACITY - 1..], [3, 3]);
}

#[tokio::test]
async fn slices_are_gathered_however_long_they_are() {
    let (mut near, writes, mut far) = pair().await;
    near.write_all(b"first ").await.unwrap();
    let (long, short) = (vec![1; CAPACITY], [2; 10]);
    let slices = [IoSlice::new(&short), IoSlice::new(&long), IoSlice::new(&short)];
    assert_eq!(
        near.write_vectored(&slices).await.unwrap(),
        CAPACITY,
        "what fits into the buffer"
    );
    assert_eq!(
        (writes.get(), near.pending()),
        (1, CAPACITY),
        "what was there has gone before"
    );
    assert_eq!(near.write_vectored(&slices[..1]).await.unwrap(), 10);
    near.flush().await.unwrap();
    let mut received = vec![0; 6 + CAPACITY + 10];
    far.read_exact(&mut received).await.unwrap();
    assert!(received.starts_with(b"first \x02\x02"));
    assert_eq!(received[6 + CAPACITY - 1..], [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
}

#[tokio::test]
async fn what_is_pending_goes_before_the_end() {
    let (mut near, _, mut far) = pair().await;
    near.write_all(b"farewell").await.unwrap();
    near.shutdown().await.unwrap();
    let mut received = Vec::new();
    far.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"farewell");
}

#[tokio::test]
async fn a_waiting_reader_learns_that_its_question_cannot_be_sent() {
    let (mut near, _, far) = pair().await;
    socket2::SockRef::from(&far).set_linger(Some(Duration::ZERO)).unwrap();
    drop(far);
    // The reset arrives in its own time; until then a write may still succeed.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        assert!(tokio::time::Instant::now() < deadline, "no error in time");
        near.write_all(b"question").await.unwrap();
        match tokio::time::timeout(Duration::from_millis(10), near.read_u8()).await {
            Ok(Err(_)) => return,
            Ok(Ok(byte)) => panic!("read {byte}"),
            Err(_waits) => {}
        }
    }
}

/// Reader and writer are two tasks that both write what is pending. The pipe below, like a socket, wakes only the last
/// who tried; when that one is gone, the other goes on in its place.
async fn the_other_goes_on(first: Half, second: Half) {
    const SIZE: usize = 2 * CAPACITY;
    let (near, mut far) = tokio::io::duplex(16);
    let (mut reader, mut writer) = tokio::io::split(Coalesced::new(near));
    let mut read = Some(async move { reader.read_u8().await.map(drop) });
    let mut write = Some(async move {
        let pieces = vec![7; SIZE];
        for piece in pieces.chunks(1000) {
            writer.write_all(piece).await?;
        }
        writer.flush().await
    });
    let tasks = tokio::task::LocalSet::new();
    let received = tasks.run_until(async {
        let mut spawned = Vec::new();
        for half in [first, second] {
            spawned.push(match half {
                Half::Reader => tokio::task::spawn_local(read.take().unwrap()),
                Half::Writer => tokio::task::spawn_local(write.take().unwrap()),
            });
            tokio::task::yield_now().await;
        }
        spawned.pop().unwrap().abort();
        // What the writer had handed over by then is one buffer at least; all of it, when it lives.
        let mut received = vec![0; if second == Half::Writer { CAPACITY } else { SIZE }];
        far.read_exact(&mut received).await.unwrap();
    });
    tokio::time::timeout(Duration::from_secs(10), received)
        .await
        .expect("stalled");
}

#[derive(Clone, Copy, PartialEq)]
enum Half {
    Reader,
    Writer,
}

#[tokio::test]
async fn a_writer_goes_on_when_the_reader_that_wrote_for_it_is_gone() {
    the_other_goes_on(Half::Writer, Half::Reader).await;
}

#[tokio::test]
async fn a_reader_goes_on_with_what_a_cancelled_writer_left() {
    the_other_goes_on(Half::Reader, Half::Writer).await;
}
