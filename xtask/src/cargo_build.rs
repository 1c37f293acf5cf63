//! One cargo build with a progress bar: how many crates there are, and which files came of it.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process;
use crate::progress::Step;
use crate::workspace::{self, Workspace, cargo};

/// The files that a build made, by package id.
pub(crate) type Files = HashMap<String, Vec<PathBuf>>;

/// One line of `--message-format=json`.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    executable: Option<PathBuf>,
}

/// Runs a cargo `build`, `test --no-run` or `clippy` within `step`; `command` must not choose a message format.
pub(crate) fn run(step: &mut Step, command: &mut Command) -> Result<Files> {
    command.arg("--message-format=json-render-diagnostics");
    if crate::progress::is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut seen = BTreeSet::new();
    let mut files = Files::new();
    process::watch(step, command, None, |step, line| {
        let Ok(message) = serde_json::from_str::<Message>(&line) else {
            return;
        };
        if message.reason != "compiler-artifact" {
            return;
        }
        if seen.insert(message.package_id.clone()) {
            step.advance();
        }
        let made = files.entry(message.package_id).or_default();
        made.extend(message.filenames);
        made.extend(message.executable);
    })?;
    Ok(files)
}

/// Builds one native program and gives its path.
///
/// All native packages are chosen, as for tests: then it has their features, and nothing is built twice.
pub(crate) fn binary(workspace: &Workspace, package: &str, name: &str) -> Result<PathBuf> {
    let mut step = Step::start(format!("build {name}"));
    step.expect(dependencies(&[package], None, "normal,build")?.len() as u64);
    let mut command = cargo();
    command
        .args(["build", "--bin", name])
        .args(workspace::packages(workspace.native_names()))
        .current_dir(&workspace.root);
    let files = run(&mut step, &mut command)?;
    let is_program = |file: &&PathBuf| file.file_stem().is_some_and(|stem| stem == name);
    let program = files.values().flatten().find(is_program).cloned();
    step.done("");
    program.with_context(|| format!("{package} has no program {name}"))
}

/// The distinct packages that a build of `packages` takes in, as `name version` lines of `cargo tree`.
pub(crate) fn dependencies(packages: &[&str], target: Option<&str>, edges: &str) -> Result<BTreeSet<String>> {
    let mut command = cargo();
    command.args(["tree", "--quiet", "--prefix=none", "--format={p}", "--edges", edges]);
    command.args(target.map(|target| format!("--target={target}")));
    command.args(workspace::packages(packages.iter().copied()));
    let tree = process::answer(&mut command)?;
    let lines = tree.lines().map(|line| line.trim_end_matches(" (*)"));
    Ok(lines.filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
