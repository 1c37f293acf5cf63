//! Look-ups by the system, on a thread of tokio's.

use std::io;
use std::net::IpAddr;

use super::super::error::LookupError;

pub(super) async fn addresses(name: &str) -> Result<Vec<IpAddr>, LookupError> {
    let answer = tokio::net::lookup_host((name, 0)).await;
    answer
        .map(|addresses| addresses.map(|address| address.ip()).collect())
        .map_err(|error| reason(&error))
}

/// getaddrinfo's own codes do not reach std's error kinds, except as text.
fn reason(error: &io::Error) -> LookupError {
    LookupError::Other(error.to_string())
}
