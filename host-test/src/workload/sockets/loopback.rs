//! The loopback address of one workload.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use rand::Rng as _;

/// Holding this UDP port marks an address as taken, in this process and all others.
const MARKER_PORT: u16 = 65_535;

/// How many addresses to try. One in sixteen million is taken by each other workload.
const ATTEMPTS: u32 = 32;

/// A workload's own address in `127.0.0.0/8`, reserved until the last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Loopback {
    address: Ipv4Addr,
    _marker: Option<Arc<UdpSocket>>,
}

impl Loopback {
    /// An address that no other workload of this machine has, or `127.0.0.1` where there is no other.
    pub(crate) fn reserve() -> Self {
        let mut random = rand::rng();
        for _ in 0..ATTEMPTS {
            // 127.0.0.x is where other programs listen, and 127.255.255.254 means the machine's own loopback.
            let address = Ipv4Addr::new(
                127,
                random.random_range(1..=254),
                random.random(),
                random.random_range(1..=254),
            );
            if let Ok(marker) = UdpSocket::bind((address, MARKER_PORT)) {
                return Self {
                    address,
                    _marker: Some(Arc::new(marker)),
                };
            }
        }
        Self {
            address: Ipv4Addr::LOCALHOST,
            _marker: None,
        }
    }

    pub(crate) fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Where the operating system has what a guest calls `address`.
    pub(super) fn outward(&self, address: SocketAddr) -> SocketAddr {
        match address.ip() {
            IpAddr::V4(ip) if ip.is_loopback() => SocketAddr::new(IpAddr::V4(self.address), address.port()),
            _ => address,
        }
    }

    /// What a guest calls an address of the operating system.
    pub(super) fn inward(&self, address: SocketAddr) -> SocketAddr {
        if address.ip() == IpAddr::V4(self.address) {
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
        } else {
            address
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_workloads_have_different_addresses() {
        let (one, other) = (Loopback::reserve(), Loopback::reserve());
        assert_ne!(one.address(), other.address());
        assert!(one.address().is_loopback());
    }

    #[test]
    fn an_address_is_rewritten_both_ways() {
        let loopback = Loopback::reserve();
        let guest: SocketAddr = "127.0.0.1:8081".parse().unwrap();
        let outside = loopback.outward(guest);
        assert_eq!(outside, SocketAddr::new(loopback.address().into(), 8081));
        assert_eq!(loopback.inward(outside), guest);
        let elsewhere: SocketAddr = "192.0.2.1:80".parse().unwrap();
        assert_eq!(loopback.outward(elsewhere), elsewhere);
    }
}
