//! The clock that interrupts guests, which stands still while no guest runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::Engine;

/// How long guest code may run before it yields to the other guests of its workload.
pub const TIME_SLICE: Duration = Duration::from_millis(10);

/// Advances an engine's epoch once per time slice while a workload's thread is awake. Dropping it ends its thread.
#[derive(Debug)]
pub(super) struct Ticker {
    clock: Arc<Clock>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct Clock {
    /// Threads that are awake.
    awake: AtomicUsize,
    /// Whether the clock's thread waits to be woken.
    stands_still: AtomicBool,
    stopped: AtomicBool,
}

impl Ticker {
    pub(super) fn start(engine: &Engine) -> std::io::Result<Self> {
        let clock = Arc::new(Clock::default());
        let (engine, ticking) = (engine.weak(), Arc::clone(&clock));
        let thread = thread::Builder::new().name("epoch".to_owned()).spawn(move || {
            while ticking.wait() {
                thread::sleep(TIME_SLICE);
                if let Some(engine) = engine.upgrade() {
                    engine.increment_epoch();
                }
            }
        })?;
        Ok(Self {
            clock,
            thread: thread.thread().clone(),
        })
    }

    /// A thread that runs guests wakes up.
    pub(super) fn wake(&self) {
        self.clock.awake.fetch_add(1, Ordering::SeqCst);
        // Seldom: at most once per time slice, however often threads go to sleep and wake up.
        if self.clock.stands_still.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
    }

    /// It goes to sleep.
    pub(super) fn sleep(&self) {
        self.clock.awake.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Clock {
    /// Waits until somebody is awake; not if nobody ever will be.
    fn wait(&self) -> bool {
        self.stands_still.store(true, Ordering::SeqCst);
        while self.awake.load(Ordering::SeqCst) == 0 && !self.stopped.load(Ordering::SeqCst) {
            thread::park();
        }
        self.stands_still.store(false, Ordering::SeqCst);
        !self.stopped.load(Ordering::SeqCst)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.clock.stopped.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_on_while_somebody_is_awake() {
        let clock = Clock::default();
        clock.awake.store(1, Ordering::SeqCst);
        assert!(clock.wait());
        clock.stopped.store(true, Ordering::SeqCst);
        assert!(!clock.wait());
    }

    #[test]
    fn a_clock_that_stands_still_is_woken_and_stopped() {
        let ticker = Ticker::start(&Engine::default()).unwrap();
        let is_still = |still: bool| {
            let deadline = std::time::Instant::now() + Duration::from_secs(30);
            while ticker.clock.stands_still.load(Ordering::SeqCst) != still {
                assert!(
                    std::time::Instant::now() < deadline,
                    "it does not {}",
                    if still { "stop" } else { "start" }
                );
                thread::yield_now();
            }
        };
        is_still(true);
        ticker.wake();
        is_still(false);
        ticker.sleep();
        is_still(true);
    }
}
