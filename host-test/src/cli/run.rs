//! `host-test run`: one manifest as a workload, until it ends or is stopped.
//!
//! The service has this process's standard streams. What the host itself has to say goes to standard error, so that a
//! service's output can be piped: the status as it changes, as text or (`--status-json`) as one JSON object a line, then
//! also before anything is compiled and about once a second while calls go on:
//!
//! ```json
//! {"workload":"cron","state":"running","reason":null,"restarts":0,"calls":{"started":0,"finished":0,"failed":0,"cancelled":0}}
//! ```
//!
//! The exit code is 0 when the service ended well or was stopped (Ctrl-C, SIGTERM, `--for`), and 1 when it failed for
//! good or could not start.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::RunArguments;
use crate::manifest;
use crate::workload::stdio::Input;
use crate::workload::{Host, Options, Phase, Spec, Status, Workload};

/// Where compiled components are kept, beside the components' folder.
const CACHE: &str = "host-test-cache";

/// How often counts of calls are looked at, as JSON.
const COUNTS: Duration = Duration::from_secs(1);

/// Runs the subcommand to its end.
pub(super) fn execute(arguments: RunArguments) -> anyhow::Result<ExitCode> {
    let manifest::Loaded {
        file,
        mut spec,
        warnings,
    } = match manifest::load(&arguments.manifest, &arguments.components) {
        Ok(loaded) => loaded,
        Err(error) if arguments.status_json => {
            // The workload's name is in what could not be read.
            let name = arguments.manifest.display().to_string();
            report(&Status::not_started(&name, &error.into()), true);
            return Ok(ExitCode::FAILURE);
        }
        Err(error) => return Err(error.into()),
    };
    for warning in &warnings {
        eprintln!("warning: {file}:{warning}");
    }
    if let Some(service) = &mut spec.service {
        service.arguments = arguments.arguments;
    }
    let options = Options {
        http: arguments.http,
        environment: arguments.env,
        input: Input::Inherit,
        ..Options::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting tokio")?;
    // Before the guest runs: who stops a run that has just begun is to find it listening.
    let stop = runtime.block_on(async { Stop::listen() })?;
    if arguments.status_json {
        report(&Status::starting(&spec.name), true);
    }
    let workload = match start(&spec, &options, &arguments.components) {
        Ok(workload) => workload,
        Err(error) if arguments.status_json => {
            report(&Status::not_started(&spec.name, &error), true);
            return Ok(ExitCode::FAILURE);
        }
        Err(error) => return Err(error.context(format!("workload \"{}\" cannot start", spec.name))),
    };
    announce(&workload, &spec, options.http.is_some());
    runtime.block_on(until_ended(
        workload,
        stop.after(arguments.run_for),
        arguments.status_json,
    ))
}

/// Compiles and starts, with a spinner on a terminal: a large component takes seconds the first time.
fn start(spec: &Spec, options: &Options, components: &Path) -> anyhow::Result<Workload> {
    let spinner = ProgressBar::new_spinner().with_message(format!("compiling {}", spec.name));
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        spinner.set_style(style);
    }
    spinner.enable_steady_tick(Duration::from_millis(100));
    // Only beside components that are there: no folder is made in whatever place the command was called from.
    let cache = components.is_dir().then(|| components.with_file_name(CACHE));
    let started = Host::new(cache.as_deref()).and_then(|host| Workload::start(&host, spec, options));
    spinner.finish_and_clear();
    started
}

/// Where it can be reached from outside.
fn announce(workload: &Workload, spec: &Spec, wants_http: bool) {
    if spec.service.is_some() {
        eprintln!(
            "{}: its 127.0.0.1 is {} on this machine",
            spec.name,
            workload.loopback()
        );
    }
    match workload.http() {
        Some(address) => eprintln!("{}: http://{address}", spec.name),
        None if wants_http => eprintln!("{}: nothing exports wasi:http, so none is served", spec.name),
        None => {}
    }
}

async fn until_ended(mut workload: Workload, mut stop: Stop, json: bool) -> anyhow::Result<ExitCode> {
    let mut changes = workload.changes().context("the workload's status is followed once")?;
    let mut shown = workload.status();
    let mut counts = tokio::time::interval(COUNTS);
    loop {
        tokio::select! {
            biased;
            status = changes.recv() => match status {
                Some(status) => {
                    report(&status, json);
                    shown = status;
                }
                None => return Ok(exit_code(&workload.status())),
            },
            () = stop.requested() => break,
            _ = counts.tick(), if json => {
                let calls = workload.status().calls;
                if calls != shown.calls {
                    shown.calls = calls;
                    report(&shown, json);
                }
            }
        }
    }
    tokio::select! {
        status = workload.stop() => {
            while let Some(status) = changes.recv().await {
                report(&status, json);
            }
            Ok(exit_code(&status))
        }
        // Asked again: a guest may be stuck in a call to the host.
        () = stop.signal() => Ok(ExitCode::FAILURE),
    }
}

fn report(status: &Status, json: bool) {
    match serde_json::to_string(status) {
        Ok(line) if json => eprintln!("{line}"),
        _ => eprintln!("{status}"),
    }
}

fn exit_code(status: &Status) -> ExitCode {
    if status.state == Phase::Completed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What ends a run from outside.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
    at: Option<tokio::time::Instant>,
}

impl Stop {
    /// Signals count from now on. Called on a tokio runtime.
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("listening for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            at: None,
        })
    }

    /// Stops by itself after this, too.
    fn after(mut self, run_for: Option<Duration>) -> Self {
        self.at = run_for.and_then(|limit| tokio::time::Instant::now().checked_add(limit));
        self
    }

    async fn requested(&mut self) {
        match self.at {
            Some(at) => tokio::select! {
                () = tokio::time::sleep_until(at) => {}
                () = self.signal() => {}
            },
            None => self.signal().await,
        }
    }

    async fn signal(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
