//! Spans of a service's own, on their way to whoever takes in OpenTelemetry: as a rule, the sidecar on the workload's
//! loopback.
//!
//! They are sent as OTLP over HTTP in JSON, a batch a second at most, and again when the receiver cannot take them now.
//! What waits meanwhile is bounded; the oldest are dropped then, counted and logged.

mod json;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, StatusCode, Uri};

use crate::Context;
use crate::backoff::Backoff;
use crate::config::{ConfigError, Settings};
use crate::metrics::Counter;
use crate::net::{Dialer, Endpoint, http};
use crate::queue::{Limits, Queue, WhenFull};

/// Spans wait this long for others of their batch.
const GATHER: Duration = Duration::from_secs(1);

/// The most in one batch: what the batch processors of the OpenTelemetry SDKs send at once.
const BATCH: usize = 512;

/// How long one batch may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An answer has nothing to say that is longer.
const ANSWER: usize = 64 << 10;

/// What was done, from when to when.
#[derive(Clone, Debug)]
pub struct Span {
    /// What kind of thing was done: few names, not one for each time.
    pub name: String,
    /// Its place in a trace, as it was handed on: version 00 of W3C `traceparent`.
    pub traceparent: String,
    /// Its beginning.
    pub began: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// What else is to be known, by the names of OpenTelemetry's semantic conventions where they have one.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// The value of an attribute.
#[derive(Clone, Debug)]
pub enum Attribute {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
}

/// Where spans go.
#[derive(Clone, Debug)]
pub struct Receiver {
    endpoint: Endpoint,
    /// Host and port, as they stand in the URL.
    authority: String,
    path: String,
}

/// Spans on their way. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Spans {
    queue: Queue<Span>,
}

impl Receiver {
    /// Where `<prefix>OTLP_ENDPOINT` says: an `http` URL, below which `v1/traces` is. Nowhere if it is not set.
    ///
    /// # Errors
    /// It is no such URL.
    pub fn read(settings: &mut Settings) -> Result<Option<Self>, ConfigError> {
        let Some(value) = settings.value("otlp_endpoint") else {
            return Ok(None);
        };
        let text = value.text()?;
        if text.contains('@') {
            // Not shown: what stands before it is a password, as a rule.
            return Err(ConfigError::new(format!(
                "{}: no user and password can be in it",
                value.name()
            )));
        }
        let wrong =
            || value.error("not an http URL, for example http://127.0.0.1:4318, where the otel service listens");
        let uri = text.parse::<Uri>().map_err(|_| wrong())?;
        let authority = uri
            .authority()
            .filter(|_| uri.scheme_str() == Some("http") && uri.query().is_none());
        let authority = authority.ok_or_else(wrong)?.as_str();
        let endpoint = Endpoint::parse(authority, Some(80)).map_err(|error| value.error(error.to_string()))?;
        Ok(Some(Self {
            endpoint,
            authority: authority.to_owned(),
            path: format!("{}/v1/traces", uri.path().trim_end_matches('/')),
        }))
    }
}

impl Spans {
    /// Sends spans there from now on, by a local task.
    pub fn start(receiver: Receiver, context: &Context) -> Self {
        let limits = Limits {
            name: "spans",
            items: 10_000,
            bytes: 8 << 20,
            when_full: WhenFull::DropOldest,
        };
        let queue = Queue::new(limits, &context.metrics);
        let sender = Sender {
            receiver,
            service: context.name,
            dialer: Dialer::new(TIMEOUT),
            sent: context
                .metrics
                .counter("mainstay_spans_sent_total", "Spans that a receiver took.", &[]),
            refused: context.metrics.counter(
                "mainstay_spans_refused_total",
                "Spans that a receiver does not want, dropped.",
                &[],
            ),
        };
        let spans = queue.clone();
        tokio::task::spawn_local(async move { sender.run(spans).await });
        Self { queue }
    }

    /// Puts a span in line.
    pub fn push(&self, span: Span) {
        let bytes = span.bytes();
        // A full queue drops its oldest and counts them.
        let _ = self.queue.try_push(span, bytes);
    }
}

impl Span {
    /// Roughly what it takes in memory.
    fn bytes(&self) -> usize {
        let texts = self.attributes.iter().map(|(_, value)| match value {
            Attribute::Text(text) => text.len(),
            Attribute::Number(_) => 0,
        });
        let texts: usize = texts.sum();
        200 + self.name.len() + self.attributes.len() * 48 + texts + self.error.as_ref().map_or(0, String::len)
    }
}

struct Sender {
    receiver: Receiver,
    service: &'static str,
    dialer: Dialer,
    sent: Counter,
    refused: Counter,
}

/// Why a batch was not taken.
enum Failure {
    /// It may be, later.
    Later(String),
    /// It will not be.
    Never(String),
}

impl Sender {
    async fn run(self, queue: Queue<Span>) -> Option<Infallible> {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        loop {
            let first = queue.pop().await?;
            tokio::time::sleep(GATHER).await;
            let mut batch = vec![first];
            batch.extend(std::iter::from_fn(|| queue.try_pop()).take(BATCH - 1));
            let body = Bytes::from(json::request(self.service, &batch).to_string());
            let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
            loop {
                let answer = tokio::time::timeout(TIMEOUT, self.send(body.clone())).await;
                let answer = answer.unwrap_or_else(|_| Err(Failure::Later(format!("no answer within {TIMEOUT:?}"))));
                match answer {
                    Ok(()) => self.sent.add(count),
                    Err(Failure::Never(error)) => {
                        self.refused.add(count);
                        tracing::warn!(count, "spans are not taken: {error}");
                    }
                    Err(Failure::Later(error)) => {
                        let delay = backoff.next();
                        tracing::warn!(count, retry_in = ?delay, "spans are not taken: {error}");
                        tokio::time::sleep(delay).await;
                        continue;
                    }
                }
                backoff.reset();
                break;
            }
        }
    }

    async fn send(&self, body: Bytes) -> Result<(), Failure> {
        let request = Request::post(&self.receiver.path)
            .header(HOST, &self.receiver.authority)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("mainstay/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(body))
            .map_err(|error| Failure::Never(error.to_string()))?;
        let response = http::ask(&self.dialer, &self.receiver.endpoint, request, ANSWER).await;
        let response = response.map_err(Failure::Later)?;
        match response.status() {
            StatusCode::OK => Ok(()),
            // Those that the specification of OTLP calls retryable.
            status @ (StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT) => Err(Failure::Later(status.to_string())),
            status => {
                let said: String = String::from_utf8_lossy(response.body()).chars().take(200).collect();
                Err(Failure::Never(format!("{status} {said}")))
            }
        }
    }
}
