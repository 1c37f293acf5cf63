//! Events to the component that wants them: in order, in batches, one call at a time.

use std::rc::Rc;
use std::time::Duration;

use mainstay_runtime::callback::Callbacks;
use mainstay_runtime::metrics::Registry;
use mainstay_runtime::queue::{Limits, Queue, WhenFull};

use crate::component::Component;
use crate::events::{Event, Kinds};

/// The most events in one call.
const BATCH: usize = 256;

/// How long one call may take before its events are given up.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What an event takes at most, roughly: names, a reason.
const EVENT_BYTES: usize = 1024;

/// Events on their way.
pub(super) struct Deliver {
    wanted: Kinds,
    queue: Queue<Event>,
}

impl Deliver {
    /// Sends events of the kinds that are `wanted` from now on; with none, nothing is set up.
    pub(super) fn start<C: Component>(component: Rc<C>, wanted: Kinds, metrics: &Registry) -> Option<Self> {
        if wanted.is_empty() {
            return None;
        }
        let limits = Limits {
            name: "otel-events",
            items: 10_000,
            bytes: 10_000 * EVENT_BYTES,
            when_full: WhenFull::DropOldest,
        };
        let queue = Queue::new(limits, metrics);
        tokio::task::spawn_local(send(component, queue.clone()));
        Some(Self { wanted, queue })
    }

    /// Puts an event in line if its kind is wanted.
    pub(super) fn tell(&self, kind: Kinds, event: impl FnOnce() -> Event) {
        if self.wanted.contains(kind) {
            // A full queue drops its oldest and counts them.
            let _ = self.queue.try_push(event(), EVENT_BYTES);
        }
    }
}

async fn send<C: Component>(component: Rc<C>, queue: Queue<Event>) {
    let callbacks = Callbacks::new(1);
    while let Some(first) = queue.pop().await {
        let mut batch = vec![first];
        batch.extend(std::iter::from_fn(|| queue.try_pop()).take(BATCH - 1));
        let count = batch.len();
        if let Err(error) = callbacks.call(TIMEOUT, component.deliver(batch)).await {
            tracing::warn!(count, "events are lost: {error}");
        }
    }
}
