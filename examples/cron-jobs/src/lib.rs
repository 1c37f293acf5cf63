//! Eight jobs that show the policies of cron. What each of them does is here; when, and what happens when it goes on
//! too long or fails, is in `workload.yaml`.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../wit/cron", world: "scheduled-job" });
    use super::Jobs;
    export!(Jobs);
}

use std::time::Duration;

use bindings::exports::mainstay::cron::job::{Guest, JobError, Tick};
use wasip3::clocks::monotonic_clock;

struct Jobs;

impl Guest for Jobs {
    async fn run(tick: Tick) -> Result<(), JobError> {
        if tick.missed > 0 {
            println!("{}: {} ticks went by before this one", tick.job, tick.missed);
        }
        match &*tick.job {
            // Longer than the time between two of its ticks, which is what overlap policies are for.
            "import" | "thumbnails" | "search-index" => work(Duration::from_secs(3)).await,
            "upload" if tick.attempt < 3 => return Err(JobError::Retry("the bucket is busy".to_owned())),
            "report" => return Err(JobError::Reject("no such table: sales".to_owned())),
            _ => work(Duration::from_millis(5)).await,
        }
        println!("{}: done with {}", tick.job, tick.run_id);
        Ok(())
    }
}

async fn work(time: Duration) {
    monotonic_clock::wait_for(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)).await;
}
