//! A cron job that fails as its payload says: `trap`, `hang`, `spin`, `exit`, `allocate`, `retry`, `reject`.
//!
//! With any other payload, or none, it succeeds. `until N HOW` fails that way in the first N attempts of a run.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../../wit/cron", world: "scheduled-job" });
    use super::FaultyJob;
    export!(FaultyJob);
}

use bindings::exports::mainstay::cron::job::{Guest, JobError, Tick};

struct FaultyJob;

impl Guest for FaultyJob {
    async fn run(tick: Tick) -> Result<(), JobError> {
        let payload = String::from_utf8_lossy(&tick.payload);
        let how = how(&payload, tick.attempt);
        println!("faulty-job {} attempt {}: {how}", tick.run_id, tick.attempt);
        match how {
            "hang" => std::future::pending().await,
            "retry" => Err(JobError::Retry("asked to be tried again".to_owned())),
            "reject" => Err(JobError::Reject("asked to be rejected".to_owned())),
            how => {
                fail(how);
                Ok(())
            }
        }
    }
}

/// What this attempt does.
fn how(payload: &str, attempt: u32) -> &str {
    let Some((times, how)) = payload.strip_prefix("until ").and_then(|rest| rest.split_once(' ')) else {
        return payload;
    };
    if times.parse().is_ok_and(|times| attempt > times) {
        "succeed"
    } else {
        how
    }
}

#[expect(
    clippy::panic,
    clippy::exit,
    clippy::infinite_loop,
    reason = "failing is what it is for"
)]
fn fail(how: &str) {
    match how {
        "trap" => panic!("asked to trap"),
        "exit" => std::process::exit(3),
        "spin" => loop {
            std::hint::black_box(());
        },
        "allocate" => {
            let mut all: Vec<Vec<u8>> = Vec::new();
            loop {
                all.push(vec![1; 1 << 20]);
                std::hint::black_box(&all);
            }
        }
        _ => {}
    }
}
