//! A request of HTTP and its response, event by event.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::common::DEADLINE;

/// A response as it comes: its status line, its headers, and then its body.
pub(crate) struct Exchange {
    stream: BufReader<TcpStream>,
    pub status: u16,
    headers: Vec<(String, String)>,
}

impl Exchange {
    /// At the endpoint.
    pub(crate) async fn begin(address: SocketAddr, method: &str, headers: &[(&str, &str)], body: &str) -> Self {
        Self::at("/mcp", address, method, headers, body).await
    }

    /// What a page beside it says.
    pub(crate) async fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let exchange = Self::at(path, address, "GET", headers, "").await;
        let status = exchange.status;
        (status, String::from_utf8(exchange.body().await).unwrap())
    }

    async fn at(path: &str, address: SocketAddr, method: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\ncontent-length: {}\r\n", body.len());
        let host = format!("localhost:{}", address.port());
        let mut all = vec![
            ("host", host.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        all.retain(|(name, _)| headers.iter().all(|(other, _)| other != name));
        for (name, value) in all.iter().chain(headers) {
            head += &format!("{name}: {value}\r\n");
        }
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut lines = Vec::new();
        let read = async {
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                if line.trim().is_empty() {
                    return;
                }
                lines.push(line.trim().to_owned());
            }
        };
        tokio::time::timeout(DEADLINE, read).await.expect("a response");
        let status = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines[1..].iter().map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        });
        Self {
            stream,
            status,
            headers: headers.collect(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) async fn json(self) -> Value {
        serde_json::from_slice(&self.body().await).unwrap()
    }

    /// The body, which has a length.
    async fn body(mut self) -> Vec<u8> {
        let length = self.header("content-length").expect("a length").parse().unwrap();
        let mut body = vec![0; length];
        tokio::time::timeout(DEADLINE, self.stream.read_exact(&mut body))
            .await
            .unwrap()
            .unwrap();
        body
    }

    /// The next line of events that begins so.
    pub(crate) async fn line(&mut self, prefix: &str) -> String {
        let read = async {
            loop {
                let mut line = String::new();
                assert!(
                    self.stream.read_line(&mut line).await.unwrap() > 0,
                    "the stream is over"
                );
                if let Some(rest) = line.strip_prefix(prefix) {
                    return rest.trim().to_owned();
                }
            }
        };
        tokio::time::timeout(DEADLINE, read).await.expect(prefix)
    }

    /// The next message among the events.
    pub(crate) async fn message(&mut self) -> Value {
        loop {
            let data = self.line("data:").await;
            if !data.is_empty() {
                return serde_json::from_str(&data).unwrap();
            }
        }
    }
}
