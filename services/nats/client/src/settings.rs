//! Where the service's endpoint and JetStream's subjects are: the service's own variables, which this component has to be
//! given too where they are not the defaults.

use std::env::var;
use std::net::{Ipv4Addr, SocketAddrV4};

use mainstay_nats_core::jetstream::api::Api;

use crate::conversation::Failure;

const ADDRESS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 4222);

/// The address of the service's endpoint: `NATS_LISTEN`.
pub(crate) fn address() -> Result<SocketAddrV4, Failure> {
    let wrong = |text: &str, rule: &str| Err(Failure::Unavailable(format!("NATS_LISTEN {text:?}: {rule}")));
    match var("NATS_LISTEN") {
        Err(_) => Ok(ADDRESS),
        Ok(text) if text == "off" => wrong(&text, "the service's endpoint is switched off"),
        Ok(text) => text
            .parse()
            .or_else(|_| wrong(&text, "not an IPv4 address and a port, for example 127.0.0.1:4222")),
    }
}

/// JetStream's subjects: `NATS_JS_DOMAIN` or `NATS_JS_API_PREFIX`.
pub(crate) fn api() -> Api {
    match (var("NATS_JS_DOMAIN"), var("NATS_JS_API_PREFIX")) {
        (Ok(domain), _) => Api::domain(&domain),
        (Err(_), Ok(prefix)) => Api::prefix(&prefix),
        (Err(_), Err(_)) => Api::default(),
    }
}
