//! Where connections come from.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use mainstay_runtime::net::Dialer;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::config::Target;

/// A stream of bytes, with or without TLS.
pub trait Transport: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Transport for T {}

/// A connection that is being made; the error is one line.
pub type Connecting = Pin<Box<dyn Future<Output = Result<Box<dyn Transport>, String>>>>;

/// Makes connections to one target, and knows of those that it made before.
pub type Dial = Rc<dyn Fn() -> Connecting>;

/// Makes connections to targets.
#[derive(Clone)]
pub struct Connect(Rc<dyn Fn(&Target) -> Dial>);

impl Connect {
    /// Makes connections as this does; it is asked once for each target.
    pub fn new(connect: impl Fn(&Target) -> Dial + 'static) -> Self {
        Self(Rc::new(connect))
    }

    /// Dials, looking the name up anew. Of several addresses each comes first in its turn.
    pub fn dial() -> Self {
        Self::new(|target| {
            let dialer = Rc::new(Dialer::new(target.timeout).with_tls(target.tls.clone()));
            let endpoint = target.url.endpoint.clone();
            Rc::new(move || {
                let (dialer, endpoint) = (Rc::clone(&dialer), endpoint.clone());
                Box::pin(async move {
                    let stream = dialer.connect(&endpoint).await.map_err(|error| error.to_string())?;
                    Ok(Box::new(stream) as Box<dyn Transport>)
                })
            })
        })
    }

    pub(super) fn to(&self, target: &Target) -> Dial {
        (self.0)(target)
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connect")
    }
}
