//! A connection to the first address that answers.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::{Coalesced, Endpoint, Error, Failure, Resolver, Socket, Stream};

/// What an address gets at least, while there is so much: enough for a handshake across the world.
const ROUND_TRIPS: Duration = Duration::from_millis(500);

/// A server that says nothing for so long is asked by the host whether it is there: the default of most systems is two hours.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Connects to endpoints: looks the name up, tries its addresses one after the other, shakes hands.
///
/// Keep it: each connect begins with another of a name's addresses than the last one did.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use mainstay_runtime::net::Dialer;
/// use std::time::Duration;
///
/// let dialer = Dialer::new(Duration::from_secs(5));
/// let stream = dialer.connect(&"nats.example:4222".parse()?).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Dialer {
    resolver: Resolver,
    timeout: Duration,
    #[cfg(feature = "tls")]
    tls: Option<super::Tls>,
}

impl Dialer {
    /// Dials without TLS. `timeout` bounds the whole of it: look-up, connects, handshakes. An address gets its share of what is
    /// left, so that one that does not answer leaves the others their time.
    pub fn new(timeout: Duration) -> Self {
        Self {
            resolver: Resolver::new(timeout),
            timeout,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Dials with TLS; without, when given `None`, as [`TlsSettings::load`](super::TlsSettings::load) yields for
    /// [`Verification::Off`](super::Verification::Off).
    #[cfg(feature = "tls")]
    pub fn with_tls(self, tls: impl Into<Option<super::Tls>>) -> Self {
        Self {
            tls: tls.into(),
            ..self
        }
    }

    /// What this dialer resolves names with.
    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// Connects, looking the name up anew. The error names every address tried and what each did.
    pub async fn connect(&self, endpoint: &Endpoint) -> Result<Stream, Error> {
        let deadline = Instant::now() + self.timeout;
        let addresses = self.resolver.resolve(endpoint).await?;
        self.first(endpoint, addresses, deadline).await
    }

    /// A connection to the first of the endpoint's addresses that takes one.
    async fn first(&self, endpoint: &Endpoint, addresses: Vec<SocketAddr>, deadline: Instant) -> Result<Stream, Error> {
        let mut failures = Vec::new();
        for (tried, address) in addresses.iter().copied().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() && tried > 0 {
                break;
            }
            let share = share(left, addresses.len() - tried);
            let attempt = tokio::time::timeout(share, self.attempt(endpoint, address));
            match attempt.await.unwrap_or_else(|_| Err(no_answer(share))) {
                Ok(stream) => return Ok(stream),
                Err(error) => failures.push(Failure { address, error }),
            }
        }
        Err(Error::Connect {
            endpoint: endpoint.clone(),
            failures,
        })
    }

    #[cfg_attr(
        not(feature = "tls"),
        expect(unused_variables, reason = "only TLS asks for the name")
    )]
    async fn attempt(&self, endpoint: &Endpoint, address: SocketAddr) -> io::Result<Stream> {
        let stream = tcp(address).await?;
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return Ok(Stream::tls(address, tls.handshake(endpoint.host(), stream).await?));
        }
        Ok(Stream::plain(address, stream))
    }
}

/// What an address may take of the time that is left, when so many have not been tried.
fn share(left: Duration, addresses: usize) -> Duration {
    let addresses = u32::try_from(addresses).unwrap_or(u32::MAX);
    let share = left.checked_div(addresses).unwrap_or(left);
    share.max(ROUND_TRIPS).min(left)
}

fn no_answer(within: Duration) -> io::Error {
    // What the look-up took is of no interest.
    let within = Duration::from_millis(u64::try_from(within.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX));
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {within:?}"))
}

async fn tcp(address: SocketAddr) -> io::Result<Coalesced<Socket>> {
    let stream = Socket::connect(address).await?;
    // Where it fails, coalescing has to do.
    let _ = stream.set_nodelay(true);
    // And where this does, the protocol's own keepalive.
    let _ = stream.keep_alive(KEEPALIVE);
    Ok(Coalesced::new(stream))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn the_next_address_is_tried_when_one_refuses_and_all_are_named_when_none_answers() {
        let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let living = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (refused, lives) = (refusing.local_addr().unwrap(), living.local_addr().unwrap());
        drop(refusing);
        let endpoint: Endpoint = "server.example:80".parse().unwrap();
        let dialer = Dialer::new(Duration::from_secs(10));
        let both = async || {
            dialer
                .first(&endpoint, vec![refused, lives], Instant::now() + dialer.timeout)
                .await
        };
        assert_eq!(both().await.unwrap().peer(), lives);
        drop(living);
        let error = both().await.unwrap_err();
        let expected = format!(
            "connect to server.example:80: {refused} refused, nothing listens there; \
             {lives} refused, nothing listens there"
        );
        assert_eq!(error.to_string(), expected);
    }

    /// An address that takes no connection and does not refuse it either, and what keeps it so.
    async fn black_hole() -> (SocketAddr, socket2::Socket, Vec<Socket>) {
        let hole = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        hole.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        hole.listen(0).unwrap();
        let address = hole.local_addr().unwrap().as_socket().unwrap();
        // Its backlog is full as soon as one more is not taken.
        let mut waiting = Vec::new();
        while let Ok(connected) = tokio::time::timeout(Duration::from_millis(200), Socket::connect(address)).await {
            waiting.push(connected.unwrap());
        }
        (address, hole, waiting)
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_leaves_the_next_ones_their_time() {
        let (silent, _hole, _waiting) = black_hole().await;
        let living = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let lives = living.local_addr().unwrap();
        let endpoint: Endpoint = "server.example:80".parse().unwrap();
        let dialer = Dialer::new(Duration::from_secs(2));
        let connect = async |addresses| {
            let within = dialer.first(&endpoint, addresses, Instant::now() + dialer.timeout);
            tokio::time::timeout(dialer.timeout * 2, within)
                .await
                .expect("over its budget")
        };
        assert_eq!(connect(vec![silent, lives]).await.unwrap().peer(), lives);
        let error = connect(vec![silent, silent]).await.unwrap_err().to_string();
        assert!(
            error.starts_with(&format!(
                "connect to server.example:80: {silent}: no answer within 1s; {silent}: "
            )),
            "{error}"
        );
    }

    #[test]
    fn an_address_gets_its_share_of_what_is_left_and_time_for_a_handshake_while_there_is_some() {
        let milliseconds = |left, addresses| share(Duration::from_millis(left), addresses).as_millis();
        assert_eq!(milliseconds(5000, 1), 5000);
        assert_eq!(milliseconds(5000, 2), 2500);
        assert_eq!(milliseconds(5000, 50), 500);
        assert_eq!(milliseconds(300, 50), 300);
        assert_eq!(milliseconds(0, 3), 0);
    }
}
