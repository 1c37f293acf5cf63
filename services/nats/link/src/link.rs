//! The connection to the servers, for as long as the service lives: made, used, lost, and made again.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use mainstay_nats_core::protocol::from_server::{Decoder, ServerInfo, ServerOperation};
use mainstay_nats_core::protocol::refusal::Refusal;
use mainstay_runtime::backoff::Backoff;
use mainstay_runtime::net::Dialer;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::Notify;

use crate::bridge::Bridge;
use crate::connect::{Connected, READ, Transport, connect};
use crate::observer::{NotConnected, Observer, Peer};
use crate::servers::{Server, Servers};
use crate::settings::Connection;

/// The one who holds the connection.
pub struct Link {
    settings: Rc<Connection>,
    bridge: Rc<Bridge>,
    observer: Rc<dyn Observer>,
    servers: Servers,
    dialer: Dialer,
    /// Whether own messages come back.
    echo: bool,
}

/// Why a connection ended.
enum End {
    Lost(String),
    /// The server was about to go, and here is another one.
    Moved(Box<Connected>),
}

/// How long the old server may take to see the last of what was said to it.
const FAREWELL: Duration = Duration::from_secs(2);

impl Link {
    /// It connects when it is run. Without `echo` what is published does not come back to own subscriptions.
    pub fn new(settings: Rc<Connection>, bridge: Rc<Bridge>, observer: Rc<dyn Observer>, echo: bool) -> Self {
        // Replicas that start together do not all take the same server.
        let servers = Servers::new(&settings.servers, rand::random_range(0..settings.servers.len().max(1)));
        Self {
            dialer: Dialer::new(settings.timeout),
            settings,
            bridge,
            observer,
            servers,
            echo,
        }
    }

    /// Holds the connection, for ever.
    pub async fn run(mut self) {
        let mut backoff = Backoff::new(Duration::from_millis(100), self.settings.reconnect_max);
        let mut next = None;
        loop {
            let connected = match next.take() {
                Some(connected) => connected,
                None => self.connect(&mut backoff).await,
            };
            let began = Instant::now();
            let end = self.hold(connected).await;
            let lasted = began.elapsed() >= backoff.max();
            if lasted {
                backoff.reset();
            }
            match end {
                End::Lost(reason) => {
                    self.bridge.disconnected();
                    self.observer.disconnected(&reason);
                    // A server that hangs up on what it is told will do so again.
                    if !lasted {
                        let pause = backoff.next();
                        tracing::info!(retry_in = ?pause, "the connection did not last");
                        tokio::time::sleep(pause).await;
                    }
                }
                End::Moved(connected) => {
                    self.bridge.disconnected();
                    next = Some(*connected);
                }
            }
        }
    }

