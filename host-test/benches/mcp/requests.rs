//! Calls over HTTP, without sessions: the revision of 2026-07-28.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use wasmtime_wasi_http::io::TokioIo;

use crate::server::{Calls, Server};

/// How long a server may take to start.
const START: Duration = Duration::from_secs(30);

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}"#;

/// A connection, as soon as the server listens.
pub(crate) async fn connect(server: &Server) -> Result<SendRequest<Full<Bytes>>> {
    let began = Instant::now();
    let stream = loop {
        match TcpStream::connect(("127.0.0.1", server.port)).await {
            Ok(stream) => break stream,
            Err(error) => ensure!(began.elapsed() < START, "nothing listens on {}: {error}", server.port),
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// One call. False if the server is not ready yet.
pub(crate) async fn call(connection: &mut SendRequest<Full<Bytes>>) -> Result<bool> {
    connection.ready().await?;
    let request = Request::post("/mcp")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "add")
        .body(Full::from(CALL))?;
    let response = connection.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if status == hyper::StatusCode::SERVICE_UNAVAILABLE {
        return Ok(false);
    }
    let text = String::from_utf8_lossy(&body);
    ensure!(status.is_success() && text.contains("\"result\""), "{status}: {text}");
    Ok(true)
}

/// Makes `calls`, on `at_once` connections.
pub(crate) async fn measure(server: &Server, calls: usize, at_once: usize) -> Result<Calls> {
    let mut connections = Vec::new();
    for _ in 0..at_once {
        let mut connection = connect(server).await?;
        while !call(&mut connection).await? {}
        connections.push(connection);
    }
    let (began, mut tasks, mut latencies) = (Instant::now(), JoinSet::new(), Vec::with_capacity(calls));
    for mut connection in connections {
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            for _ in 0..calls / at_once {
                let begun = Instant::now();
                ensure!(call(&mut connection).await?, "not ready any more");
                latencies.push(begun.elapsed());
            }
            Ok(latencies)
        });
    }
    while let Some(done) = tasks.join_next().await {
        latencies.extend(done.context("a client failed")??);
    }
    Ok(Calls::new(latencies, began.elapsed()))
}
