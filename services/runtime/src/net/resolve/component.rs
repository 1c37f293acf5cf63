//! Look-ups by WASI's `ip-name-lookup`: the 0.3 one, which does not block the service.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use wasip3::sockets::ip_name_lookup::{ErrorCode, resolve_addresses};
use wasip3::sockets::types::IpAddress;

use super::super::error::LookupError;
use crate::event_loop::component_model;

pub(super) async fn addresses(name: &str) -> Result<Vec<IpAddr>, LookupError> {
    let answer = component_model(resolve_addresses(name.to_owned())).await;
    answer
        .map(|addresses| addresses.into_iter().map(address).collect())
        .map_err(reason)
}

fn address(address: IpAddress) -> IpAddr {
    match address {
        IpAddress::Ipv4((a, b, c, d)) => Ipv4Addr::new(a, b, c, d).into(),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => Ipv6Addr::new(a, b, c, d, e, f, g, h).into(),
    }
}

fn reason(code: ErrorCode) -> LookupError {
    match code {
        // Wasmtime and wash answer "permanent" to a look-up that is not granted.
        ErrorCode::AccessDenied | ErrorCode::PermanentResolverFailure => LookupError::Denied,
        ErrorCode::NameUnresolvable => LookupError::NotFound,
        ErrorCode::TemporaryResolverFailure => LookupError::Temporary,
        ErrorCode::InvalidArgument => LookupError::Invalid,
        ErrorCode::Other(message) => LookupError::Other(message.unwrap_or_else(|| "no reason given".to_owned())),
    }
}
