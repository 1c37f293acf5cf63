//! Calls of the component's processor.

use std::rc::Rc;

use bytes::Bytes;
use mainstay_otel_core::Signal;
use mainstay_otel_core::wire::check;
use mainstay_runtime::callback::Callbacks;

use crate::component::Component;
use crate::config;
use crate::processor::{self, Signals, Verdict};

/// The component's processor, if it wants to see any signal.
pub(crate) struct Processor<C> {
    component: Rc<C>,
    wanted: Signals,
    callbacks: Callbacks,
    settings: config::Processor,
}

/// What became of a request.
pub(crate) enum Outcome {
    Keep,
    Replace(Bytes, usize),
    Drop,
    Failed(String),
}

impl<C: Component> Processor<C> {
    pub(crate) fn new(component: Rc<C>, wanted: Signals, settings: config::Processor) -> Option<Self> {
        let callbacks = Callbacks::new(settings.in_flight);
        (!wanted.is_empty()).then_some(Self {
            component,
            wanted,
            callbacks,
            settings,
        })
    }

    /// Calls the processor, if it wants this signal.
    pub(crate) async fn process(&self, signal: Signal, body: &Bytes) -> Outcome {
        let (kind, name) = match signal {
            Signal::Traces => (Signals::TRACES, processor::Signal::Traces),
            Signal::Metrics => (Signals::METRICS, processor::Signal::Metrics),
            Signal::Logs => (Signals::LOGS, processor::Signal::Logs),
        };
        if !self.wanted.contains(kind) {
            return Outcome::Keep;
        }
        let call = self.component.process(name, body.to_vec());
        match self.callbacks.call(self.settings.timeout, call).await {
            Ok(Ok(Verdict::Keep)) => Outcome::Keep,
            Ok(Ok(Verdict::Drop)) => Outcome::Drop,
            Ok(Ok(Verdict::Replace(body))) => match check(signal.request(), &body) {
                Ok(0) => Outcome::Drop,
                Ok(items) => Outcome::Replace(body.into(), items),
                Err(error) => Outcome::Failed(format!("it returns what is no request: {error}")),
            },
            Ok(Err(reason)) => Outcome::Failed(reason),
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }
}
