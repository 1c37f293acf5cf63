//! A timer of the component model.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::task::AtomicWaker;
use wasip3::clocks::monotonic_clock::wait_for;

/// A timer that can be asked often: only when it has rung does asking it call the host.
pub(super) struct Timer {
    sleep: Option<Pin<Box<dyn Future<Output = ()>>>>,
    bell: Arc<Bell>,
}

#[derive(Default)]
struct Bell {
    rang: AtomicBool,
    waiter: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rang.store(true, Relaxed);
        self.waiter.wake();
    }
}

impl Timer {
    pub(super) fn new() -> Self {
        Self {
            sleep: None,
            bell: Arc::default(),
        }
    }

    /// Sets it to ring once, after `duration`. An earlier setting is forgotten.
    pub(super) fn set(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let mut sleep: Pin<Box<dyn Future<Output = ()>>> = Box::pin(wait_for(nanoseconds));
        self.bell.rang.store(false, Relaxed);
        // The first poll starts it.
        let started = sleep
            .as_mut()
            .poll(&mut Context::from_waker(&Waker::from(Arc::clone(&self.bell))));
        if started.is_ready() {
            self.bell.rang.store(true, Relaxed);
            self.bell.waiter.wake();
            self.sleep = None;
        } else {
            self.sleep = Some(sleep);
        }
    }

    /// Whether it is set and has not rung.
    pub(super) fn is_set(&self) -> bool {
        self.sleep.is_some()
    }

    /// Whether it rang since it was last asked; if not, the context is woken when it does.
    pub(super) fn rang(&mut self, context: &mut Context<'_>) -> bool {
        self.bell.waiter.register(context.waker());
        if !self.bell.rang.swap(false, Relaxed) {
            return false;
        }
        let Some(sleep) = &mut self.sleep else { return true };
        let polled = sleep
            .as_mut()
            .poll(&mut Context::from_waker(&Waker::from(Arc::clone(&self.bell))));
        if polled == Poll::Pending {
            return false;
        }
        self.sleep = None;
        true
    }
}
