//! The loop of a component.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime, RuntimeMetrics};
use tokio::task::LocalSet;

use super::timer::Timer;
use super::{EAGER, IDLE_PACE, PACE, RESTING_PACE, SILENCE, SLOWEST_PACE, Waiting, in_flight};
use crate::metrics::{Counter, Registry};

/// With no timer at all tokio would poll an empty list and return at once, for ever. This one is always there.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// Runs `main`, and the local tasks it spawns, until it ends. Must be polled by the task of an export, since that is
/// what the component model delivers events to.
pub(crate) async fn drive<T: 'static>(
    waiting: Waiting,
    metrics: &Registry,
    main: impl Future<Output = T> + 'static,
) -> io::Result<T> {
    let wakeups = metrics.counter(
        "mainstay_loop_wakeups_total",
        "Times the loop woke up from blocking.",
        &[],
    );
    let turns = metrics.counter(
        "mainstay_loop_turns_total",
        "Turns of the I/O driver between callbacks.",
        &[],
    );
    let runtime = Builder::new_current_thread()
        .enable_all()
        .on_thread_unpark(move || wakeups.add(1))
        .build()?;
    let entered = runtime.enter();
    let outcome = Rc::new(RefCell::new(None));
    let began = Instant::now();
    let mut event_loop = EventLoop {
        runtime: &runtime,
        metrics: runtime.metrics(),
        tasks: LocalSet::new(),
        timer: Timer::new(),
        pace: PACE,
        last_turn: began,
        eager_until: began,
        silent_since: began,
        waiting,
        turns,
    };
    event_loop.tasks.spawn_local({
        let outcome = Rc::clone(&outcome);
        async move {
            let value = main.await;
            *outcome.borrow_mut() = Some(value);
        }
    });
    event_loop.tasks.spawn_local(async {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
        }
    });
    let value = loop {
        if let Some(value) = outcome.take() {
            break value;
        }
        let finished = || outcome.borrow().is_some();
        if event_loop.may_block() {
            event_loop.block_in_tokio(finished);
        } else {
            event_loop.wait_in_component_model(finished).await;
        }
    };
    // Tasks still running are dropped here, which cancels their calls while this export can still do so.
    drop(event_loop);
    drop(entered);
    runtime.shutdown_background();
    Ok(value)
}

struct EventLoop<'a> {
    runtime: &'a Runtime,
    metrics: RuntimeMetrics,
    /// The local tasks: all of ours. Libraries may spawn others on the runtime itself.
    tasks: LocalSet,
    /// Ends the wait in the component model when it is time for a turn. Kept between waits: cancelling costs a call.
    timer: Timer,
    /// How long the timer was set to.
    pace: Duration,
    last_turn: Instant,
    /// Until then turns follow one another, since I/O is likely.
    eager_until: Instant,
    /// When something happened last that was neither a turn without I/O nor a timer of tokio's.
    silent_since: Instant,
    waiting: Waiting,
    turns: Counter,
}

impl EventLoop<'_> {
    fn may_block(&self) -> bool {
        self.waiting == Waiting::Tokio && in_flight() == 0
    }

    /// Runs tasks, blocking for I/O and timers, until a call is in flight or the service has `finished`.
    fn block_in_tokio(&mut self, finished: impl Fn() -> bool) {
        let runtime = self.runtime;
        let mut leaving = false;
        runtime.block_on(poll_fn(|context| {
            if leaving {
                return Poll::Ready(());
            }
            self.run_ready_tasks(context);
            leaving = in_flight() > 0 || finished();
            if leaving {
                // Not at once: tokio wakes tasks that yielded only when it has polled its driver, and forgets them if
                // it never gets there.
                context.waker().wake_by_ref();
            }
            Poll::Pending
        }));
        // What the driver woke last on the runtime itself runs in the next turn.
        self.eager_until = Instant::now() + EAGER;
    }

    /// Runs tasks, waiting for completions, until the loop may block again or the service has `finished`.
    async fn wait_in_component_model(&mut self, finished: impl Fn() -> bool) {
        poll_fn(|context| {
            self.run_ready_tasks(context);
            if !self.may_block() && !finished() && self.turn_is_due(context) {
                self.turn_tokio();
                self.run_ready_tasks(context);
            }
            if self.may_block() || finished() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Runs the tasks that have been woken. More of them than fit in one go wake the context again.
    fn run_ready_tasks(&mut self, context: &mut Context<'_>) {
        // Ready means that no task is left, which the heartbeat rules out.
        let _ = Pin::new(&mut self.tasks).poll(context);
    }

    /// Whether it is time for a turn; if not, the context is woken when it is.
    fn turn_is_due(&mut self, context: &mut Context<'_>) -> bool {
        let now = Instant::now();
        if now < self.eager_until {
            context.waker().wake_by_ref();
            return true;
        }
        // Asked first and on every way out, so that no turn leaves the loop without something to wake it.
        // Tasks that ran may have written to a socket whose answer is near; a timer that rang says that none did.
        let timer_rang = self.timer.rang(context);
        if !timer_rang {
            self.silent_since = now;
        }
        let slowest = if in_flight() > 0 {
            SLOWEST_PACE
        } else {
            ((now - self.silent_since) / SILENCE).clamp(IDLE_PACE, RESTING_PACE)
        };
        let pace = if timer_rang { (self.pace * 2).min(slowest) } else { PACE };
        if !self.timer.is_set() || pace < self.pace {
            self.timer.set(pace);
        }
        self.pace = pace;
        // The clock counts too: among many completions the timer's own may be late. So do tasks that a library spawned on
        // the runtime itself and that a local task has woken: they run in turns only.
        timer_rang || now - self.last_turn >= PACE || self.metrics.global_queue_depth() > 0
    }

    /// Lets tokio's driver collect I/O events and expired timers, and wake their tasks, without blocking.
    fn turn_tokio(&mut self) {
        let events = self.metrics.io_driver_ready_count();
        let has_own_tasks = self.metrics.num_alive_tasks() > 0;
        self.runtime.block_on(async {
            // A task that yields is polled again only after the runtime's own tasks ran and the driver was polled.
            tokio::task::yield_now().await;
            if has_own_tasks {
                // Once more for those that the driver has woken.
                tokio::task::yield_now().await;
            }
        });
        self.last_turn = Instant::now();
        if self.metrics.io_driver_ready_count() != events {
            self.eager_until = self.last_turn + EAGER;
            self.silent_since = self.last_turn;
        }
        self.turns.add(1);
    }
}
