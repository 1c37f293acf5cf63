//! Running a tool: its output is kept back, its last line is shown as progress, and on failure all of it is printed.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::progress::Step;

/// How often a running tool is looked at when it says nothing.
const GLANCE: Duration = Duration::from_millis(200);

/// One line of a tool's output.
enum Line {
    Out(String),
    Err(String),
}

/// Runs `command` within `step` and gives what it wrote to stdout.
///
/// # Errors
/// When it cannot be started, or ends other than with 0; what it wrote to stderr has then been printed.
pub(crate) fn capture(step: &mut Step, command: &mut Command) -> Result<Vec<String>> {
    let mut stdout = Vec::new();
    watch(step, command, None, |_, line| stdout.push(line))?;
    Ok(stdout)
}

/// As [`capture`], with every line of stdout given to `each` as it comes, and killed after `limit` where there is one.
pub(crate) fn watch(
    step: &mut Step,
    command: &mut Command,
    limit: Option<Duration>,
    mut each: impl FnMut(&mut Step, String),
) -> Result<()> {
    let shown = describe(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{shown}` cannot be started"))?;
    let (sender, lines) = mpsc::channel();
    forward(child.stdout.take(), sender.clone(), Line::Out);
    forward(child.stderr.take(), sender, Line::Err);

    let started = Instant::now();
    let mut stderr = Vec::new();
    loop {
        match lines.recv_timeout(GLANCE) {
            Ok(Line::Out(line)) => each(step, line),
            Ok(Line::Err(line)) => {
                step.at(console::strip_ansi_codes(&line).trim());
                stderr.push(line);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if limit.is_some_and(|limit| started.elapsed() > limit) {
            stop(&mut child);
            bail!("`{shown}` did not end within {} s", started.elapsed().as_secs());
        }
    }
    let status = child
        .wait()
        .with_context(|| format!("`{shown}` cannot be waited for"))?;
    let report = if status.success() { warnings(&stderr) } else { stderr };
    if !report.is_empty() {
        step.print(&report.join("\n"));
    }
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// Runs `command` with this terminal as its own.
pub(crate) fn attached(command: &mut Command) -> Result<()> {
    let shown = describe(command);
    let status = command
        .status()
        .with_context(|| format!("`{shown}` cannot be started"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// The trimmed stdout of a tool that answers at once, for example `rustc --version`.
pub(crate) fn answer(command: &mut Command) -> Result<String> {
    let shown = describe(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("`{shown}` cannot be started"))?;
    if !output.status.success() {
        bail!(
            "`{shown}` failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The command as one would type it, without the end of a long one.
pub(crate) fn describe(command: &Command) -> String {
    const LONGEST: usize = 100;
    let program = Path::new(command.get_program());
    let words = std::iter::once(program.file_name().unwrap_or(program.as_os_str())).chain(command.get_args());
    let whole: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    let whole = whole.join(" ");
    match whole.char_indices().nth(LONGEST).and_then(|(end, _)| whole.get(..end)) {
        Some(start) => format!("{start} ..."),
        None => whole,
    }
}

/// Sends every line of `pipe`, without its line end, as `kind` says.
pub(crate) fn forward<T: Send + 'static>(
    pipe: Option<impl Read + Send + 'static>,
    sender: Sender<T>,
    kind: fn(String) -> T,
) {
    let Some(pipe) = pipe else { return };
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            if sender.send(kind(String::from_utf8_lossy(&line).into_owned())).is_err() {
                break;
            }
        }
    });
}

/// Kills a child that took too long; that it has ended meanwhile is as good.
fn stop(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// What a successful cargo wrote to stderr besides its progress: the warnings.
fn warnings(stderr: &[String]) -> Vec<String> {
    const PROGRESS: &[&str] = &[
        "Adding",
        "Blocking",
        "Checking",
        "Compiling",
        "Documenting",
        "Downloaded",
        "Downloading",
        "Executable",
        "Finished",
        "Fresh",
        "Generated",
        "Locking",
        "Running",
        "Updating",
        "info:",
    ];
    let is_progress = |line: &String| {
        let plain = console::strip_ansi_codes(line);
        plain
            .split_whitespace()
            .next()
            .is_none_or(|word| PROGRESS.contains(&word))
    };
    stderr.iter().filter(|line| !is_progress(line)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn gives_the_lines_of_stdout() {
        let lines = capture(&mut Step::start("test"), &mut shell("echo one; echo two; echo no >&2"));
        assert_eq!(lines.unwrap(), ["one", "two"]);
    }

    #[test]
    fn a_failure_names_the_command_and_its_status() {
        let error = capture(&mut Step::start("test"), &mut shell("exit 3")).unwrap_err();
        assert_eq!(error.to_string(), "`sh -c exit 3` failed (exit status: 3)");
    }

    #[test]
    fn a_missing_tool_is_named() {
        let error = answer(&mut Command::new("no-such-tool")).unwrap_err();
        assert_eq!(error.to_string(), "`no-such-tool` cannot be started");
    }

    #[test]
    fn a_tool_that_hangs_is_killed_at_its_limit() {
        let limit = Some(Duration::from_millis(300));
        let started = Instant::now();
        let error = watch(&mut Step::start("test"), &mut shell("exec sleep 60"), limit, |_, _| {}).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("`sh -c exec sleep 60` did not end within"),
            "{error}"
        );
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn progress_of_cargo_is_no_warning() {
        let stderr = ["   Compiling a v1", "warning: unused", "", "    Finished `dev`"].map(str::to_owned);
        assert_eq!(warnings(&stderr), ["warning: unused"]);
    }
}
