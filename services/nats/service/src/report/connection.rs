//! What happens to the connection that the workload shares.

use std::cell::Cell;
use std::rc::Rc;

use mainstay_nats_core::protocol::ProtocolError;
use mainstay_nats_link::{NotConnected, Observer, Peer};

use super::{CONNECTION, Report};
use crate::events::{self, Event, Kinds};

/// Tells of the connection in the report of the service.
pub(crate) struct ConnectionReport {
    report: Rc<Report>,
    clients: Cell<usize>,
}

impl ConnectionReport {
    pub(crate) fn new(report: &Rc<Report>) -> Self {
        Self {
            report: Rc::clone(report),
            clients: Cell::new(0),
        }
    }
}

impl Observer for ConnectionReport {
    fn connected(&self, peer: Peer<'_>) {
        let (server, address) = (peer.server, peer.address);
        let (name, version) = (&peer.info.server_name, &peer.info.version);
        tracing::info!(%server, %address, name, version, tls = peer.encrypted, "connected");
        self.report.refusal.borrow_mut().take();
        self.report.lame.set(false);
        self.report.meters.connected.set(1.0);
        self.report.meters.connections.add(1);
        self.report.ready(CONNECTION);
        self.report
            .event(Kinds::CONNECTED, || Event::Connected(event_server(peer)));
    }

    fn disconnected(&self, reason: &str) {
        tracing::warn!(reason, "disconnected");
        self.report.meters.connected.set(0.0);
        self.report
            .not_ready(CONNECTION, "the connection to the NATS server is lost");
        let reason = reason.to_owned();
        self.report.event(Kinds::DISCONNECTED, || {
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
        self.report.meters.failed_connections.add(1);
        if refused {
            if self.report.refusal.borrow_mut().replace(error.to_owned()).as_deref() != Some(error) {
                tracing::error!(%server, "the server does not take the credentials: {error}");
            }
            self.report
                .not_ready(CONNECTION, "the NATS server does not take the credentials");
        } else {
            tracing::warn!(%server, retry_in = ?pause, "not connected: {error}");
        }
    }

    fn lame_duck(&self, peer: Peer<'_>) {
        if !self.report.lame.replace(true) {
            tracing::info!(server = %peer.server, "the server is about to go, moving to another one");
            self.report
                .event(Kinds::LAME_DUCK, || Event::LameDuck(event_server(peer)));
        }
    }

    fn server_refuses(&self, text: &str) {
        self.report.server_refuses(text);
    }

    fn clients(&self, count: usize) {
        self.report.clients(self.clients.replace(count), count);
    }

    fn client_refused(&self, client: &str, error: &ProtocolError) {
        self.report.client_refused(client, error);
    }

    fn client_dropped(&self, client: &str, subject: &[u8], messages: usize, bytes: usize) {
        self.report.client_dropped(client, subject, messages, bytes);
    }
}

fn event_server(peer: Peer<'_>) -> events::Server {
    events::Server {
        name: peer.info.server_name.clone(),
        version: peer.info.version.clone(),
        address: peer.address.to_string(),
    }
}
