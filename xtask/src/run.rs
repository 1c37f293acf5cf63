//! `cargo xtask run EXAMPLE`: one example in the test host, until Ctrl-C.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::build::{self, Selection};
use crate::lines::Lines;
use crate::outside::Outside;
use crate::outside::clients::Tools;
use crate::workspace::Workspace;
use crate::{cargo_build, process};

/// How long the host may take to stop its workload before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// What the running host or the person before it does.
enum Event {
    Line(String),
    /// A line that is shown as it is.
    Shown(String),
    Stop,
}

/// Builds what the example's manifest names, and the host, and runs it with `arguments` to `host-test run` added.
pub(crate) fn run(workspace: &Workspace, example: &str, arguments: &[String]) -> Result<()> {
    let manifest = manifest(workspace, example)?;
    let text = fs::read_to_string(&manifest).with_context(|| format!("{} cannot be read", manifest.display()))?;
    let images = images(&text);
    build::components(workspace, &Selection::Named(images.clone()))?;
    let host = cargo_build::binary(workspace, "mainstay-host-test", "host-test")?;
    let mut outside = Outside::start(workspace, &images, arguments)?;

    let mut command = Command::new(&host);
    command
        .arg("run")
        .arg(workspace.relative(&manifest))
        .arg("--components")
        .arg(workspace.components())
        .args(["--env", "MAINSTAY_LOG_FORMAT=json"])
        .args(outside.arguments(arguments))
        .args(arguments)
        .current_dir(&workspace.root);
    println!("{example} is starting; Ctrl-C stops it");
    if let Some(name) = &outside.tools {
        let components = workspace.components();
        let tools = Tools {
            name,
            host: &host,
            manifest: &manifest,
            components: &components,
            arguments,
        };
        tools.lines().iter().for_each(|line| println!("{line}"));
    }
    supervise(&mut command, &mut outside)
}

/// Runs the host to its end, shows what it says, and stops it on Ctrl-C, which then is a good end.
fn supervise(command: &mut Command, outside: &mut Outside) -> Result<()> {
    let (sender, events) = mpsc::channel();
    let interrupt = sender.clone();
    ctrlc::set_handler(move || {
        // Fails only when the host has ended already.
        let _ = interrupt.send(Event::Stop);
    })?;
    // A process group of its own: the terminal's Ctrl-C comes to this process alone, which hands it on once.
    let mut child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{}` cannot be started", process::describe(command)))?;
    process::forward(child.stdout.take(), sender.clone(), Event::Line);
    process::forward(child.stderr.take(), sender.clone(), Event::Line);
    outside.forward(sender.clone(), Event::Shown);
    let visitor = sender.clone();
    outside.visit(move |line| visitor.send(Event::Shown(line)).is_ok());
    outside.ask(move |line| sender.send(Event::Line(line)).is_ok());

    let mut lines = Lines::default();
    let mut stopping: Option<Instant> = None;
    let status = loop {
        match events.recv_timeout(Duration::from_millis(100)) {
            Ok(Event::Line(line)) => println!("{}", lines.render(&line)),
            Ok(Event::Shown(line)) => println!("{line}"),
            Ok(Event::Stop) if stopping.is_none() => {
                stopping = Some(Instant::now());
                interrupt_child(&child)?;
            }
            Ok(Event::Stop) => child.kill().context("the host cannot be killed")?,
            // Asked only when nothing is left to print, so that the last words come out too.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                if let Some(status) = child.try_wait().context("the host cannot be waited for")? {
                    break status;
                }
            }
        }
        if stopping.is_some_and(|since| since.elapsed() > STOP_LIMIT) {
            child.kill().context("the host cannot be killed")?;
        }
    };
    conclude(status, stopping.is_some())
}

/// An interrupted host has ended well however it says so, unless it had to be killed.
fn conclude(status: ExitStatus, stopped: bool) -> Result<()> {
    use std::os::unix::process::ExitStatusExt;
    match (status.success(), stopped) {
        (true, _) => {}
        (false, true) if status.signal() != Some(Signal::SIGKILL as i32) => {}
        (false, true) => bail!("the host did not stop within {} s and was killed", STOP_LIMIT.as_secs()),
        (false, false) => bail!("the workload ended: {status}"),
    }
    println!("stopped");
    Ok(())
}

fn interrupt_child(child: &Child) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(child.id())?);
    kill(pid, Signal::SIGINT).context("the host cannot be interrupted")
}

/// The manifest of an example; an unknown one is answered with those that there are.
fn manifest(workspace: &Workspace, example: &str) -> Result<std::path::PathBuf> {
    let folder = workspace.root.join("examples");
    let path = folder.join(example).join("workload.yaml");
    if path.is_file() {
        return Ok(path);
    }
    let mut known = names_in(&folder)?;
    known.sort_unstable();
    bail!("there is no example {example:?}; there are {}", known.join(", "));
}

fn names_in(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let names = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("workload.yaml").is_file());
    Ok(names
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect())
}

/// The artefacts that a manifest names: the last part of each `image:`, without its tag, as the host resolves them.
///
/// The host reads the manifest as YAML and judges it; here a look at the lines is enough to know what to build.
fn images(manifest: &str) -> Vec<String> {
    let of_line = |line: &str| {
        let line = line.trim_start().trim_start_matches("- ");
        let image = line.strip_prefix("image:")?.trim().trim_matches(['"', '\'']);
        let last = image.rsplit('/').next()?;
        let name = last.split([':', '@']).next()?;
        Some(name.trim_end_matches(".wasm").to_owned())
    };
    let mut names: Vec<String> = manifest.lines().filter_map(of_line).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_names_what_is_to_be_built() {
        let manifest = "spec:\n  service:\n    image: ghcr.io/mainstay-services/cron:0.1.0\n  components:\n    \
                        - name: a\n      image: \"localhost:5000/x/example-cron@sha256:ab\"\n    \
                        - image: ../target/components/health.wasm\n    # image: none\n";
        assert_eq!(images(manifest), ["cron", "example-cron", "health"]);
    }

    /// The host's place is taken by a shell that presses Ctrl-C as soon as it can be interrupted itself.
    #[test]
    fn ctrl_c_is_handed_on_to_the_host_once_and_is_a_good_end() {
        let mut host = Command::new("sh");
        host.args(["-c", "trap 'exit 0' INT; kill -INT $PPID; while :; do sleep 0.1; done"]);
        supervise(&mut host, &mut Outside::default()).unwrap();
    }
}
