//! Lets a component that exports `wasmcloud:example/cron`, the interface of wash's own example, join unmodified.
//!
//! Exports `mainstay:cron/job`, imports the one function `invoke`. That function knows nothing of ticks: it is called
//! for each of them, and an error means another attempt.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({
        path: ["../../../wit/cron", "wit"],
        world: "mainstay:cron-invoke-adapter/adapter",
        generate_all,
    });
    use super::Adapter;
    export!(Adapter);
}

use bindings::exports::mainstay::cron::job::{Guest, JobError, Tick};
use bindings::wasmcloud::example::cron;

struct Adapter;

impl Guest for Adapter {
    async fn run(_tick: Tick) -> Result<(), JobError> {
        cron::invoke().map_err(JobError::Retry)
    }
}
