//! Where the service is: its own variable, which this component has to be given too where it is not the default.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::bindings::exports::mainstay::socket_pool::pool::Error;

const ADDRESS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8084);

/// The address of the service's port for leases: `POOL_LEASES`.
pub(crate) fn address() -> Result<SocketAddrV4, Error> {
    let wrong = |text: &str, rule: &str| Err(Error::Unavailable(format!("POOL_LEASES {text:?}: {rule}")));
    match std::env::var("POOL_LEASES") {
        Err(_) => Ok(ADDRESS),
        Ok(text) if text == "off" => wrong(&text, "the service's port for leases is switched off"),
        Ok(text) => text
            .parse()
            .or_else(|_| wrong(&text, "not an IPv4 address and a port, for example 127.0.0.1:8084")),
    }
}

/// What the service wants to be told first, if it does: `POOL_LEASES_TOKEN`.
pub(crate) fn token() -> Option<String> {
    std::env::var("POOL_LEASES_TOKEN")
        .ok()
        .filter(|token| !token.is_empty())
}
