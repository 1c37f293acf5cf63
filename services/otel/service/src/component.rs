//! The callbacks, as the rest of the service sees them.

use std::future::Future;

use crate::{events, processor};

/// What the service calls. The component that is linked to it, or a test's own.
pub trait Component: 'static {
    /// `mainstay:otel/processor.wanted`.
    fn processor_wanted(&self) -> impl Future<Output = processor::Signals> + 'static;

    /// `mainstay:otel/processor.process`.
    fn process(
        &self,
        signal: processor::Signal,
        request: Vec<u8>,
    ) -> impl Future<Output = Result<processor::Verdict, String>> + 'static;

    /// `mainstay:otel/events.wanted`.
    fn events_wanted(&self) -> impl Future<Output = events::Kinds> + 'static;

    /// `mainstay:otel/events.deliver`.
    fn deliver(&self, events: Vec<events::Event>) -> impl Future<Output = ()> + 'static;
}

/// The component that this one's imports are linked to.
#[cfg(target_family = "wasm")]
#[derive(Clone, Copy, Debug)]
pub struct Imported;

#[cfg(target_family = "wasm")]
impl Component for Imported {
    fn processor_wanted(&self) -> impl Future<Output = processor::Signals> + 'static {
        processor::wanted()
    }

    fn process(
        &self,
        signal: processor::Signal,
        request: Vec<u8>,
    ) -> impl Future<Output = Result<processor::Verdict, String>> + 'static {
        processor::process(signal, request)
    }

    fn events_wanted(&self) -> impl Future<Output = events::Kinds> + 'static {
        events::wanted()
    }

    fn deliver(&self, events: Vec<events::Event>) -> impl Future<Output = ()> + 'static {
        events::deliver(events)
    }
}

/// No component: no processor, no wish for events.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Component for Nobody {
    fn processor_wanted(&self) -> impl Future<Output = processor::Signals> + 'static {
        std::future::ready(processor::Signals::empty())
    }

    fn process(
        &self,
        _signal: processor::Signal,
        _request: Vec<u8>,
    ) -> impl Future<Output = Result<processor::Verdict, String>> + 'static {
        std::future::ready(Ok(processor::Verdict::Keep))
    }

    fn events_wanted(&self) -> impl Future<Output = events::Kinds> + 'static {
        std::future::ready(events::Kinds::empty())
    }

    fn deliver(&self, _events: Vec<events::Event>) -> impl Future<Output = ()> + 'static {
        std::future::ready(())
    }
}
