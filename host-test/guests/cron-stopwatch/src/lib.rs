//! A cron job that does nothing, so that what is measured is the service and its host.
//!
//! With the payload `lag` it prints how late it started by its own clock: `lag NANOSECONDS`.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../../wit/cron", world: "scheduled-job" });
    use super::Stopwatch;
    export!(Stopwatch);
}

use std::time::{Duration, SystemTime};

use bindings::exports::mainstay::cron::job::{Guest, Instant, JobError, Tick};

struct Stopwatch;

impl Guest for Stopwatch {
    async fn run(tick: Tick) -> Result<(), JobError> {
        if tick.payload == b"lag" {
            println!("lag {}", since(tick.scheduled).as_nanos());
        }
        Ok(())
    }
}

/// How long ago an instant was; zero if it is still to come.
fn since(instant: Instant) -> Duration {
    let epoch = Duration::new(u64::try_from(instant.seconds).unwrap_or(0), instant.nanoseconds);
    SystemTime::UNIX_EPOCH
        .checked_add(epoch)
        .and_then(|instant| instant.elapsed().ok())
        .unwrap_or_default()
}
