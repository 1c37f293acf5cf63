//! Where clients and components find the service: stdio, TCP, HTTP.

use std::net::{Ipv4Addr, SocketAddr};

use mainstay_mcp_core::http::Gate;
use mainstay_mcp_core::origin::Allowed;
use mainstay_runtime::config::{ConfigError, Settings, Value};

/// Where components speak during a call, unless `MCP_CONTEXT` says otherwise, to the service and to `mcp-client.wasm`.
const CONTEXT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8083);

/// Where clients and components find the service.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// Whether the client is the one that started the program. Its end is then the service's.
    pub stdio: bool,
    /// Where connections are accepted that speak as stdio does.
    pub tcp: Option<SocketAddr>,
    /// Where HTTP is served, beside the component's own handler.
    pub http: Option<SocketAddr>,
    /// Where components speak during a call.
    pub context: Option<SocketAddr>,
    /// Whom HTTP lets in, and where.
    pub gate: Gate,
    /// Connections at once, of each kind.
    pub max_clients: usize,
    /// Bytes of one message.
    pub max_message: usize,
    /// Bytes that wait for one client before nothing more is read from it.
    pub backlog: usize,
}

impl Endpoints {
    pub(super) fn read(settings: &mut Settings) -> Result<Self, ConfigError> {
        let switch = [("on", true), ("off", false)];
        Ok(Self {
            stdio: settings.or("stdio", false, |value| value.one_of(&switch))?,
            tcp: address(settings, "tcp", None)?,
            http: address(settings, "http", None)?,
            context: address(settings, "context", Some(CONTEXT))?,
            gate: gate(settings)?,
            max_clients: settings.or("max_clients", 256, |value| value.integer(1..=10_000))?,
            max_message: settings.or("max_message", 16 << 20, |value| size(value, 1 << 10))?,
            backlog: settings.or("backlog", 1 << 20, |value| size(value, 1 << 10))?,
        })
    }
}

fn gate(settings: &mut Settings) -> Result<Gate, ConfigError> {
    let path = settings.or("path", "/mcp".to_owned(), |value| match value.text()? {
        path if path.starts_with('/') && !path.contains(['?', '#', ' ']) => Ok(path.to_owned()),
        _ => Err(value.error("not a path, for example /mcp")),
    })?;
    let hosts = settings.value("hosts");
    let origins = settings.value("origins");
    let texts = |value: &Option<Value>| match value {
        None => Ok(Vec::new()),
        Some(value) => value
            .list()?
            .iter()
            .map(|item| Ok(item.text()?.to_owned()))
            .collect::<Result<Vec<String>, ConfigError>>(),
    };
    let (named, pages) = (texts(&hosts)?, texts(&origins)?);
    let local = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).to_vec();
    let allowed = Allowed::new(if named.is_empty() { &local } else { &named }, &pages);
    let allowed = allowed.map_err(|(item, rule)| {
        let of = if named.contains(&item) { hosts } else { origins };
        let name = of.as_ref().map_or("MCP_HOSTS", Value::name);
        ConfigError::new(format!("{name} {item:?}: {rule}"))
    })?;
    Ok(Gate { allowed, path })
}

fn address(settings: &mut Settings, key: &str, default: Option<SocketAddr>) -> Result<Option<SocketAddr>, ConfigError> {
    settings.or(key, default, |value| match value.text()? {
        "off" => Ok(None),
        text => match text.parse() {
            Ok(address) => Ok(Some(address)),
            Err(_) => Err(value.error("not off, nor an IP address and a port, for example 127.0.0.1:8090")),
        },
    })
}

/// A size in bytes, at least so many.
pub(super) fn size(value: &Value, least: u64) -> Result<usize, ConfigError> {
    let bytes = value.size(least..=1 << 30)?;
    Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
}
