//! Which server to connect to next: those of the configuration, and those that a server tells of.

use mainstay_runtime::net::{Endpoint, Host};

use crate::address::ServerAddress;

/// The servers, and which is next.
#[derive(Debug)]
pub(crate) struct Servers {
    servers: Vec<Server>,
    next: usize,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// Where it is.
    pub(crate) address: ServerAddress,
    /// Who it must prove to be: for an address that a server told of, that server's name.
    pub(crate) host: Host,
    discovered: bool,
}

/// Servers that are remembered because others told of them.
const DISCOVERED: usize = 64;

impl Servers {
    /// Those of the configuration, `first` of them first.
    pub(crate) fn new(addresses: &[ServerAddress], first: usize) -> Self {
        let server = |address: &ServerAddress| Server {
            address: address.clone(),
            host: address.endpoint.host().clone(),
            discovered: false,
        };
        Self {
            servers: addresses.iter().map(server).collect(),
            next: first % addresses.len().max(1),
        }
    }

    /// The next one, and whether all were tried once more with it.
    pub(crate) fn next(&mut self) -> Option<(Server, bool)> {
        let server = self.servers.get(self.next)?.clone();
        self.next += 1;
        let round = self.next >= self.servers.len();
        if round {
            self.next = 0;
        }
        Some((server, round))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.servers.len()
    }

    /// `teller` tells of these. Those that nobody tells of any more are forgotten.
    pub(crate) fn discover(&mut self, teller: &Server, urls: &[String]) {
        let told: Vec<Endpoint> = urls.iter().filter_map(|url| Endpoint::parse(url, None).ok()).collect();
        let following = self.servers.get(self.next).cloned();
        self.servers
            .retain(|server| !server.discovered || told.contains(&server.address.endpoint));
        for endpoint in told {
            let known = self.servers.iter().any(|server| server.address.endpoint == endpoint);
            if !known && self.servers.len() < DISCOVERED {
                let host = match endpoint.host() {
                    Host::Address(_) => teller.host.clone(),
                    name => name.clone(),
                };
                let tls = teller.address.tls;
                let address = ServerAddress { endpoint, tls };
                self.servers.push(Server {
                    address,
                    host,
                    discovered: true,
                });
            }
        }
        self.next = self
            .servers
            .iter()
            .position(|server| Some(server) == following.as_ref())
            .unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(texts: &[&str]) -> Servers {
        let addresses: Vec<_> = texts.iter().map(|text| ServerAddress::parse(text).unwrap().0).collect();
        Servers::new(&addresses, 0)
    }

    fn round(servers: &mut Servers) -> Vec<String> {
        let mut names = Vec::new();
        while let Some((server, last)) = servers.next() {
            names.push(server.address.to_string());
            if last {
                break;
            }
        }
        names
    }

    #[test]
    fn they_are_tried_in_turn() {
        let mut servers = servers(&["a", "b"]);
        for _ in 0..2 {
            assert_eq!(round(&mut servers), ["nats://a:4222", "nats://b:4222"]);
        }
    }

    #[test]
    fn those_that_a_server_tells_of_come_after_them_and_go_when_it_no_longer_does() {
        let mut servers = servers(&["tls://a"]);
        let (a, _) = servers.next().unwrap();
        let urls = ["10.0.0.2:4222", "b:4223", "a:4222", "not a server"].map(str::to_owned);
        servers.discover(&a, &urls);
        assert_eq!(
            round(&mut servers),
            ["tls://a:4222", "tls://10.0.0.2:4222", "tls://b:4223"]
        );
        let hosts: Vec<String> = servers.servers.iter().map(|server| server.host.to_string()).collect();
        assert_eq!(
            hosts,
            ["a", "a", "b"],
            "an address proves to be the server that told of it"
        );
        servers.discover(&a, &[]);
        assert_eq!(round(&mut servers), ["tls://a:4222"]);
    }
}
