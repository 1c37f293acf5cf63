//! A NATS client for what an example shows: it asks, and listens to what goes by. It blocks, and knows no more of the
//! protocol than that takes.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A connection.
#[derive(Debug)]
pub struct NatsClient {
    reader: BufReader<TcpStream>,
    /// The line that is being read.
    line: String,
    asked: u64,
}

/// A message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its subject.
    pub subject: String,
    /// Its body.
    pub body: String,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The answer.
    Answer(String),
    /// Nobody listens there.
    Nobody,
    /// No answer in time.
    Silence,
}

/// The subscription that inboxes come through, and the one of everything else.
const INBOX: &str = "1";
const EVERYTHING: &str = "2";

impl NatsClient {
    /// Connects, and listens to everything.
    ///
    /// # Errors
    /// There is no NATS server.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("no NATS server at {address}"))?;
        stream.set_nodelay(true)?;
        let mut client = Self {
            reader: BufReader::new(stream),
            line: String::new(),
            asked: 0,
        };
        let mut info = String::new();
        client.reader.read_line(&mut info)?;
        if !info.starts_with("INFO ") {
            bail!("what listens at {address} is no NATS server");
        }
        // Without its own questions, or there would always be somebody who listens to them.
        let connect = r#"{"verbose":false,"headers":true,"no_responders":true,"echo":false,"name":"outside"}"#;
        client.say(&format!(
            "CONNECT {connect}\r\nSUB _INBOX.outside.* {INBOX}\r\nSUB > {EVERYTHING}\r\n"
        ))?;
        Ok(client)
    }

    /// Sends a request, and hands what goes by to `seen` until the answer comes.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn ask(
        &mut self,
        subject: &str,
        body: &str,
        timeout: Duration,
        mut seen: impl FnMut(Message),
    ) -> Result<Asked> {
        self.asked += 1;
        let inbox = format!("_INBOX.outside.{}", self.asked);
        self.say(&format!("PUB {subject} {inbox} {}\r\n{body}\r\n", body.len()))?;
        let deadline = Instant::now() + timeout;
        while let Some((sid, status, message)) = self.next(deadline)? {
            match (sid.as_str(), status.as_str()) {
                // The server says so to either subscription.
                (_, "503") if message.subject == inbox => return Ok(Asked::Nobody),
                (INBOX, _) if message.subject == inbox => return Ok(Asked::Answer(message.body)),
                (EVERYTHING, _) if !message.subject.starts_with("_INBOX.") => seen(message),
                _ => {}
            }
        }
        Ok(Asked::Silence)
    }

    /// Hands what goes by to `seen` for so long.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn listen(&mut self, time: Duration, mut seen: impl FnMut(Message)) -> Result<()> {
        let deadline = Instant::now() + time;
        while let Some((sid, _, message)) = self.next(deadline)? {
            if sid == EVERYTHING && !message.subject.starts_with("_INBOX.") {
                seen(message);
            }
        }
        Ok(())
    }

    fn say(&mut self, text: &str) -> Result<()> {
        Ok(self.reader.get_mut().write_all(text.as_bytes())?)
    }

    /// The next message with its subscription and its status, none when the time is up.
    fn next(&mut self, deadline: Instant) -> Result<Option<(String, String, Message)>> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.reader.get_mut().set_read_timeout(Some(left))?;
            match self.reader.read_line(&mut self.line) {
                Ok(0) => bail!("the NATS server hung up"),
                Err(error) if is_timeout(&error) => return Ok(None),
                read => read?,
            };
            // What has begun comes to its end.
            self.reader.get_mut().set_read_timeout(None)?;
            let line = std::mem::take(&mut self.line);
            let words: Vec<&str> = line.split_whitespace().collect();
            match *words.as_slice() {
                ["PING"] => self.say("PONG\r\n")?,
                ["MSG", subject, sid, .., size] => return self.message(subject, sid, 0, size.parse()?).map(Some),
                ["HMSG", subject, sid, .., headers, size] => {
                    return self.message(subject, sid, headers.parse()?, size.parse()?).map(Some);
                }
                _ => {}
            }
        }
    }

    fn message(&mut self, subject: &str, sid: &str, headers: usize, size: usize) -> Result<(String, String, Message)> {
        let mut bytes = vec![0; size + 2];
        self.reader.read_exact(&mut bytes)?;
        let text = |part: Option<&[u8]>| String::from_utf8_lossy(part.unwrap_or_default()).into_owned();
        let block = text(bytes.get(..headers));
        let status = block.lines().next().and_then(|line| line.split(' ').nth(1));
        let message = Message {
            subject: subject.to_owned(),
            body: text(bytes.get(headers..size)),
        };
        Ok((sid.to_owned(), status.unwrap_or_default().to_owned(), message))
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
