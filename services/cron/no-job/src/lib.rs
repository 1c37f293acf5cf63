//! The job of a workload that has none.
//!
//! Composed into bundles of services that run no cron, which then need no component that exports a job.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../../wit/cron", world: "scheduled-job" });
    use super::NoJob;
    export!(NoJob);
}

use bindings::exports::mainstay::cron::job::{Guest, JobError, Tick};

struct NoJob;

impl Guest for NoJob {
    async fn run(_tick: Tick) -> Result<(), JobError> {
        let text = "this bundle calls no job: take bundle-cron.wasm, or the one that host-test fit makes";
        Err(JobError::Reject(text.to_owned()))
    }
}
