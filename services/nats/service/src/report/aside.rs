//! What happens to a connection beside the shared one. That one alone tells whether the service is connected; of these the
//! log tells, and a subscription that has one is ready when it is there.

use std::cell::Cell;
use std::rc::Rc;

use mainstay_nats_core::protocol::ProtocolError;
use mainstay_nats_link::{NotConnected, Observer, Peer};

use super::Report;

/// Tells of one such connection.
pub(crate) struct AsideReport {
    report: Rc<Report>,
    /// Whose it is, for the log.
    whose: String,
    /// What is not ready without it.
    part: Option<String>,
    clients: Cell<usize>,
}

impl AsideReport {
    /// Of a client without echo.
    pub(crate) fn of_client(report: &Rc<Report>) -> Self {
        Self {
            report: Rc::clone(report),
            whose: "a client without echo".to_owned(),
            part: None,
            clients: Cell::new(0),
        }
    }

    /// Of the subscription of this name.
    pub(crate) fn of_subscription(report: &Rc<Report>, name: &str) -> Self {
        let whose = format!("subscription {name}");
        report.not_ready(&whose, &format!("{whose} is not connected to a NATS server yet"));
        Self {
            report: Rc::clone(report),
            part: Some(whose.clone()),
            whose,
            clients: Cell::new(0),
        }
    }

    fn not_ready(&self, reason: &str) {
        if let Some(part) = &self.part {
            self.report.not_ready(part, &format!("{part}: {reason}"));
        }
    }
}

impl Observer for AsideReport {
    fn connected(&self, peer: Peer<'_>) {
        tracing::debug!(of = self.whose, server = %peer.server, "another connection is up");
        if let Some(part) = &self.part {
            self.report.ready(part);
        }
    }

    fn disconnected(&self, reason: &str) {
        tracing::warn!(of = self.whose, reason, "disconnected");
        self.not_ready("its connection to the NATS server is lost");
    }

    fn not_connected(&self, attempt: NotConnected<'_>) {
        let NotConnected {
            server, error, pause, ..
        } = attempt;
        tracing::warn!(of = self.whose, %server, retry_in = ?pause, "not connected: {error}");
        self.not_ready(error);
    }

    fn lame_duck(&self, peer: Peer<'_>) {
        tracing::debug!(of = self.whose, server = %peer.server, "the server is about to go, moving to another one");
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
