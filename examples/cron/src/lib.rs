//! A reactive component that cron calls: it says which tick it runs.
//!
//! It lives for one call. All that it needs to know comes with the tick.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../wit/cron", world: "scheduled-job" });
    use super::Greeter;
    export!(Greeter);
}

use bindings::exports::mainstay::cron::job::{Guest, JobError, Tick};

struct Greeter;

impl Guest for Greeter {
    async fn run(tick: Tick) -> Result<(), JobError> {
        let whom = String::from_utf8(tick.payload)
            .map_err(|error| JobError::Reject(format!("the payload is not text: {error}")))?;
        println!(
            "hello, {} ({}, attempt {})",
            if whom.is_empty() { "world" } else { &whom },
            tick.run_id,
            tick.attempt
        );
        Ok(())
    }
}
