//! How tokio and the component model take turns.
//!
//! A service has two sources of events. Sockets and timers belong to tokio, whose driver blocks in WASI 0.2's `poll`.
//! Calls into components belong to the component model, whose completions reach this component only while its export
//! *waits*, which is to say while no code of ours runs. Neither can wait for the other's events, so the loop chooses:
//!
//! - no call in flight: block in tokio until I/O or a timer, or until a task starts a call;
//! - calls in flight: wait in the component model, and turn tokio's driver at a [`PACE`] without blocking.
//!
//! Local tasks run in both states, and on one thread. A task polls the future of a call itself: a completion wakes that
//! task and no other, which is why none can get lost between the two worlds, and why a busy service needs a turn of
//! the driver only for its sockets and timers, never for a callback. Dropping the future cancels the call. Tasks that a
//! library spawns on the runtime itself (`tokio::spawn`) run in the driver's turns; they cannot make calls.
//!
//! Nothing outside this module knows of it. When tokio stands on WASI 0.3 it goes away.

use std::future::Future;
use std::time::Duration;

#[cfg_attr(target_family = "wasm", path = "component.rs")]
#[cfg_attr(not(target_family = "wasm"), path = "native.rs")]
mod drive;
mod in_flight;
#[cfg(target_family = "wasm")]
mod timer;

pub(crate) use drive::drive;
pub use in_flight::in_flight;

/// How long sockets and timers wait for their turn while calls into components are in flight and tasks run. Hosts round
/// it up to their timer's resolution, which is a millisecond in Wasmtime.
pub const PACE: Duration = Duration::from_micros(500);

/// How long they wait at most: each turn at which nothing else had happened doubles the pace up to this. It is what a
/// service costs that waits for a long callback.
pub const SLOWEST_PACE: Duration = Duration::from_millis(5);

/// How long turns follow one another without a pause after one that brought I/O, while calls are in flight: peers on
/// the loopback answer sooner than a timer does.
pub const EAGER: Duration = Duration::from_micros(100);

/// The slowest pace of a loop that may not block, with no call in flight, for as long as something has happened of late.
pub const IDLE_PACE: Duration = Duration::from_millis(20);

/// And the slowest after a long silence: what an idle service of that kind costs. In between the pace is
/// [a part](SILENCE) of the silence, so that whoever has been silent for long waits longer for the first answer.
pub const RESTING_PACE: Duration = Duration::from_secs(1);

/// Which part of the silence that is.
pub const SILENCE: u32 = 32;

/// Where the loop waits while no call is in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Waiting {
    /// Block in tokio: sockets answer at once, and an idle service costs nothing.
    #[default]
    Tokio,
    /// Wait in the component model and turn tokio at a pace down to [`RESTING_PACE`]. For a component that exports another function
    /// beside `run`, such as `wasi:http/handler`: the host cannot enter a component that blocks.
    ComponentModel,
}

/// Waits for a call of an `async func` import.
///
/// Only a local task may make one. While such a call is awaited the loop waits in the component model. Every WASI 0.3 future that a task awaits must be
/// awaited in this way, or it stands still until the next I/O event; [`Callbacks`](crate::callback::Callbacks) does
/// so for callbacks.
pub async fn component_model<T>(call: impl Future<Output = T>) -> T {
    // Declared before the call is awaited, so dropped after it: cancelling a call is still part of it.
    let _in_flight = in_flight::InFlight::enter();
    call.await
}
