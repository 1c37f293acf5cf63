//! What a service needs to be one of several replicas of which one runs the jobs.
//!
//! A service alone has none of it ([`Alone`]). Who elects implements it: `mainstay-cron-elected`, with a lease in NATS.

use std::convert::Infallible;
use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use mainstay_cron_core::engine::Batch;
use mainstay_cron_core::journal::Loaded;

/// A replica that wants to lead.
pub trait Election: 'static {
    /// The time during which it does.
    type Term: Term;

    /// Waits until this replica leads.
    fn win(&self) -> impl Future<Output = Self::Term>;

    /// The state is taken over: from now on this replica runs the jobs.
    fn began(&self, term: &Self::Term);

    /// This replica leads no more, for this reason.
    fn lost(&self, reason: &<Self::Term as Term>::Lost);

    /// Who leads, if it is another replica that is known to.
    fn leader(&self) -> Option<String>;
}

/// The time during which a replica leads, and the state that all of them share.
pub trait Term {
    /// Why it is over.
    type Lost: Display;

    /// The state that the leader before has left, nothing if there was none.
    fn load(&self) -> impl Future<Output = Result<Option<Loaded>, Self::Lost>>;

    /// Writes the whole state anew, in place of what [`Term::load`] gave.
    fn begin(&mut self, snapshot: Vec<u8>) -> impl Future<Output = Result<(), Self::Lost>>;

    /// Writes a batch, empty or not, and thereby stays the leader. What the batch tells of may be done when this returns
    /// well, and must not be done otherwise. `snapshot` is called when the whole state has to be written instead.
    fn keep(
        &mut self,
        batch: &Batch,
        snapshot: impl FnOnce() -> Vec<u8>,
    ) -> impl Future<Output = Result<(), Self::Lost>>;

    /// How long until [`Term::keep`] has to be called, if only to stay the leader.
    fn due_in(&self) -> Duration;

    /// Whether this replica may still think that it leads.
    ///
    /// # Errors
    /// Another one may lead by now.
    fn check(&self) -> Result<(), Self::Lost>;
}

/// There is no election: the service is alone. There is no value of this type.
#[derive(Clone, Copy, Debug)]
pub enum Alone {}

impl Election for Alone {
    type Term = Self;

    async fn win(&self) -> Self {
        match *self {}
    }

    fn began(&self, _: &Self) {
        match *self {}
    }

    fn lost(&self, _: &Infallible) {
        match *self {}
    }

    fn leader(&self) -> Option<String> {
        match *self {}
    }
}

impl Term for Alone {
    type Lost = Infallible;

    async fn load(&self) -> Result<Option<Loaded>, Infallible> {
        match *self {}
    }

    async fn begin(&mut self, _: Vec<u8>) -> Result<(), Infallible> {
        match *self {}
    }

    async fn keep(&mut self, _: &Batch, _: impl FnOnce() -> Vec<u8>) -> Result<(), Infallible> {
        match *self {}
    }

    fn due_in(&self) -> Duration {
        match *self {}
    }

    fn check(&self) -> Result<(), Infallible> {
        match *self {}
    }
}