    /// Tries the servers in turn until one accepts; after each round there is a pause.
    async fn connect(&mut self, backoff: &mut Backoff) -> Connected {
        loop {
            let Some((server, round)) = self.servers.next() else {
                return std::future::pending().await;
            };
            match connect(&self.settings, &self.dialer, &server, self.echo).await {
                Ok(connected) => return connected,
                Err(error) => {
                    let refused = error.is_refusal();
                    let pause = match (round, refused) {
                        // Who is not wanted knocks seldom.
                        (_, true) => self.settings.reconnect_max,
                        (true, false) => backoff.next(),
                        (false, false) => Duration::ZERO,
                    };
                    self.observer.not_connected(NotConnected {
                        server: &server.address,
                        error: &error.to_string(),
                        refused,
                        pause,
                    });
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Uses a connection until it ends.
    async fn hold(&mut self, connected: Connected) -> End {
        let Connected {
            server,
            stream,
            decoder,
            info,
            address,
            encrypted,
        } = connected;
        self.discover(&server, &info);
        self.bridge.connected(info.clone());
        let (reader, writer) = tokio::io::split(stream);
        let told = Told::default();
        let (bridge, observer, interval) = (self.bridge.clone(), self.observer.clone(), self.settings.ping_interval);
        let use_it = async {
            let lost = tokio::select! {
                lost = read(&bridge, &*observer, reader, decoder, &told) => lost,
                lost = write(&bridge, writer) => lost,
                lost = watch(&bridge, interval, &told) => lost,
            };
            End::Lost(lost)
        };
        tokio::pin!(use_it);
        // Whoever is told counts on the subscriptions, so the server has to have seen them.
        let seen = bridge.flush();
        tokio::pin!(seen);
        let mut is_told = false;
        loop {
            tokio::select! {
                // The flush first, so that its PING goes with the subscriptions in one flight.
                biased;
                seen = &mut seen, if !is_told => {
                    is_told = true;
                    if seen.is_ok() {
                        self.observer.connected(peer(&server, &address, &info, encrypted));
                    }
                    continue;
                }
                end = &mut use_it => return end,
                () = told.news.notified() => {}
            }
            let Some(info) = told.info.take() else { continue };
            self.discover(&server, &info);
            if !info.lame_duck {
                continue;
            }
            self.observer.lame_duck(peer(&server, &address, &info, encrypted));
            let moved = tokio::select! {
                end = &mut use_it => return end,
                moved = self.elsewhere(&server) => moved,
            };
            if let Some(connected) = moved {
                let farewell = tokio::time::timeout(FAREWELL, self.bridge.flush());
                tokio::select! {
                    end = &mut use_it => drop(end),
                    _ = farewell => {}
                }
                return End::Moved(Box::new(connected));
            }
        }
    }

    fn discover(&mut self, server: &Server, info: &ServerInfo) {
        if self.settings.discover {
            self.servers.discover(server, &info.connect_urls);
        }
    }

    /// A connection to another server than this one, if one of them accepts.
    async fn elsewhere(&mut self, than: &Server) -> Option<Connected> {
        for _ in 0..self.servers.len() {
            let Some((server, _)) = self.servers.next() else { break };
            if server.address == than.address {
                continue;
            }
            match connect(&self.settings, &self.dialer, &server, self.echo).await {
                Ok(connected) => return Some(connected),
                Err(error) => {
                    self.observer.not_connected(NotConnected {
                        server: &server.address,
                        error: &error.to_string(),
                        refused: error.is_refusal(),
                        pause: Duration::ZERO,
                    });
                }
            }
        }
        None
    }
}

fn peer<'a>(server: &'a Server, address: &'a SocketAddr, info: &'a ServerInfo, encrypted: bool) -> Peer<'a> {
    Peer {
        server: &server.address,
        address,
        info,
        encrypted,
    }
}

/// What the server says of itself while it is connected.
#[derive(Default)]
struct Told {
    info: Cell<Option<ServerInfo>>,
    news: Notify,
    heard: Cell<Option<Instant>>,
}

/// Reads what the server says; gives why it ends.
async fn read(
    bridge: &Bridge,
    observer: &dyn Observer,
    mut reader: ReadHalf<Box<dyn Transport>>,
    mut decoder: Decoder,
    told: &Told,
) -> String {
    loop {
        loop {
            match decoder.next() {
                Ok(None) => break,
                Ok(Some(ServerOperation::Info(info))) => {
                    bridge.informed((*info).clone());
                    told.info.set(Some(*info));
                    told.news.notify_one();
                }
                Ok(Some(ServerOperation::Error(text))) => match Refusal::parse(&text) {
                    Some(refusal) => {
                        observer.server_refuses(&text);
                        bridge.server_refuses(&refusal);
                    }
                    None => return format!("the server says: {text}"),
                },
                Ok(Some(operation)) => bridge.incoming(operation),
                Err(fault) => return fault.to_string(),
            }
        }
        bridge.wake_clients();
        bridge.may_read().await;
        decoder.buffer().reserve(READ);
        match reader.read_buf(decoder.buffer()).await {
            Ok(0) => return "the server hung up".to_owned(),
            Ok(_) => told.heard.set(Some(Instant::now())),
            Err(error) => return error.to_string(),
        }
    }
}

/// Writes what there is to be said to the server; gives why it ends.
async fn write(bridge: &Bridge, mut writer: WriteHalf<Box<dyn Transport>>) -> String {
    loop {
        let out = bridge.outgoing().await;
        let written = async {
            writer.write_all(&out).await?;
            writer.flush().await
        };
        if let Err(error) = written.await {
            return error.to_string();
        }
        bridge.written();
    }
}

/// Asks for a sign of life when there was none for a while; gives why the connection is taken for dead.
async fn watch(bridge: &Bridge, interval: Duration, told: &Told) -> String {
    loop {
        tokio::time::sleep(interval).await;
        // Who does not read hears nothing.
        bridge.may_read().await;
        let is_alive = || told.heard.take().is_some_and(|heard| heard.elapsed() < interval);
        if is_alive() {
            continue;
        }
        tokio::select! {
            sign = tokio::time::timeout(interval, bridge.flush()) => {
                if sign.is_err() && !is_alive() {
                    return format!("the server gives no sign of life for {:?}", interval * 2);
                }
            }
            () = bridge.must_not_read() => {}
        }
    }
}

#[cfg(test)]
mod tests;
