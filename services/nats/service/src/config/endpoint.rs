//! The loopback endpoint: where it listens, what components may do there, what one of them may take.

use std::net::{Ipv4Addr, SocketAddr};

use mainstay_nats_core::grants::{Grants, parse_grant};
use mainstay_nats_core::mux::SlowConsumer;
use mainstay_nats_core::subject::Pattern;
use mainstay_nats_link::size;
use mainstay_runtime::config::{ConfigError, Settings};

/// The loopback endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Where it listens; nowhere if none.
    pub listen: Option<SocketAddr>,
    /// What components may publish and subscribe to.
    pub grants: Grants,
    /// Clients at once.
    pub max_clients: usize,
    /// Subscriptions of one client.
    pub max_subscriptions: usize,
    /// Bytes that wait for one client.
    pub client_buffer: usize,
    /// What happens to a client for which more would wait.
    pub slow_consumer: SlowConsumer,
}

const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4222);

impl Endpoint {
    pub(super) fn read(settings: &mut Settings) -> Result<Self, ConfigError> {
        let listen = settings.or("listen", Some(ADDRESS), |value| match value.text()? {
            "off" => Ok(None),
            text => match text.parse() {
                Ok(address) => Ok(Some(address)),
                Err(_) => Err(value.error("not off, nor an IP address and a port, for example 127.0.0.1:4222")),
            },
        })?;
        let words = [("disconnect", SlowConsumer::Disconnect), ("drop", SlowConsumer::Drop)];
        Ok(Self {
            listen,
            grants: Grants::new(grants(settings, "publish_allow")?, grants(settings, "subscribe_allow")?),
            max_clients: settings.or("max_clients", 256, |value| value.integer(1..=10_000))?,
            max_subscriptions: settings.or("max_subscriptions", 1000, |value| value.integer(1..=1_000_000))?,
            client_buffer: settings.or("client_buffer", 8 << 20, |value| size(value, 64 << 10))?,
            slow_consumer: settings.or("slow_consumer", SlowConsumer::default(), |value| value.one_of(&words))?,
        })
    }
}

fn grants(settings: &mut Settings, key: &str) -> Result<Vec<Pattern>, ConfigError> {
    let Some(value) = settings.value(key) else {
        return Ok(Vec::new());
    };
    value.list()?.iter().map(|item| item.parse(parse_grant)).collect()
}
