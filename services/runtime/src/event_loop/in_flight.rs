//! How many calls into components are in flight.

use std::cell::Cell;

thread_local! {
    static IN_FLIGHT: Cell<usize> = const { Cell::new(0) };
}

/// Calls into components that have begun and not ended, on this thread.
pub fn in_flight() -> usize {
    IN_FLIGHT.get()
}

/// One call in flight, for as long as this lives.
pub(super) struct InFlight(());

impl InFlight {
    pub(super) fn enter() -> Self {
        IN_FLIGHT.set(IN_FLIGHT.get() + 1);
        Self(())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        IN_FLIGHT.set(IN_FLIGHT.get().saturating_sub(1));
    }
}
