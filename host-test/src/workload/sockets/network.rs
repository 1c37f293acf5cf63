//! Who may bind and connect where.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use wasmtime_wasi::sockets::SocketAddrUse;

use super::super::egress::{HostPattern, NamePattern};
use super::Loopback;
use super::names::{self, Reserved};

/// What a component is to its workload's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// May listen on loopback.
    Service,
    /// Only connects.
    Component,
}

/// The network as one component has it.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) loopback: Loopback,
    pub(crate) role: Role,
    pub(crate) allowed_hosts: Arc<[HostPattern]>,
    pub(crate) allowed_names: Vec<NamePattern>,
    pub(crate) allowed_host_loopback_ports: Vec<u16>,
    /// Whether its sockets go without TCP_NODELAY.
    pub(crate) delayed_sends: bool,
}

impl Network {
    /// The address to connect to for what the guest asked for; `None` if it may not.
    ///
    /// Only here is it known which loopback was meant: after this both are addresses of the machine.
    pub(super) fn destination(&self, asked: SocketAddr) -> Option<SocketAddr> {
        if asked.ip() != IpAddr::V4(names::MACHINE) {
            return Some(self.loopback.outward(asked));
        }
        let granted = self.allowed_host_loopback_ports.contains(&asked.port());
        granted.then(|| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), asked.port()))
    }

    /// Whether an address of the operating system may be used so.
    pub(crate) fn permits(&self, address: SocketAddr, usage: SocketAddrUse) -> bool {
        let own = address.ip() == IpAddr::V4(self.loopback.address());
        let implicit = address.ip().is_unspecified() && address.port() == 0;
        match usage {
            SocketAddrUse::TcpBind => implicit || (own && self.role == Role::Service),
            SocketAddrUse::TcpListen => own && self.role == Role::Service,
            SocketAddrUse::TcpAccept | SocketAddrUse::UdpReceive => true,
            SocketAddrUse::TcpConnect if own => true,
            SocketAddrUse::TcpConnect if address.ip().is_loopback() => {
                self.allowed_host_loopback_ports.contains(&address.port())
            }
            SocketAddrUse::UdpBind => address.ip().is_unspecified(),
            SocketAddrUse::TcpConnect | SocketAddrUse::UdpSend => {
                let loopback = address.ip().to_canonical().is_loopback();
                !loopback && self.allowed_hosts.iter().any(|entry| entry.allows_address(address))
            }
        }
    }

    /// What to look up for a name: an address as text if the answer is known here; `None` if it may not be looked up.
    pub(super) fn lookup(&self, name: String) -> Option<String> {
        match names::reserved(&name) {
            Some(Reserved::Address(address)) => Some(address.to_string()),
            Some(Reserved::Unknown) => None,
            None => self
                .allowed_names
                .iter()
                .any(|entry| entry.allows(&name))
                .then_some(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(role: Role, hosts: &[&str], ports: &[u16]) -> Network {
        Network {
            loopback: Loopback::reserve(),
            role,
            allowed_hosts: hosts.iter().map(|entry| entry.parse().unwrap()).collect(),
            allowed_names: Vec::new(),
            allowed_host_loopback_ports: ports.to_vec(),
            delayed_sends: false,
        }
    }

    #[test]
    fn only_a_service_listens_and_only_on_its_loopback() {
        let service = network(Role::Service, &[], &[]);
        let own = SocketAddr::new(service.loopback.address().into(), 80);
        for usage in [SocketAddrUse::TcpBind, SocketAddrUse::TcpListen] {
            assert!(service.permits(own, usage));
            assert!(!service.permits("0.0.0.0:80".parse().unwrap(), usage));
            assert!(!service.permits("127.0.0.1:80".parse().unwrap(), usage));
            assert!(!service.permits("[::1]:80".parse().unwrap(), usage));
            assert!(!network(Role::Component, &[], &[]).permits(own, usage));
        }
    }

    #[test]
    fn every_guest_connects_to_its_own_loopback_and_no_other() {
        let (one, other) = (network(Role::Component, &[], &[]), network(Role::Service, &[], &[]));
        let own = one.destination("127.0.0.1:80".parse().unwrap()).unwrap();
        assert!(one.permits(own, SocketAddrUse::TcpConnect));
        assert!(!other.permits(own, SocketAddrUse::TcpConnect));
    }

    #[test]
    fn egress_needs_a_grant() {
        let address = "192.0.2.1:443".parse().unwrap();
        assert!(!network(Role::Service, &[], &[]).permits(address, SocketAddrUse::TcpConnect));
        assert!(network(Role::Service, &["192.0.2.1"], &[]).permits(address, SocketAddrUse::TcpConnect));
    }

    #[test]
    fn the_machines_loopback_needs_a_port_grant_and_a_star_is_none() {
        let machine = SocketAddr::new(names::MACHINE.into(), 4222);
        assert_eq!(network(Role::Service, &["*"], &[]).destination(machine), None);
        let granted = network(Role::Service, &[], &[4222]);
        let address = granted.destination(machine).unwrap();
        assert_eq!(address, "127.0.0.1:4222".parse().unwrap());
        assert!(granted.permits(address, SocketAddrUse::TcpConnect));
        assert!(!network(Role::Service, &["*"], &[]).permits(address, SocketAddrUse::TcpConnect));
        assert!(!network(Role::Service, &["*"], &[]).permits("[::1]:4222".parse().unwrap(), SocketAddrUse::TcpConnect));
    }

    #[test]
    fn a_name_needs_a_grant_unless_it_is_the_workloads_own() {
        let mut network = network(Role::Component, &[], &[]);
        assert_eq!(
            network.lookup("service.wasmcloud.internal".into()),
            Some("127.0.0.1".into())
        );
        assert_eq!(network.lookup("example.com".into()), None);
        network.allowed_names.push("*".parse().unwrap());
        assert_eq!(network.lookup("example.com".into()), Some("example.com".into()));
        assert_eq!(network.lookup("nothing.wasmcloud.internal".into()), None);
    }
}
