//! Tasks that fail are started again, later each time.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio::task::{AbortHandle, spawn_local};
use tokio::time::Instant;

use crate::backoff::Backoff;

/// How long a task must have run for its next failure to count as a first one.
pub const HEALTHY: Duration = Duration::from_secs(60);

/// The same failure again is no news for so long.
const NEWS: Duration = Duration::from_secs(60);

/// Runs what `start` makes as a local task, and again each time it fails, until it ends well.
///
/// A failure is logged as a warning, with the delay to the next start; the same one again once a minute, and in between for
/// `debug`. After a run of [`HEALTHY`] or of the longest delay, whichever is more, the delays begin anew. Aborting the handle
/// ends the task.
pub fn spawn<Start, Run, E>(name: &'static str, mut backoff: Backoff, mut start: Start) -> AbortHandle
where
    Start: FnMut() -> Run + 'static,
    Run: Future<Output = Result<(), E>> + 'static,
    E: fmt::Display,
{
    let supervised = async move {
        let mut told: Option<(String, Instant)> = None;
        loop {
            let began = Instant::now();
            let Err(error) = start().await else { return };
            if began.elapsed() >= HEALTHY.max(backoff.max()) {
                backoff.reset();
            }
            let delay = backoff.next();
            let error = error.to_string();
            if told
                .as_ref()
                .is_some_and(|(last, at)| *last == error && at.elapsed() < NEWS)
            {
                tracing::debug!(task = name, retry_in = ?delay, "{error}");
            } else {
                tracing::warn!(task = name, retry_in = ?delay, "{error}");
                told = Some((error, Instant::now()));
            }
            tokio::time::sleep(delay).await;
        }
    };
    spawn_local(supervised).abort_handle()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;
    use tokio::task::LocalSet;

    #[tokio::test(start_paused = true)]
    async fn a_failing_task_is_started_again_until_it_ends_well() {
        let starts = Rc::new(RefCell::new(0));
        let count = Rc::clone(&starts);
        let tasks = LocalSet::new();
        tasks
            .run_until(async {
                spawn(
                    "flaky",
                    Backoff::new(Duration::from_secs(1), Duration::from_secs(8)),
                    move || {
                        *count.borrow_mut() += 1;
                        let run = *count.borrow();
                        async move { if run < 5 { Err("no route to host") } else { Ok(()) } }
                    },
                );
            })
            .await;
        let began = Instant::now();
        tasks.await;
        assert_eq!(*starts.borrow(), 5);
        assert!(began.elapsed() <= Duration::from_secs(1 + 2 + 4 + 8) + Duration::from_millis(10));
    }

    #[tokio::test(start_paused = true)]
    async fn delays_begin_anew_after_a_healthy_run() {
        let tasks = LocalSet::new();
        let starts = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&starts);
        tasks
            .run_until(async move {
                let task = spawn(
                    "long",
                    Backoff::new(Duration::from_millis(1), Duration::from_secs(30)),
                    move || {
                        log.borrow_mut().push(Instant::now());
                        async {
                            tokio::time::sleep(HEALTHY).await;
                            Err::<(), _>("cut")
                        }
                    },
                );
                tokio::time::sleep(HEALTHY * 20).await;
                task.abort();
            })
            .await;
        for pair in starts.borrow().windows(2) {
            assert!(pair[1] - pair[0] <= HEALTHY + Duration::from_millis(5));
        }
        assert_eq!(starts.borrow().len(), 20);
    }
}
