//! The health pages over HTTP/1.1 (RFC 9112): one request for each connection, without a body.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::listener;
use crate::net::Socket;
use crate::service::Context;

/// Probes and one scraper need two or three.
const MAX_CONNECTIONS: usize = 16;
/// Ten times what a probe with all headers of a proxy sends.
const MAX_REQUEST: usize = 16 * 1024;
/// For the whole exchange, so that a stalled client cannot keep its connection.
const DEADLINE: Duration = Duration::from_secs(5);

const TEXT: &str = "text/plain; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves the pages of a service from now on.
pub(crate) fn serve(context: Context, address: SocketAddr) {
    listener::keep(
        "health",
        "health pages",
        address,
        MAX_CONNECTIONS,
        move |stream, peer| connection(context.clone(), stream, peer),
    );
}

async fn connection(context: Context, mut stream: Socket, peer: SocketAddr) {
    match tokio::time::timeout(DEADLINE, exchange(&context, &mut stream)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%peer, "health pages: {error}"),
        Err(_) => tracing::debug!(%peer, "health pages: no request within {DEADLINE:?}"),
    }
}

async fn exchange(context: &Context, stream: &mut Socket) -> io::Result<()> {
    let mut request = Vec::with_capacity(1024);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if request.len() >= MAX_REQUEST || stream.read_buf(&mut request).await? == 0 {
            break;
        }
    }
    // One write: a second one would wait for the first to be acknowledged.
    stream.write_all(&respond(context, &request)).await?;
    stream.shutdown().await
}

/// The whole response to the head of a request.
fn respond(context: &Context, request: &[u8]) -> Vec<u8> {
    let line = request.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.trim_end().split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let complete = request.windows(4).any(|end| end == b"\r\n\r\n");
    let (Some(method), Some(target), Some(version), None) = (method, target, version, words.next()) else {
        return response("400 Bad Request", TEXT, "not an HTTP/1.1 request\n", true);
    };
    if !version.starts_with("HTTP/1.") {
        return response("400 Bad Request", TEXT, "not an HTTP/1.1 request\n", true);
    }
    if !complete {
        return response(
            "431 Request Header Fields Too Large",
            TEXT,
            "head incomplete, or over 16 KiB\n",
            true,
        );
    }
    if method != "GET" && method != "HEAD" {
        return response("405 Method Not Allowed", TEXT, "only GET and HEAD\n", true);
    }
    let (status, kind, body) = page(context, target.split('?').next().unwrap_or_default());
    response(status, kind, &body, method == "GET")
}

fn page(context: &Context, path: &str) -> (&'static str, &'static str, String) {
    match context.health.page(path) {
        Some((200, page)) => ("200 OK", TEXT, page),
        Some((_, page)) => ("503 Service Unavailable", TEXT, page),
        None if path == "/metrics" => ("200 OK", PROMETHEUS, context.metrics.render()),
        None => (
            "404 Not Found",
            TEXT,
            "not one of /healthz, /readyz, /metrics\n".to_owned(),
        ),
    }
}

fn response(status: &str, kind: &str, body: &str, with_body: bool) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\ncache-control: no-store\r\n\
         connection: close\r\n\r\n"
    );
    let mut response = head.into_bytes();
    if with_body {
        response.extend_from_slice(body.as_bytes());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::Listener;
    use tokio::net::TcpStream;
    use tokio::task::LocalSet;

    /// The whole response to a request, from a server that a real socket reaches.
    async fn ask(context: &Context, request: &[u8]) -> String {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address();
        let context = context.clone();
        LocalSet::new()
            .run_until(async {
                tokio::task::spawn_local(async move {
                    listener
                        .serve(1, move |stream, peer| connection(context.clone(), stream, peer))
                        .await
                });
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(request).await.unwrap();
                let mut response = String::new();
                stream.read_to_string(&mut response).await.unwrap();
                response
            })
            .await
    }

    #[tokio::test]
    async fn pages_say_whether_the_service_lives_is_ready_and_what_it_counts() {
        let context = Context::new("test");
        context.metrics.counter("runs_total", "Runs.", &[]).add(3);
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").into_bytes();

        let response = ask(&context, &get("/healthz")).await;
        assert_eq!(
            response,
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 3\r\n\
             cache-control: no-store\r\nconnection: close\r\n\r\nok\n"
        );
        let response = ask(&context, &get("/readyz")).await;
        assert!(
            response.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
            "{response}"
        );
        assert!(response.ends_with("\r\n\r\nstarting\n"), "{response}");
        context.health.ready();
        assert!(
            ask(&context, &get("/readyz?verbose"))
                .await
                .starts_with("HTTP/1.1 200 OK\r\n")
        );
        context.health.not_ready("upstream gone");
        assert!(
            ask(&context, &get("/readyz"))
                .await
                .ends_with("\r\n\r\nupstream gone\n")
        );
        let response = ask(&context, &get("/metrics")).await;
        assert!(
            response.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"),
            "{response}"
        );
        assert!(response.ends_with("\r\n\r\n# HELP runs_total Runs.\n# TYPE runs_total counter\nruns_total 3\n"));
    }

    #[tokio::test]
    async fn several_services_share_their_pages_and_are_ready_together() {
        let whole = Context::new("bundle");
        let parts = whole.parts(["one", "two"]);
        parts[0].metrics.counter("runs_total", "Runs.", &[]).add(3);
        let ready = async || ask(&whole, b"GET /readyz HTTP/1.1\r\n\r\n").await;
        assert!(ready().await.ends_with("\r\n\r\none: starting\n"));
        parts[0].health.ready();
        parts[1].health.not_ready("upstream gone");
        assert!(ready().await.ends_with("\r\n\r\ntwo: upstream gone\n"));
        parts[1].health.ready();
        assert!(ready().await.starts_with("HTTP/1.1 200 OK\r\n"));
        let metrics = ask(&whole, b"GET /metrics HTTP/1.1\r\n\r\n").await;
        assert!(metrics.contains("runs_total 3\n"), "{metrics}");
    }

    #[tokio::test]
    async fn what_is_no_request_for_a_page_gets_the_status_that_says_why() {
        let long = format!("GET / HTTP/1.1\r\nx: {}\r\n", "y".repeat(MAX_REQUEST));
        let cases = [
            ("GET /else HTTP/1.1\r\n\r\n", "404 Not Found"),
            ("POST /healthz HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
            ("GET /healthz HTTP/2.0\r\n\r\n", "400 Bad Request"),
            ("GET /healthz\r\n\r\n", "400 Bad Request"),
            ("\u{16}\u{3}\u{1}\r\n\r\n", "400 Bad Request"),
            (&long, "431 Request Header Fields Too Large"),
        ];
        for (request, status) in cases {
            let response = ask(&Context::new("test"), request.as_bytes()).await;
            assert!(
                response.starts_with(&format!("HTTP/1.1 {status}\r\n")),
                "{request:?}: {response}"
            );
        }
        let head = ask(&Context::new("test"), b"HEAD /healthz HTTP/1.0\r\n\r\n").await;
        assert!(
            head.ends_with("content-length: 3\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"),
            "{head}"
        );
    }

    #[tokio::test]
    async fn a_port_in_use_is_tried_again_until_it_is_free() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        LocalSet::new()
            .run_until(async {
                let context = Context::new("test");
                context.serve_health(Some(address));
                tokio::task::yield_now().await;
                drop(taken);
                let connected = async {
                    while TcpStream::connect(address).await.is_err() {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                };
                tokio::time::timeout(Duration::from_secs(20), connected).await.unwrap();
            })
            .await;
    }
}
