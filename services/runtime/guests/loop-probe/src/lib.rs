//! A service that measures the event loop from within.
//!
//! `PROBE_MODE` names what it does; each says what it saw by a line of JSON on stdout.
//!
//! - `overlap`: how many callbacks are in flight at once while a socket is served
//! - `completions`: whether each of many callbacks completes, once
//! - `idle`: how often the loop wakes while nothing happens
//! - `waiting`: the same while one callback is in flight
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
use mainstay_runtime::{Context, Error, Options, Waiting};

struct Probe;

wasip3::cli::command::export!(Probe);

/// What the probe does.
#[derive(Clone, Copy)]
enum Mode {
    Overlap,
    Completions,
    Idle,
    Waiting,
    Surroundings,
    Bench,
}

/// The settings, with the prefix `PROBE_`.
#[derive(Clone, Copy)]
struct Probing {
    mode: Mode,
    waiting: Waiting,
    /// Callbacks in all, or of each measurement.
    calls: u64,
    /// Callbacks at once.
    in_flight: usize,
    /// How long `idle` and `waiting` look on.
    seconds: u64,
}

impl wasip3::exports::cli::run::Guest for Probe {
    async fn run() -> Result<(), ()> {
        let mut options = Options::default();
        if let Ok(settings) = settings() {
            // Bare calls are measured where there is no loop.
            if let Mode::Bench = settings.mode {
                return bench::probe(settings.calls).await;
            }
            options.waiting = settings.waiting;
        }
        mainstay_runtime::run_with(options, "loop-probe", start).await
    }
}

async fn start(context: Context) -> Result<(), Error> {
    let settings = settings()?;
    let outcome = match settings.mode {
        Mode::Overlap => overlap::probe(settings.in_flight).await,
        Mode::Completions => completions::probe(settings.calls, settings.in_flight).await,
        Mode::Idle => idle::probe(&context, settings.seconds).await,
        Mode::Waiting => idle::probe_waiting(&context, settings.seconds).await,
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
            ("waiting", Mode::Waiting),
            ("surroundings", Mode::Surroundings),
            ("bench", Mode::Bench),
        ];
        let waiting = [("tokio", Waiting::Tokio), ("component-model", Waiting::ComponentModel)];
        Ok(Probing {
            mode: settings.required("mode", "overlap")?.one_of(&modes)?,
            waiting: settings.or("waiting", Waiting::Tokio, |value| value.one_of(&waiting))?,
            calls: settings.or("calls", 1000, |value| value.integer(1..=10_000_000))?,
            in_flight: settings.or("in_flight", 32, |value| value.integer(1..=100_000))?,
            seconds: settings.or("seconds", 10, |value| value.integer(1..=3600))?,
        })
    })
}
