//! A connection to the first address that answers.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Coalesced, Endpoint, Error, Failure, Resolver, Socket, Stream};

/// Connects to endpoints: looks the name up, tries its addresses one after the other, shakes hands.
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
    /// Dials without TLS. `timeout` bounds the look-up, and then each address, its handshake included.
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
        let addresses = self.resolver.resolve(endpoint).await?;
        self.first(endpoint, addresses).await
    }

    /// A connection to the first of the endpoint's addresses that takes one.
    async fn first(&self, endpoint: &Endpoint, addresses: Vec<SocketAddr>) -> Result<Stream, Error> {
        let mut failures = Vec::new();
        for address in addresses {
            let attempt = tokio::time::timeout(self.timeout, self.attempt(endpoint, address));
            let no_answer = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {:?}", self.timeout));
            match attempt.await.unwrap_or_else(|_| Err(no_answer())) {
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

async fn tcp(address: SocketAddr) -> io::Result<Coalesced<Socket>> {
    let stream = Socket::connect(address).await?;
    // Where it fails, coalescing has to do.
    let _ = stream.set_nodelay(true);
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
        let stream = dialer.first(&endpoint, vec![refused, lives]).await.unwrap();
        assert_eq!(stream.peer(), lives);
        drop(living);
        let error = dialer.first(&endpoint, vec![refused, lives]).await.unwrap_err();
        let expected = format!(
            "connect to server.example:80: {refused} refused, nothing listens there; \
             {lives} refused, nothing listens there"
        );
        assert_eq!(error.to_string(), expected);
    }
}
