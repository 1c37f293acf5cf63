//! An HTTP client for the exporter: one request on one connection, over std's sockets. It needs no more than that, since
//! it only ever reaches the workload's loopback.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::Context as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};

#[derive(Debug)]
pub(crate) struct Sidecar;

#[async_trait::async_trait]
impl HttpClient for Sidecar {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        Ok(exchange(&request)?)
    }
}

fn exchange(request: &Request<Bytes>) -> anyhow::Result<Response<Bytes>> {
    let authority = request.uri().authority().context("no address")?.as_str();
    let mut message = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri().path());
    message.push_str(&format!("host: {authority}\r\nconnection: close\r\n"));
    message.push_str(&format!("content-length: {}\r\n", request.body().len()));
    for (name, value) in request.headers() {
        message.push_str(&format!("{name}: {}\r\n", value.to_str()?));
    }
    message.push_str("\r\n");
    // In one piece, so that it is one write.
    let mut message = message.into_bytes();
    message.extend_from_slice(request.body());

    let mut stream = TcpStream::connect(authority).with_context(|| format!("the sidecar at {authority}"))?;
    stream.write_all(&message)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    // `HTTP/1.1 200 OK`: nothing else of it matters to an exporter.
    let status = answer.split(|&byte| byte == b' ').nth(1).context("no answer")?;
    Ok(Response::builder().status(status).body(Bytes::new())?)
}
