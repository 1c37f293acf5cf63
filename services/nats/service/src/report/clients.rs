//! What happens to clients of the loopback endpoint, whichever connection to the server they are on.

use std::rc::Rc;

use mainstay_nats_core::protocol::ProtocolError;

use super::Report;
use super::losses::Slow;

impl Report {
    /// One connection to the server had `before` clients and has `now`; the metric is of all connections together.
    pub(super) fn clients(&self, before: usize, now: usize) {
        let sum = (self.clients.get() + now).saturating_sub(before);
        self.clients.set(sum);
        self.meters.clients.set(sum as f64);
    }

    pub(super) fn client_refused(&self, client: &str, error: &ProtocolError) {
        self.meters.client_refusals.add(1);
        tracing::warn!(client, "client refused: {error}");
    }

    pub(super) fn client_dropped(self: &Rc<Self>, client: &str, subject: &[u8], messages: usize, bytes: usize) {
        self.meters.client_dropped.add(1);
        let client = Slow::Client(client.to_owned());
        self.losses.count(client, subject, messages, bytes, self);
    }

    pub(super) fn server_refuses(&self, text: &str) {
        self.meters.server_refusals.add(1);
        tracing::warn!("the server refuses: {text}");
    }
}
