//! PostgreSQL.
//!
//! - `connect`: a session on a server: TLS, login, checks, resets
//! - `cancel`: which server a cancel request is for
//! - `welcome`: what is said with a client before its first query
//! - `serve`: a client and the servers that it gets

mod cancel;
mod connect;
mod serve;
mod welcome;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use mainstay_pool_core::postgres::{Pooling, Registry};
use mainstay_pool_core::tokens::Tokens;
use mainstay_runtime::net::Socket;

use crate::pool::Pool;
use crate::pump::End;
use cancel::Cancels;

pub(crate) use connect::{Connector, Session};

/// What the clients of a pool share.
pub(crate) struct Mode {
    pub(crate) pool: Rc<Pool<Connector>>,
    pub(crate) pooling: Pooling,
    pub(crate) acquire_timeout: Duration,
    /// Of which clients have to say one.
    pub(crate) tokens: Tokens,
    /// Databases that a client may name: the pool leads to one.
    pub(crate) database: String,
    registry: Rc<RefCell<Registry>>,
    cancels: Cancels,
}

impl Mode {
    pub(crate) fn new(
        pool: Rc<Pool<Connector>>,
        settings: &crate::config::Postgres,
        acquire_timeout: Duration,
        tokens: Tokens,
    ) -> Rc<Self> {
        Rc::new(Self {
            pool,
            pooling: settings.pooling,
            acquire_timeout,
            tokens,
            database: settings.database.clone(),
            registry: Rc::default(),
            cancels: Cancels::default(),
        })
    }
}

/// A client, until it goes.
pub(crate) async fn client(mode: Rc<Mode>, mut stream: Socket) {
    let mut end = End::default();
    let welcomed = welcome::welcome(&mode, &mut stream, &mut end).await;
    match welcomed {
        Ok(Some(welcomed)) => {
            if let Err(error) = serve::serve(&mode, &mut stream, &mut end, welcomed).await {
                tracing::debug!(pool = mode.pool.name(), "client: {error}");
            }
        }
        // It wanted a query cancelled, or changed its mind.
        Ok(None) => {}
        Err(error) => tracing::debug!(pool = mode.pool.name(), "client: {error}"),
    }
}
