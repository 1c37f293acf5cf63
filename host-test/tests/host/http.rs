//! Components that answer HTTP, in both generations of wasi:http.

use std::net::SocketAddr;

use mainstay_host_test::workload::{Phase, Workload};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::common::{DEADLINE, without_service};

/// Status line and body.
async fn request(address: SocketAddr, head: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(DEADLINE, stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), unchunked(body))
}

/// The text of a body that came in chunks, or all at once.
fn unchunked(body: &str) -> String {
    let parts: Vec<_> = body.split("\r\n").collect();
    let chunks = parts.chunks_exact(2);
    if chunks
        .clone()
        .all(|pair| usize::from_str_radix(pair[0], 16) == Ok(pair[1].len()))
        && parts.len() > 1
    {
        return chunks.map(|pair| pair[1]).collect();
    }
    body.to_owned()
}

fn handler(name: &str) -> Workload {
    without_service().component(name).http().start()
}

#[tokio::test]
async fn a_component_of_either_generation_answers() {
    for (name, expected) in [
        ("test/http-p2", "Method::Post /a?b=c body"),
        ("test/http-p3", "/a?b=cbody"),
    ] {
        let workload = handler(name);
        let (status, body) = request(workload.http().unwrap(), "POST /a?b=c", "body").await;
        assert_eq!(
            (status.as_str(), body.as_str()),
            ("HTTP/1.1 200 OK", expected),
            "{name}"
        );
        assert_eq!(workload.stop().await.state, Phase::Completed);
    }
}

#[tokio::test]
async fn a_trap_is_an_answer_of_its_own_and_the_next_request_is_served() {
    for name in ["test/http-p2", "test/http-p3"] {
        let workload = handler(name);
        let address = workload.http().unwrap();
        let (status, body) = request(address, "GET /trap", "").await;
        assert_eq!(status, "HTTP/1.1 500 Internal Server Error", "{name}");
        assert!(
            body.contains("failed: wasm `unreachable` instruction executed"),
            "{name}: {body}"
        );
        assert_eq!(request(address, "GET /", "").await.0, "HTTP/1.1 200 OK", "{name}");
    }
}

#[tokio::test]
async fn a_response_is_streamed_while_the_request_goes_on() {
    let workload = handler("test/http-p3");
    let mut stream = TcpStream::connect(workload.http().unwrap()).await.unwrap();
    stream
        .write_all(b"POST /path HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nfirst")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let arrived = async {
        while !String::from_utf8_lossy(&answer).contains("first") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
        }
        // Only now is the rest of the request sent.
        stream.write_all(b"again").await.unwrap();
        while !String::from_utf8_lossy(&answer).contains("again") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
        }
    };
    tokio::time::timeout(DEADLINE, arrived).await.unwrap();
}

#[tokio::test]
async fn many_requests_are_answered_at_the_same_time() {
    let workload = handler("test/http-p2");
    let address = workload.http().unwrap();
    let requests = (0..64).map(|number| async move {
        let (_, body) = request(address, &format!("GET /{number}"), "").await;
        assert_eq!(body, format!("Method::Get /{number} "));
    });
    futures::future::join_all(requests).await;
}

#[tokio::test]
async fn a_request_to_the_outside_needs_a_grant() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = server.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = server.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                .await;
        }
    });
    let denied = handler("test/http-p2");
    let (_, body) = request(denied.http().unwrap(), &format!("GET /fetch?http://{authority}"), "").await;
    assert_eq!(body, "not fetched: ErrorCode::HttpRequestDenied");

    let granted = without_service().component_with("test/http-p2", |component| {
        component.resources.allowed_hosts = vec![authority.parse().unwrap()];
    });
    let granted = granted.http().start();
    let (_, body) = request(granted.http().unwrap(), &format!("GET /fetch?http://{authority}"), "").await;
    assert_eq!(body, "fetched ok");
}

#[tokio::test]
async fn of_two_handlers_the_first_one_answers() {
    let workload = without_service()
        .component("test/http-p3")
        .component("test/http-p2")
        .http()
        .start();
    assert_eq!(request(workload.http().unwrap(), "GET /x", "").await.1, "/x");
}

#[test]
fn without_a_handler_nothing_is_served() {
    assert_eq!(
        without_service().component("test/link-callee").http().start().http(),
        None
    );
}

#[test]
fn an_address_that_is_taken_keeps_the_workload_from_starting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut builder = without_service().component("test/http-p2").http();
    builder.options.http = Some(taken.local_addr().unwrap());
    let error = format!("{:#}", builder.try_start().err().unwrap());
    assert!(error.starts_with("serving HTTP on 127.0.0.1:"), "{error}");
}
