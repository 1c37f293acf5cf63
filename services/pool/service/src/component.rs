//! The callbacks, as the rest of the service sees them.

use std::future::Future;

use crate::hooks::{Connection, Failure, Kinds, Reason, Step, Usage};

/// What was heard in the steps before, in their order.
pub type Heard = Vec<Vec<u8>>;

/// What the service calls. The component that is linked to it, or a test's own.
pub trait Component: 'static {
    /// `mainstay:socket-pool/hooks.wanted`.
    fn wanted(&self, pool: String) -> impl Future<Output = Kinds> + 'static;

    /// `mainstay:socket-pool/hooks.on-connect`.
    fn on_connect(&self, connection: Connection, heard: Heard)
    -> impl Future<Output = Result<Step, Failure>> + 'static;

    /// `mainstay:socket-pool/hooks.validate`.
    fn validate(&self, connection: Connection, heard: Heard) -> impl Future<Output = Result<Step, String>> + 'static;

    /// `mainstay:socket-pool/hooks.on-release`.
    fn on_release(
        &self,
        connection: Connection,
        usage: Usage,
        heard: Heard,
    ) -> impl Future<Output = Result<Step, String>> + 'static;

    /// `mainstay:socket-pool/hooks.on-evict`.
    fn on_evict(&self, connection: Connection, reason: Reason) -> impl Future<Output = Vec<u8>> + 'static;
}

/// The component that this one's imports are linked to.
#[cfg(target_family = "wasm")]
#[derive(Clone, Copy, Debug)]
pub struct Imported;

#[cfg(target_family = "wasm")]
impl Component for Imported {
    fn wanted(&self, pool: String) -> impl Future<Output = Kinds> + 'static {
        crate::hooks::wanted(pool)
    }

    fn on_connect(
        &self,
        connection: Connection,
        heard: Heard,
    ) -> impl Future<Output = Result<Step, Failure>> + 'static {
        crate::hooks::on_connect(connection, heard)
    }

    fn validate(&self, connection: Connection, heard: Heard) -> impl Future<Output = Result<Step, String>> + 'static {
        crate::hooks::validate(connection, heard)
    }

    fn on_release(
        &self,
        connection: Connection,
        usage: Usage,
        heard: Heard,
    ) -> impl Future<Output = Result<Step, String>> + 'static {
        crate::hooks::on_release(connection, usage, heard)
    }

    fn on_evict(&self, connection: Connection, reason: Reason) -> impl Future<Output = Vec<u8>> + 'static {
        crate::hooks::on_evict(connection, reason)
    }
}

/// No component: no hook is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Component for Nobody {
    fn wanted(&self, _pool: String) -> impl Future<Output = Kinds> + 'static {
        std::future::ready(Kinds::empty())
    }

    fn on_connect(
        &self,
        _connection: Connection,
        _heard: Heard,
    ) -> impl Future<Output = Result<Step, Failure>> + 'static {
        std::future::ready(Ok(Step::Done))
    }

    fn validate(&self, _connection: Connection, _heard: Heard) -> impl Future<Output = Result<Step, String>> + 'static {
        std::future::ready(Ok(Step::Done))
    }

    fn on_release(
        &self,
        _connection: Connection,
        _usage: Usage,
        _heard: Heard,
    ) -> impl Future<Output = Result<Step, String>> + 'static {
        std::future::ready(Ok(Step::Done))
    }

    fn on_evict(&self, _connection: Connection, _reason: Reason) -> impl Future<Output = Vec<u8>> + 'static {
        std::future::ready(Vec::new())
    }
}
