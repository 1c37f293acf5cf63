//! The keys of an issuer, fetched at start and again: by age, and when a token names one that is not known.
//!
//! An issuer that does not answer is a state and no end: the keys that were known stay good, and it is asked again.

use std::cell::Cell;
use std::convert::Infallible;
use std::time::Duration;

use http_body_util::Full;
use hyper::header::{ACCEPT, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use mainstay_mcp_core::auth::Keys;
use mainstay_runtime::backoff::Backoff;
use mainstay_runtime::health::Health;
use mainstay_runtime::net::{Dialer, http};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::config::Issuer;

/// How long an issuer may take to answer, and each of its addresses to take a connection.
const ANSWER: Duration = Duration::from_secs(10);

/// How long a request with a key that is not known waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// No issuer has more keys than go in here.
const MOST: usize = 1 << 20;

/// The keys of an issuer as they change.
#[derive(Debug)]
pub(crate) struct Rotation {
    issuer: Issuer,
    dialer: Dialer,
    keys: Keys,
    /// When the issuer was asked last.
    asked: Cell<Option<Instant>>,
    /// Somebody came with a key that is not known.
    wanted: Notify,
    /// How often the issuer was asked.
    rounds: watch::Sender<u64>,
}

impl Rotation {
    /// Keys that are replaced by what the issuer says.
    pub(crate) fn new(issuer: Issuer, keys: Keys) -> Self {
        let dialer = Dialer::new(ANSWER).with_tls(issuer.tls.clone());
        Self {
            issuer,
            dialer,
            keys,
            asked: Cell::new(None),
            wanted: Notify::new(),
            rounds: watch::channel(0).0,
        }
    }

    /// Asks the issuer once more, and waits for what comes of it, unless it was asked a moment ago.
    pub(crate) async fn refresh(&self) {
        if self
            .asked
            .get()
            .is_some_and(|asked| asked.elapsed() < self.issuer.pause)
        {
            return;
        }
        let mut rounds = self.rounds.subscribe();
        self.wanted.notify_one();
        // A token whose key is still not known then is refused as any other.
        let _ = tokio::time::timeout(PATIENCE, rounds.changed()).await;
    }

    /// Keeps the keys fresh, for ever. The service is ready when it has some.
    pub(crate) async fn run(&self, health: Health) -> Infallible {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        loop {
            let answer = tokio::time::timeout(ANSWER, fetch(&self.dialer, &self.issuer)).await;
            let answer = answer.unwrap_or_else(|_| Err(format!("no answer within {ANSWER:?}")));
            self.asked.set(Some(Instant::now()));
            let next = match answer {
                Ok(keys) => {
                    self.keys.replace(&keys);
                    backoff.reset();
                    health.ready();
                    self.issuer.age
                }
                Err(error) => {
                    let delay = backoff.next();
                    let url = self.issuer.url.as_str();
                    tracing::warn!(url, ?delay, "keys of the issuer: {error}");
                    if self.keys.is_empty() {
                        health.not_ready("the keys of the issuer are not known");
                    }
                    delay
                }
            };
            self.rounds.send_modify(|rounds| *rounds += 1);
            tokio::select! {
                () = tokio::time::sleep(next) => {}
                () = self.wanted.notified() => {}
            }
        }
    }
}

async fn fetch(dialer: &Dialer, issuer: &Issuer) -> Result<Keys, String> {
    let request = Request::get(&issuer.path)
        .header(HOST, &issuer.authority)
        .header(ACCEPT, "application/jwk-set+json, application/json")
        .header(USER_AGENT, concat!("mainstay-mcp/", env!("CARGO_PKG_VERSION")))
        .body(Full::default())
        .map_err(|error| error.to_string())?;
    let response = http::ask(dialer, &issuer.endpoint, request, MOST).await?;
    if response.status() != StatusCode::OK {
        return Err(format!("{}, not 200", response.status()));
    }
    let text = std::str::from_utf8(response.body()).map_err(|error| error.to_string())?;
    Keys::from_jwks(text)
}
