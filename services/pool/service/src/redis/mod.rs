//! Redis.
//!
//! - `connect`: a connection to a server: login, checks
//! - `link`: a connection that many clients share
//! - `client`: a client
//! - `own`: a client with a connection of its own

mod client;
mod connect;
mod link;
mod own;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use mainstay_pool_core::tokens::Tokens;

use crate::pool::Pool;
use link::Link;

pub(crate) use client::client;
pub(crate) use connect::Connector;

/// What the clients of a pool share.
pub(crate) struct Mode {
    pub(crate) pool: Rc<Pool<Connector>>,
    pub(crate) acquire_timeout: Duration,
    /// A shared connection whose server owes an answer and says nothing for so long is taken for dead.
    pub(crate) command_timeout: Duration,
    /// One on which nothing is said for so long is asked whether it lives.
    pub(crate) keepalive: Option<Duration>,
    /// Of which clients have to say one.
    pub(crate) tokens: Rc<Tokens>,
    /// The database that all have.
    pub(crate) database: u32,
    /// Connections that many share, by the version of RESP that is spoken on them; made when somebody needs one.
    links: [RefCell<Vec<Rc<Link>>>; 2],
    shared: usize,
    next: Cell<u64>,
}

impl Mode {
    pub(crate) fn new(
        pool: Rc<Pool<Connector>>,
        settings: &crate::config::Redis,
        acquire_timeout: Duration,
        keepalive: Option<Duration>,
        tokens: Tokens,
    ) -> Rc<Self> {
        Rc::new(Self {
            pool,
            acquire_timeout,
            command_timeout: settings.command_timeout,
            keepalive,
            tokens: Rc::new(tokens),
            database: settings.database,
            links: Default::default(),
            shared: settings.shared,
            next: Cell::new(1),
        })
    }

    /// A number of its own for a client.
    fn number(&self) -> u64 {
        self.next.replace(self.next.get() + 1)
    }

    /// The connection that this client shares with others.
    fn link(self: &Rc<Self>, client: u64, protocol: u8) -> Rc<Link> {
        let [second, third] = &self.links;
        let mut links = if protocol == 3 {
            third.borrow_mut()
        } else {
            second.borrow_mut()
        };
        while links.len() < self.shared {
            links.push(Link::start(self, protocol));
        }
        let index = usize::try_from(client).unwrap_or(0) % links.len().max(1);
        let found = links.get(index).cloned();
        found.unwrap_or_else(|| Link::start(self, protocol))
    }
}
