//! What is known of a server's session.

use bytes::Bytes;

use crate::postgres::statements::Prepared;
use crate::postgres::{Established, Parameters};

/// A server's session, whoever has it.
#[derive(Debug)]
pub struct Server {
    pub(super) parameters: Parameters,
    /// Settings that it was given for a client and does not report.
    pub(super) unreported: Parameters,
    key: Option<(u32, Bytes)>,
    pub(super) prepared: Prepared,
    /// Whether it may not be as it was when it was new.
    pub(super) changed: bool,
}

impl Server {
    /// A session that is new. It keeps so many prepared statements.
    pub fn new(established: Established, prepared: usize) -> Self {
        Self {
            parameters: established.parameters,
            unreported: Parameters::default(),
            key: established.key,
            prepared: Prepared::new(prepared),
            changed: false,
        }
    }

    /// The settings that it reports.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The same, for an [`Exchange`](crate::postgres::Exchange).
    pub fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    /// What a cancel request needs.
    pub fn key(&self) -> Option<&(u32, Bytes)> {
        self.key.as_ref()
    }

    /// Whether it has to be reset before somebody else gets it.
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// It was reset, by `DISCARD ALL`.
    pub fn was_reset(&mut self) {
        self.changed = false;
        self.prepared.clear();
        self.unreported.clear();
    }

    /// Prepared statements that it has.
    pub fn prepared(&self) -> usize {
        self.prepared.len()
    }
}
