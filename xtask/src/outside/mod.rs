//! The world outside of an example's workload: servers that it needs, and somebody who asks its component.
//!
//! - [`collector`]: a collector of OpenTelemetry
//! - [`visits`]: questions by HTTP; those over NATS are here
//! - [`clients`]: what MCP clients have to be told

pub(crate) mod clients;
mod collector;
mod visits;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mainstay_peers::nats_client::{Asked, Message, NatsClient};
use mainstay_peers::{NatsServer, Postgres, Redis};

use self::collector::Collector;
use crate::workspace::{Component, Workspace};
use crate::{peers, process};

/// Where examples expect the NATS server.
const NATS: u16 = 4222;

/// Where examples expect PostgreSQL and Redis: not where those of somebody else would be, which have other passwords.
const POSTGRES: u16 = 15432;
const REDIS: u16 = 16379;

/// The pause between two questions.
const PAUSE: Duration = Duration::from_secs(1);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What runs beside an example. Servers end when this is dropped.
#[derive(Default)]
pub(crate) struct Outside {
    nats: Option<SocketAddr>,
    asks: Vec<String>,
    visits: Vec<String>,
    /// The name of the example's tools, if it has some for MCP clients.
    pub(crate) tools: Option<String>,
    collector: Option<Collector>,
    _servers: Vec<Server>,
}

/// A server that ends when this is dropped.
#[expect(dead_code, reason = "kept to be dropped")]
enum Server {
    Nats(NatsServer),
    Postgres(Postgres),
    Redis(Redis),
}

impl Outside {
    /// Starts the servers that the services among these images need. Who has HTTP served elsewhere, by these arguments to
    /// `host-test run`, asks for himself.
    pub(crate) fn start(workspace: &Workspace, images: &[String], arguments: &[String]) -> Result<Self> {
        let components: Vec<&Component> = workspace
            .guests()
            .map(|(_, component)| component)
            .filter(|component| {
                component
                    .artefacts()
                    .any(|name| images.iter().any(|image| image == name))
            })
            .collect();
        let asks = components.iter().flat_map(|component| component.asks.clone()).collect();
        let visits = components
            .iter()
            .flat_map(|component| component.visits.clone())
            .filter(|_| visits::given(arguments).is_none())
            .collect();
        let mut outside = Self {
            asks,
            visits,
            tools: components.iter().find_map(|component| component.tools.clone()),
            ..Self::default()
        };
        for peer in components.iter().flat_map(|component| &component.peers) {
            match peer.as_str() {
                "nats-server" => outside.nats_server(workspace)?,
                "postgres" => outside.postgres(workspace)?,
                "redis" => outside.redis(workspace)?,
                "collector" => outside.collector = Collector::start(workspace)?,
                other => bail!("`cargo xtask run` does not know the peer {other:?}"),
            }
        }
        Ok(outside)
    }

    fn nats_server(&mut self, workspace: &Workspace) -> Result<()> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, NATS));
        self.nats = Some(address);
        if TcpListener::bind(address).is_err() {
            println!("something listens on {address} already; it is taken for a NATS server");
            return Ok(());
        }
        peers::fetch_nats_server(workspace)?;
        self._servers.push(Server::Nats(NatsServer::on_port(NATS)?));
        println!("nats-server listens on {address}");
        Ok(())
    }

    fn postgres(&mut self, workspace: &Workspace) -> Result<()> {
        peers::fetch_postgres(workspace)?;
        self._servers.push(Server::Postgres(Postgres::on_port(POSTGRES)?));
        println!("PostgreSQL listens on 127.0.0.1:{POSTGRES}");
        Ok(())
    }

    fn redis(&mut self, workspace: &Workspace) -> Result<()> {
        peers::fetch_redis(workspace)?;
        self._servers.push(Server::Redis(Redis::on_port(REDIS, &[])?));
        println!("Redis listens on 127.0.0.1:{REDIS}");
        Ok(())
    }

    /// Arguments to `host-test run`, beside those that were given.
    pub(crate) fn arguments(&self, given: &[String]) -> Vec<String> {
        let wanted = !self.visits.is_empty() || self.tools.is_some();
        if !wanted || visits::given(given).is_some() {
            return Vec::new();
        }
        vec!["--http".to_owned(), visits::HTTP.to_string()]
    }

    /// Sends what the collector prints as `line` says.
    pub(crate) fn forward<T: Send + 'static>(&mut self, sender: Sender<T>, line: fn(String) -> T) {
        let output = self.collector.as_mut().and_then(Collector::output);
        process::forward(output, sender, line);
    }

    /// Visits the component by HTTP, and tells `line` what it answers until that wants no more.
    pub(crate) fn visit(&self, line: impl Fn(String) -> bool + Send + 'static) {
        if !self.visits.is_empty() {
            visits::begin(self.visits.clone(), line);
        }
    }

    /// Asks the component one question after the other, as anybody with a NATS client could, and tells `line` of it until
    /// that wants no more.
    pub(crate) fn ask(&self, line: impl Fn(String) -> bool + Send + 'static) {
        let (Some(address), false) = (self.nats, self.asks.is_empty()) else {
            return;
        };
        let asks = self.asks.clone();
        thread::spawn(move || {
            if let Err(error) = converse(address, &asks, &line) {
                line(format!("nobody asks any more: {error:#}"));
            }
        });
    }
}

fn converse(address: SocketAddr, asks: &[String], line: &impl Fn(String) -> bool) -> Result<()> {
    let mut client = NatsClient::connect(address)?;
    for subject in asks.iter().cycle() {
        let published = |message: Message| {
            // The question itself goes by as well.
            if !asks.contains(&message.subject) {
                line(format!("published  {}: {}", message.subject, message.body));
            }
        };
        let began = Instant::now();
        let told = match client.ask(subject, "", PATIENCE, published)? {
            Asked::Answer(answer) => line(format!("asked      {subject}: {answer}  ({:.1?})", began.elapsed())),
            Asked::Silence => line(format!("asked      {subject}: no answer within {PATIENCE:?}")),
            // The workload is still starting.
            Asked::Nobody => true,
        };
        if !told {
            return Ok(());
        }
        client.listen(PAUSE, published)?;
    }
    Ok(())
}
