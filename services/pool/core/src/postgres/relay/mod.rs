//! The messages between a client and the server that it has for now.
//!
//! - `server`: what is known of a server's session
//! - `expect`: what the server owes, in order
//! - `from_client`, `from_server`: the two directions
//!
//! Messages go on as they came where they can, many at once and long ones in pieces. What is rewritten are the names of
//! prepared statements under transaction pooling.

mod expect;
mod from_client;
mod from_server;
mod server;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use super::statements::{Registry, Statement};
use super::{Fault, Parameters};
use expect::{Expect, Owed};

pub use from_client::{Heard, Wanted};
pub use server::Server;

/// How long a client keeps a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// For a transaction.
    #[default]
    Transaction,
    /// Until it goes.
    Session,
}

/// Prepared statements of one client.
const MAX_STATEMENTS: usize = 10_000;

/// A client's side of the conversation, whichever server it has.
#[derive(Debug)]
pub struct Relay {
    pooling: Pooling,
    registry: Rc<RefCell<Registry>>,
    statements: HashMap<Bytes, Rc<Statement>>,
    unnamed: Option<Rc<Statement>>,
    /// Whether the server's unnamed statement is this client's.
    unnamed_here: bool,
    /// The settings that the client believes to have.
    settings: Parameters,
    owed: Owed,
    /// The server's last word was that no transaction is open, and nothing was said to it since.
    idle: bool,
    /// A COPY from the client goes on.
    copying: bool,
    /// After an error the server takes notice of nothing before Sync.
    skipping: bool,
    /// A statement may have dropped prepared ones.
    deallocating: bool,
    /// The settings are known to be such that a server takes them.
    accepted: bool,
    /// The server may have lost settings that it does not report.
    reset_here: bool,
    /// The error that a query of the relay's own failed with, as it came.
    own_error: Option<Bytes>,
    /// The same when the server is at rest again: the client has to go.
    refused: Option<Bytes>,
    /// Bytes of a long message that go on as they come.
    passing_to_server: usize,
    passing_to_client: usize,
}

impl Relay {
    /// A client with these settings.
    pub fn new(pooling: Pooling, registry: Rc<RefCell<Registry>>, settings: Parameters) -> Self {
        Self {
            pooling,
            registry,
            statements: HashMap::new(),
            unnamed: None,
            unnamed_here: false,
            settings,
            owed: Owed::default(),
            idle: true,
            copying: false,
            skipping: false,
            deallocating: false,
            accepted: false,
            reset_here: false,
            own_error: None,
            refused: None,
            passing_to_server: 0,
            passing_to_client: 0,
        }
    }

    /// The client gets a server. What has to be said to it first is put into `to_server`.
    pub fn begin(&mut self, server: &mut Server, to_server: &mut BytesMut) {
        self.unnamed_here = false;
        self.idle = true;
        self.bring_settings(server, to_server);
    }

    /// Gives the server the client's settings, if it has others.
    fn bring_settings(&mut self, server: &Server, to_server: &mut BytesMut) {
        self.reset_here = false;
        match self.settings.difference(&server.parameters, &server.unreported) {
            Some(query) => {
                super::query(to_server, &query);
                self.expect(Expect::Own);
            }
            None => self.accepted = true,
        }
    }

    /// Whether nothing is taken off the client's input before the server has taken its settings.
    pub fn holds_back(&self) -> bool {
        !self.accepted
    }

    /// The error, as the server said it, by which it does not take the client's settings. The server is none the worse.
    pub fn refused(&mut self) -> Option<Bytes> {
        self.refused.take()
    }

    /// Whether the server may go to somebody else: nothing is owed, and no transaction is open.
    pub fn is_at_rest(&self) -> bool {
        self.idle && self.owed.is_empty() && self.passing_to_server == 0
    }

    /// Whether the server owes an answer.
    pub fn is_owed(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Whether the client has got a part of a message, and nothing else can be said to it before the rest.
    pub fn is_within_message(&self) -> bool {
        self.passing_to_client > 0
    }

    /// The server is gone. What it owed nobody will say.
    pub fn end(&mut self) {
        self.owed.clear();
        self.idle = true;
        self.copying = false;
        self.skipping = false;
        self.reset_here = false;
        self.own_error = None;
        self.passing_to_client = 0;
    }

    fn expect(&mut self, expect: Expect) {
        self.idle = false;
        self.owed.push(expect);
    }

    fn keep(&mut self, name: &[u8], statement: Rc<Statement>) -> Result<(), Fault> {
        if self.statements.len() >= MAX_STATEMENTS && !self.statements.contains_key(name) {
            return Err(Fault::Statements(MAX_STATEMENTS));
        }
        self.statements.insert(Bytes::copy_from_slice(name), statement);
        Ok(())
    }
}
