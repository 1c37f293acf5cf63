//! A component with all of cron's callbacks, which writes down what it is told: on stdout, and with `RECORDER_LEDGER`
//! in that file as well.
//!
//! - `RECORDER_JOBS`: jobs of its own, one a line, `NAME SCHEDULE`
//! - `RECORDER_VETO`: jobs that the gate leaves out
//! - `RECORDER_EVENTS`: wants to know of everything
//!
//! A payload of `retry`, `reject` or `hang` makes a run end that way; `slow` makes it take 5 ms, `slower` 20 ms.

mod bindings {
    #![allow(missing_docs, unsafe_code)] // Generated.
    wit_bindgen::generate!({ path: "../../../wit/cron", world: "scheduled-jobs" });
    use super::Recorder;
    export!(Recorder);
}

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;

use bindings::exports::mainstay::cron::{events, gate, job, schedule};

struct Recorder;

impl job::Guest for Recorder {
    async fn run(tick: job::Tick) -> Result<(), job::JobError> {
        let payload = String::from_utf8_lossy(&tick.payload);
        record(&format!(
            "run {} attempt={} missed={} zone={} payload={payload} last={} traceparent={}",
            tick.run_id,
            tick.attempt,
            tick.missed,
            tick.zone,
            tick.last_success.map_or(0, |instant| instant.seconds),
            tick.traceparent
        ));
        match &*payload {
            "retry" => return Err(job::JobError::Retry("asked to be tried again".to_owned())),
            "reject" => return Err(job::JobError::Reject("asked to be rejected".to_owned())),
            "hang" => std::future::pending().await,
            "slow" => std::thread::sleep(Duration::from_millis(5)),
            "slower" => std::thread::sleep(Duration::from_millis(20)),
            _ => {}
        }
        record(&format!("done {}", tick.run_id));
        Ok(())
    }
}

impl schedule::Guest for Recorder {
    async fn jobs() -> Result<Vec<schedule::Definition>, String> {
        let text = variable("RECORDER_JOBS");
        let definition = |line: &str| {
            let (name, schedule) = line
                .trim()
                .split_once(' ')
                .ok_or_else(|| format!("not NAME SCHEDULE: {line:?}"))?;
            let (name, schedule) = (name.to_owned(), schedule.to_owned());
            Ok(schedule::Definition {
                name,
                schedule,
                payload: b"its own".to_vec(),
                settings: Vec::new(),
            })
        };
        text.lines().map(definition).collect()
    }
}

impl gate::Guest for Recorder {
    async fn enabled() -> bool {
        !variable("RECORDER_VETO").is_empty()
    }

    async fn check(candidate: gate::Candidate) -> Result<(), String> {
        let vetoed = variable("RECORDER_VETO").split(' ').any(|job| job == candidate.job);
        record(&format!(
            "gate {} {}",
            candidate.run_id,
            if vetoed { "shut" } else { "open" }
        ));
        if vetoed {
            Err("the gate is shut".to_owned())
        } else {
            Ok(())
        }
    }
}

impl events::Guest for Recorder {
    async fn wanted() -> events::Kinds {
        if variable("RECORDER_EVENTS").is_empty() {
            events::Kinds::empty()
        } else {
            events::Kinds::all()
        }
    }

    async fn deliver(events: Vec<events::Event>) {
        for event in events {
            record(&match event {
                events::Event::Started(e) => format!(
                    "event started {} attempt={} traceparent={}",
                    e.run_id, e.attempt, e.traceparent
                ),
                events::Event::Missed(e) => format!("event missed {} count={} {:?}", e.job, e.count, e.reason),
                events::Event::Finished(e) => format!(
                    "event finished {} {:?} traceparent={}",
                    e.run_id, e.outcome, e.traceparent
                ),
                events::Event::DeadLetter(e) => {
                    format!("event dead-letter {} attempts={} {}", e.run_id, e.attempts, e.error)
                }
            });
        }
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// Writes a line in one go, so that lines of concurrent calls stay apart.
fn record(line: &str) {
    let line = format!("{line}\n");
    print!("{line}");
    let path = variable("RECORDER_LEDGER");
    if !path.is_empty() {
        let file = OpenOptions::new().append(true).create(true).open(path);
        if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
            eprintln!("the ledger is not written: {error}");
        }
    }
}
