//! tokio-cron-scheduler on a runtime of this process, with jobs that do nothing.
//!
//! Its channels are made large enough for all jobs: with its default of 200 it loses ticks when more fall due at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio_cron_scheduler::{Job, JobScheduler};

/// Its name in tables.
pub(crate) const NATIVE: &str = "tokio-cron-scheduler";

/// A scheduler that runs.
pub(crate) struct Native {
    scheduler: JobScheduler,
    runs: Arc<AtomicU64>,
}

impl Native {
    /// Adds `count` jobs of one pattern and starts. Each run calls `on_run`.
    pub(crate) async fn start(
        count: usize,
        pattern: &str,
        on_run: impl Fn() + Clone + Send + Sync + 'static,
    ) -> Result<Self> {
        let scheduler = JobScheduler::new_with_channel_size((4 * count).max(200)).await?;
        let runs = Arc::new(AtomicU64::new(0));
        for _ in 0..count {
            let (runs, on_run) = (runs.clone(), on_run.clone());
            let job = Job::new_async(pattern, move |_, _| {
                let (runs, on_run) = (runs.clone(), on_run.clone());
                Box::pin(async move {
                    on_run();
                    runs.fetch_add(1, Ordering::Relaxed);
                })
            })?;
            scheduler.add(job).await?;
        }
        scheduler.start().await?;
        Ok(Self { scheduler, runs })
    }

    /// Runs so far.
    pub(crate) fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// Waits until there have been so many runs; how many there are by `deadline`.
    pub(crate) async fn reached(&self, runs: u64, deadline: Instant) -> u64 {
        while self.runs() < runs && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.runs()
    }

    pub(crate) async fn stop(mut self) -> Result<()> {
        Ok(self.scheduler.shutdown().await?)
    }
}
