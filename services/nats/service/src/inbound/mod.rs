//! Messages to the component.
//!
//! - `handler`: one call of the component, and its outcome
//! - `core`: subscriptions of core NATS
//! - `jetstream`: subscriptions by durable pull consumers; `bind` finds or makes the consumer, `delivery` is one message's
//!   way from its arrival to its acknowledgement

mod bind;
mod core;
mod delivery;
mod handler;
mod jetstream;

use std::rc::Rc;

use mainstay_nats_link::Bridge;

use crate::aside::Asides;
use crate::component::Component;
use crate::config::{Connection, Source, Subscription};
use crate::report::Report;
pub(crate) use handler::Handler;

/// Lets the messages of a subscription come to the component from now on.
pub(crate) fn start<C: Component>(
    subscription: Subscription,
    connection: &Connection,
    bridge: &Rc<Bridge>,
    asides: &Asides,
    report: &Rc<Report>,
    handler: &Rc<Handler<C>>,
) {
    let handler = handler.for_subscription(&subscription, report);
    match subscription.source.clone() {
        Source::Core { subjects, queue } => {
            core::start(
                subscription,
                &subjects,
                queue.as_deref(),
                bridge,
                asides,
                report,
                handler,
            );
        }
        Source::JetStream(consumer) => {
            jetstream::start(subscription, *consumer, connection.api.clone(), bridge, report, handler);
        }
    }
}
