//! The callbacks, as the rest of the service sees them.

use std::future::Future;

use mainstay_cron_core::Moment;

use crate::{events, gate, job, schedule};

/// What the service calls. The component that is linked to it, or a test's own.
pub trait Component: 'static {
    /// `mainstay:cron/job.run`.
    fn run(&self, tick: job::Tick) -> impl Future<Output = Result<(), job::JobError>> + 'static;

    /// `mainstay:cron/schedule.jobs`.
    fn jobs(&self) -> impl Future<Output = Result<Vec<schedule::Definition>, String>> + 'static;

    /// `mainstay:cron/gate.enabled`.
    fn gate_enabled(&self) -> impl Future<Output = bool> + 'static;

    /// `mainstay:cron/gate.check`.
    fn check(&self, candidate: gate::Candidate) -> impl Future<Output = Result<(), String>> + 'static;

    /// `mainstay:cron/events.wanted`.
    fn events_wanted(&self) -> impl Future<Output = events::Kinds> + 'static;

    /// `mainstay:cron/events.deliver`.
    fn deliver(&self, events: Vec<events::Event>) -> impl Future<Output = ()> + 'static;
}

/// The component that this one's imports are linked to.
#[cfg(target_family = "wasm")]
#[derive(Clone, Copy, Debug)]
pub struct Imported;

#[cfg(target_family = "wasm")]
impl Component for Imported {
    fn run(&self, tick: job::Tick) -> impl Future<Output = Result<(), job::JobError>> + 'static {
        job::run(tick)
    }

    fn jobs(&self) -> impl Future<Output = Result<Vec<schedule::Definition>, String>> + 'static {
        schedule::jobs()
    }

    fn gate_enabled(&self) -> impl Future<Output = bool> + 'static {
        gate::enabled()
    }

    fn check(&self, candidate: gate::Candidate) -> impl Future<Output = Result<(), String>> + 'static {
        gate::check(candidate)
    }

    fn events_wanted(&self) -> impl Future<Output = events::Kinds> + 'static {
        events::wanted()
    }

    fn deliver(&self, events: Vec<events::Event>) -> impl Future<Output = ()> + 'static {
        events::deliver(events)
    }
}

/// The three interfaces have an `instant` each, because each stands alone.
macro_rules! instant {
    ($name:ident, $interface:ident) => {
        pub(crate) fn $name(moment: Moment) -> $interface::Instant {
            let (seconds, nanoseconds) = moment.as_parts();
            $interface::Instant { seconds, nanoseconds }
        }
    };
}

instant!(job_instant, job);
instant!(gate_instant, gate);
instant!(event_instant, events);
