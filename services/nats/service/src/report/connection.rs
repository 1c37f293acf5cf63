//! What happens to the connection, and to clients of the loopback endpoint.

use std::rc::Rc;

use mainstay_nats_core::protocol::ProtocolError;
use mainstay_nats_link::{NotConnected, Observer, Peer};

use super::{CONNECTION, Report};
use crate::events::{self, Event, Kinds};

/// Tells of the connection in the report of the service.
pub(crate) struct ConnectionReport(pub(crate) Rc<Report>);

impl Observer for ConnectionReport {
    fn connected(&self, peer: Peer<'_>) {
        let (server, address) = (peer.server, peer.address);
        let (name, version) = (&peer.info.server_name, &peer.info.version);
        tracing::info!(%server, %address, name, version, tls = peer.encrypted, "connected");
        self.0.refusal.borrow_mut().take();
        self.0.lame.set(false);
        self.0.meters.connected.set(1.0);
        self.0.meters.connections.add(1);
        self.0.ready(CONNECTION);
        self.0.event(Kinds::CONNECTED, || Event::Connected(event_server(peer)));
    }

    fn disconnected(&self, reason: &str) {
        tracing::warn!(reason, "disconnected");
        self.0.meters.connected.set(0.0);
        self.0
            .not_ready(CONNECTION, "the connection to the NATS server is lost");
        let reason = reason.to_owned();
        self.0.event(Kinds::DISCONNECTED, || {
            Event::Disconnected(events::Disconnected { reason })
        });
    }

    /// That the credentials are not wanted is said once, not each time.
    fn not_connected(&self, attempt: NotConnected<'_>) {
        let NotConnected {
            server,
            error,
            refused,
            pause,
        } = attempt;
        self.0.meters.failed_connections.add(1);
        if refused {
            if self.0.refusal.borrow_mut().replace(error.to_owned()).as_deref() != Some(error) {
                tracing::error!(%server, "the server does not take the credentials: {error}");
            }
            self.0
                .not_ready(CONNECTION, "the NATS server does not take the credentials");
        } else {
            tracing::warn!(%server, retry_in = ?pause, "not connected: {error}");
        }
    }

    fn lame_duck(&self, peer: Peer<'_>) {
        if !self.0.lame.replace(true) {
            tracing::info!(server = %peer.server, "the server is about to go, moving to another one");
            self.0.event(Kinds::LAME_DUCK, || Event::LameDuck(event_server(peer)));
        }
    }

    fn server_refuses(&self, text: &str) {
        self.0.meters.server_refusals.add(1);
        tracing::warn!("the server refuses: {text}");
    }

    fn clients(&self, count: usize) {
        self.0.meters.clients.set(count as f64);
    }

    fn client_refused(&self, client: &str, error: &ProtocolError) {
        self.0.meters.client_refusals.add(1);
        tracing::warn!(client, "client refused: {error}");
    }

    fn client_dropped(&self, client: &str, subject: &[u8], pending: usize) {
        self.0.meters.client_dropped.add(1);
        self.0.dropped(&format!("client {client}"), subject, 0, pending);
    }
}

fn event_server(peer: Peer<'_>) -> events::Server {
    events::Server {
        name: peer.info.server_name.clone(),
        version: peer.info.version.clone(),
        address: peer.address.to_string(),
    }
}
