//! The callbacks, as the rest of the service sees them.

use std::future::Future;

use crate::{events, filter, handler, watcher};

/// What the service calls. The component that is linked to it, or a test's own.
pub trait Component: 'static {
    /// `mainstay:nats/handler.handle`.
    fn handle(
        &self,
        message: handler::Message,
    ) -> impl Future<Output = Result<Option<handler::Reply>, handler::Disposition>> + 'static;

    /// `mainstay:nats/filter.enabled`.
    fn filter_enabled(&self) -> impl Future<Output = bool> + 'static;

    /// `mainstay:nats/filter.check`.
    fn check(&self, candidate: filter::Candidate) -> impl Future<Output = filter::Verdict> + 'static;

    /// `mainstay:nats/events.wanted`.
    fn events_wanted(&self) -> impl Future<Output = events::Kinds> + 'static;

    /// `mainstay:nats/events.deliver`.
    fn deliver(&self, events: Vec<events::Event>) -> impl Future<Output = ()> + 'static;

    /// `mainstay:nats/watcher.changed`.
    fn changed(&self, change: watcher::Change) -> impl Future<Output = ()> + 'static;
}

/// The component that this one's imports are linked to.
#[cfg(target_family = "wasm")]
#[derive(Clone, Copy, Debug)]
pub struct Imported;

#[cfg(target_family = "wasm")]
impl Component for Imported {
    fn handle(
        &self,
        message: handler::Message,
    ) -> impl Future<Output = Result<Option<handler::Reply>, handler::Disposition>> + 'static {
        handler::handle(message)
    }

    fn filter_enabled(&self) -> impl Future<Output = bool> + 'static {
        filter::enabled()
    }

    fn check(&self, candidate: filter::Candidate) -> impl Future<Output = filter::Verdict> + 'static {
        filter::check(candidate)
    }

    fn events_wanted(&self) -> impl Future<Output = events::Kinds> + 'static {
        events::wanted()
    }

    fn deliver(&self, events: Vec<events::Event>) -> impl Future<Output = ()> + 'static {
        events::deliver(events)
    }

    fn changed(&self, change: watcher::Change) -> impl Future<Output = ()> + 'static {
        watcher::changed(change)
    }
}
