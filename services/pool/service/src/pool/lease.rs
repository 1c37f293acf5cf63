//! A connection that somebody has.

use std::rc::Rc;

use mainstay_pool_core::pool::{ConnectionId, Release};

use super::{Connector, Pool};

/// A connection that somebody has. Dropped, it is closed: only who says so gives it back clean.
pub(crate) struct Lease<C: Connector> {
    /// The connection itself.
    pub(crate) connection: C::Connection,
    ticket: Ticket<C>,
}

/// That somebody has it, as the pool knows it.
struct Ticket<C: Connector> {
    pool: Rc<Pool<C>>,
    id: ConnectionId,
    returned: bool,
}

impl<C: Connector> Lease<C> {
    pub(super) fn new(pool: Rc<Pool<C>>, id: ConnectionId, connection: C::Connection) -> Self {
        let ticket = Ticket {
            pool,
            id,
            returned: false,
        };
        Self { connection, ticket }
    }

    /// Gives it back for the next one.
    pub(crate) fn give_back(self) {
        let Self { connection, mut ticket } = self;
        ticket.pool.idle.borrow_mut().insert(ticket.id, connection);
        ticket.back(Release::Clean);
    }

    /// The upstream has closed it, or broke its protocol.
    pub(crate) fn lost(mut self) {
        self.ticket.back(Release::Lost);
    }

    /// Whether it had better be given back soon.
    pub(crate) fn should_return(&self) -> bool {
        self.ticket.pool.should_return(self.ticket.id)
    }
}

impl<C: Connector> Ticket<C> {
    fn back(&mut self, how: Release) {
        self.returned = true;
        self.pool.release(self.id, how);
    }
}

impl<C: Connector> Drop for Ticket<C> {
    fn drop(&mut self) {
        if !self.returned {
            self.back(Release::Unclean);
        }
    }
}
