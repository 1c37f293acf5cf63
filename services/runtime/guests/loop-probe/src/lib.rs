//! A service that measures the event loop from within.
//!
//! `PROBE_MODE` names what it does; each says what it saw by a line of JSON on stdout.
//!
//! - `overlap`: how many callbacks are in flight at once while a socket is served
//! - `completions`: whether each of many callbacks completes, once
//! - `idle`: how often the loop wakes while nothing happens
//! - `surroundings`: deadlines, cancellation, a port in use, state files
//! - `bench`: what a callback costs, bare and through the loop

mod bench;
mod completions;
mod idle;
mod overlap;
mod surroundings;

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "loop-probe" });
}

use bindings::mainstay::loop_test::callee;
use mainstay_runtime::config::{ConfigError, Settings};
use mainstay_runtime::{Context, Error};

struct Probe;

wasip3::cli::command::export!(Probe);

/// What the probe does.
#[derive(Clone, Copy)]
enum Mode {
    Overlap,
    Completions,
    Idle,
    Surroundings,
    Bench,
}

/// The settings, with the prefix `PROBE_`.
#[derive(Clone, Copy)]
struct Probing {
    mode: Mode,
    /// Callbacks in all, or of each measurement.
    calls: u64,
    /// Callbacks at once.
    in_flight: usize,
    /// How long `idle` looks on.
    seconds: u64,
}

impl wasip3::exports::cli::run::Guest for Probe {
    async fn run() -> Result<(), ()> {
        // Bare calls are measured where there is no loop.
        if let Ok(Probing {
            mode: Mode::Bench,
            calls,
            ..
        }) = settings()
        {
            return bench::probe(calls).await;
        }
        mainstay_runtime::run("loop-probe", start).await
    }
}

async fn start(context: Context) -> Result<(), Error> {
    let settings = settings()?;
    let outcome = match settings.mode {
        Mode::Overlap => overlap::probe(settings.in_flight).await,
        Mode::Completions => completions::probe(settings.calls, settings.in_flight).await,
        Mode::Idle => idle::probe(&context, settings.seconds).await,
        Mode::Surroundings => surroundings::probe().await,
        Mode::Bench => return Ok(()),
    };
    println!("{}", outcome.map_err(Error::start)?);
    Ok(())
}

fn settings() -> Result<Probing, ConfigError> {
    Settings::read("PROBE_", |settings| {
        let modes = [
            ("overlap", Mode::Overlap),
            ("completions", Mode::Completions),
            ("idle", Mode::Idle),
            ("surroundings", Mode::Surroundings),
            ("bench", Mode::Bench),
        ];
        Ok(Probing {
            mode: settings.required("mode", "overlap")?.one_of(&modes)?,
            calls: settings.or("calls", 1000, |value| value.integer(1..=10_000_000))?,
            in_flight: settings.or("in_flight", 32, |value| value.integer(1..=100_000))?,
            seconds: settings.or("seconds", 10, |value| value.integer(1..=3600))?,
        })
    })
}
