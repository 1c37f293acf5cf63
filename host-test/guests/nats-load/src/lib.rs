//! Publishes messages and sends requests as fast as it can, on the NATS service's own codecs and sockets, and prints how
//! fast that was as one line of JSON. Arguments: how many messages to publish, and how many requests to send one after
//! the other (ten times as many follow with 64 in flight).

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::{Bytes, BytesMut};
use mainstay_nats_core::protocol::from_server::{Decoder, ServerOperation};
use mainstay_nats_core::protocol::{Message, to_server};
use mainstay_runtime::net::{Dialer, Stream};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

struct Load;

wasip3::cli::command::export!(Load);

impl wasip3::exports::cli::run::Guest for Load {
    async fn run() -> Result<(), ()> {
        mainstay_runtime::run("nats-load", async |_| load().await).await
    }
}

/// What is published to nobody, and what is answered.
const VOID: &[u8] = b"bench.void";
const ECHO: &[u8] = b"bench.echo";
const PAYLOAD: &[u8] = b"sixteen bytes...";

/// As the service reads and writes.
const READ: usize = 64 * 1024;
const FLIGHT: usize = 64 * 1024;

const IN_FLIGHT: usize = 64;

async fn load() -> Result<()> {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let mut number = || {
        numbers
            .next()
            .context("two numbers are wanted")?
            .context("not a number")
    };
    let (published, requests) = (number()?, number()?);
    let mut client = Client::connect(&std::env::var("NATS_URL")?).await?;

    let began = Instant::now();
    client.publish(published).await?;
    let publishing = began.elapsed();

    to_server::subscribe(&mut client.out, b"_INBOX.load.*", None, 1);
    client.ask(requests / 10).await?;
    let mut durations = Vec::with_capacity(requests);
    for _ in 0..requests {
        let began = Instant::now();
        client.ask(1).await?;
        durations.push(began.elapsed());
    }
    durations.sort_unstable();
    let nanoseconds = |part: usize| durations.get(requests * part / 100).map_or(0, Duration::as_nanos);

    let many = requests * 10;
    let began = Instant::now();
    client.ask_many(many).await?;
    let asking = began.elapsed();
    let figures = json!({
        "published_per_second": published as f64 / publishing.as_secs_f64(),
        "p50_ns": u64::try_from(nanoseconds(50))?,
        "p99_ns": u64::try_from(nanoseconds(99))?,
        "requests_per_second": many as f64 / asking.as_secs_f64(),
    });
    println!("{figures}");
    Ok(())
}

struct Client {
    stream: Stream,
    decoder: Decoder,
    out: BytesMut,
    asked: u64,
}

impl Client {
    async fn connect(url: &str) -> Result<Self> {
        let endpoint = url.trim_start_matches("nats://").parse()?;
        let mut client = Self {
            stream: Dialer::new(Duration::from_secs(5)).connect(&endpoint).await?,
            decoder: Decoder::default(),
            out: BytesMut::new(),
            asked: 0,
        };
        let connect = to_server::Connect {
            protocol: 1,
            echo: true,
            headers: true,
            no_responders: true,
            ..to_server::Connect::default()
        };
        to_server::connect(&mut client.out, &connect);
        client.confirm().await?;
        Ok(client)
    }

    async fn flush(&mut self) -> Result<()> {
        self.stream.write_all(&self.out.split()).await?;
        Ok(self.stream.flush().await?)
    }

    async fn next(&mut self) -> Result<ServerOperation> {
        loop {
            if let Some(operation) = self.decoder.next()? {
                return Ok(operation);
            }
            self.decoder.buffer().reserve(READ);
            if self.stream.read_buf(self.decoder.buffer()).await? == 0 {
                bail!("the server hung up");
            }
        }
    }

    /// Waits until the server has seen all that was said so far.
    async fn confirm(&mut self) -> Result<()> {
        to_server::ping(&mut self.out);
        self.flush().await?;
        loop {
            match self.next().await? {
                ServerOperation::Pong => return Ok(()),
                ServerOperation::Error(text) => bail!("the server says: {text}"),
                _ => {}
            }
        }
    }

    async fn publish(&mut self, count: usize) -> Result<()> {
        let message = Message {
            subject: Bytes::from_static(VOID),
            payload: Bytes::from_static(PAYLOAD),
            ..Message::default()
        };
        for _ in 0..count {
            to_server::publish(&mut self.out, &message);
            if self.out.len() >= FLIGHT {
                self.flush().await?;
            }
        }
        self.confirm().await
    }

    fn send_request(&mut self) {
        self.asked += 1;
        let message = Message {
            subject: Bytes::from_static(ECHO),
            reply: Some(Bytes::from(format!("_INBOX.load.{}", self.asked))),
            headers: None,
            payload: Bytes::from_static(PAYLOAD),
        };
        to_server::publish(&mut self.out, &message);
    }

    async fn answer(&mut self) -> Result<()> {
        loop {
            match self.next().await? {
                ServerOperation::Message { message, .. } if message.payload == PAYLOAD => return Ok(()),
                ServerOperation::Message { .. } => bail!("nobody answers"),
                ServerOperation::Ping => to_server::pong(&mut self.out),
                _ => {}
            }
        }
    }

    /// Requests, one after the other.
    async fn ask(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            self.send_request();
            self.flush().await?;
            self.answer().await?;
        }
        Ok(())
    }

    /// Requests, as many in flight as may be. What has come in one read is answered by one write.
    async fn ask_many(&mut self, count: usize) -> Result<()> {
        let (mut asked, mut answered) = (0, 0);
        while answered < count {
            while asked < count && asked - answered < IN_FLIGHT {
                self.send_request();
                asked += 1;
            }
            self.flush().await?;
            self.answer().await?;
            answered += 1;
            while let Some(operation) = self.decoder.next()? {
                if matches!(operation, ServerOperation::Message { .. }) {
                    answered += 1;
                }
            }
        }
        Ok(())
    }
}
