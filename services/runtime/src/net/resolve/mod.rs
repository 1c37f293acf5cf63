//! From names to addresses, looked up anew each time.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::error::LookupError;
use super::{Endpoint, Error, Host};

#[cfg_attr(target_family = "wasm", path = "component.rs")]
#[cfg_attr(not(target_family = "wasm"), path = "native.rs")]
mod lookup;

/// So many names are remembered with their turns. A service has a handful.
const NAMES: usize = 1000;

/// Resolves names by the host that runs the service, and remembers no answer: a server that moves is found at the next
/// reconnect.
#[derive(Debug)]
pub struct Resolver {
    timeout: Duration,
    /// Answers given for each name, which is where its next one begins: with several addresses, a reconnect tries another
    /// first.
    turns: Mutex<BTreeMap<String, usize>>,
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(Duration::from_secs(5))
    }
}

impl Resolver {
    /// Gives up on a look-up after `timeout`.
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            turns: Mutex::default(),
        }
    }

    /// The addresses of an endpoint in the order in which to try them; never none.
    ///
    /// The order is the host's, begun one further at each call for that name. An address is its own answer, and so is `localhost`
    /// (RFC 6761 §6.3), which is 127.0.0.1 because that is where a workload listens.
    pub async fn resolve(&self, endpoint: &Endpoint) -> Result<Vec<SocketAddr>, Error> {
        let name = match endpoint.host() {
            Host::Address(address) => return Ok(vec![SocketAddr::new(*address, endpoint.port())]),
            Host::Name(name) if name == "localhost" => {
                return Ok(vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), endpoint.port())]);
            }
            Host::Name(name) => name,
        };
        let looked_up = tokio::time::timeout(self.timeout, lookup::addresses(name)).await;
        let addresses = looked_up.unwrap_or(Err(LookupError::TimedOut(self.timeout)));
        match addresses {
            Ok(addresses) if !addresses.is_empty() => Ok(self.ordered(name, addresses, endpoint.port())),
            Ok(_) => Err(Error::Lookup {
                name: name.clone(),
                reason: LookupError::NotFound,
            }),
            Err(reason) => Err(Error::Lookup {
                name: name.clone(),
                reason,
            }),
        }
    }

    fn ordered(&self, name: &str, addresses: Vec<IpAddr>, port: u16) -> Vec<SocketAddr> {
        let mut ordered: Vec<SocketAddr> = Vec::with_capacity(addresses.len());
        for address in addresses {
            let address = SocketAddr::new(address.to_canonical(), port);
            if !ordered.contains(&address) {
                ordered.push(address);
            }
        }
        let turn = self.turn(name);
        let start = turn.checked_rem(ordered.len()).unwrap_or_default();
        ordered.rotate_left(start);
        ordered
    }

    /// How many answers were given for a name before.
    fn turn(&self, name: &str) -> usize {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get_mut(name) {
            *turn = turn.wrapping_add(1);
            return *turn;
        }
        if turns.len() >= NAMES {
            turns.clear();
        }
        turns.insert(name.to_owned(), 0);
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Endpoint {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn an_address_is_its_own_answer() {
        let resolver = Resolver::new(Duration::ZERO);
        for text in ["10.0.0.7:4222", "[2001:db8::7]:4222"] {
            assert_eq!(
                resolver.resolve(&endpoint(text)).await.unwrap(),
                [text.parse().unwrap()]
            );
        }
        assert_eq!(
            resolver.resolve(&endpoint("LocalHost:1")).await.unwrap(),
            ["127.0.0.1:1".parse().unwrap()]
        );
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_is_named_in_the_error() {
        let error = Resolver::default()
            .resolve(&endpoint("nowhere.invalid:1"))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("look up \"nowhere.invalid\": "), "{error}");
    }

    #[test]
    fn every_address_comes_first_in_its_turn_and_only_once() {
        let resolver = Resolver::default();
        let addresses: Vec<IpAddr> = ["10.0.0.1", "10.0.0.2", "::ffff:10.0.0.1", "2001:db8::1"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let shown = |addresses: Vec<SocketAddr>| addresses.iter().map(|a| a.ip().to_string()).collect::<Vec<_>>();
        assert_eq!(
            shown(resolver.ordered("a.example", addresses.clone(), 1)),
            ["10.0.0.1", "10.0.0.2", "2001:db8::1"]
        );
        assert_eq!(
            shown(resolver.ordered("a.example", addresses.clone(), 1)),
            ["10.0.0.2", "2001:db8::1", "10.0.0.1"]
        );
        assert_eq!(
            shown(resolver.ordered("a.example", addresses.clone(), 1)),
            ["2001:db8::1", "10.0.0.1", "10.0.0.2"]
        );
        assert_eq!(
            shown(resolver.ordered("b.example", addresses.clone(), 1)),
            ["10.0.0.1", "10.0.0.2", "2001:db8::1"],
            "another name has turns of its own"
        );
        assert_eq!(
            shown(resolver.ordered("a.example", addresses, 1)),
            ["10.0.0.1", "10.0.0.2", "2001:db8::1"]
        );
        assert!(resolver.ordered("a.example", Vec::new(), 1).is_empty());
    }
}
