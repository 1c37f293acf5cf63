//! `cargo xtask check`: formatting, clippy, rustdoc and WIT, with warnings as errors.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::progress::Step;
use crate::workspace::{Workspace, cargo};
use crate::{process, toolchain};

/// Runs every check; the first that fails ends it.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    toolchain::prepare()?;
    let natives: Vec<&str> = workspace.natives().map(|package| package.name.as_str()).collect();
    let guests: Vec<&str> = workspace.guests().map(|(package, _)| package.name.as_str()).collect();

    step("formatting", cargo().args(["fmt", "--all", "--check"]))?;
    step(
        "clippy",
        on(&mut cargo(), "clippy", &natives).args(["--all-targets", "--", "-D", "warnings"]),
    )?;
    let target = ["--target", toolchain::TARGET];
    step(
        "clippy of guests",
        on(&mut cargo(), "clippy", &guests)
            .args(target)
            .args(["--", "-D", "warnings"]),
    )?;
    step("rustdoc", on(&mut cargo(), "doc", &natives).args(DOC))?;
    step(
        "rustdoc of guests",
        on(&mut cargo(), "doc", &guests).args(DOC).args(target),
    )?;
    wit(workspace)
}

/// Every folder of `wit/` is a package that parses and resolves, with a version: hosts link by exact names.
fn wit(workspace: &Workspace) -> Result<()> {
    let step = Step::start("wit");
    let folder = workspace.root.join("wit");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        let shown = workspace.relative(&path).display();
        let mut resolve = wit_parser::Resolve::default();
        let (package, _) = resolve
            .push_dir(&path)
            .with_context(|| format!("{shown} is not a WIT package"))?;
        let name = resolve.packages.get(package).map(|package| package.name.clone());
        let name = name.with_context(|| format!("{shown} names no package"))?;
        ensure!(
            name.version.is_some(),
            "package {name} in {shown} has no version; write {name}@0.1.0"
        );
        names.push(name.to_string());
    }
    names.sort_unstable();
    step.done(&names.join(", "));
    Ok(())
}

/// Private items too: their links and examples rot as well.
const DOC: [&str; 2] = ["--no-deps", "--document-private-items"];

fn step(name: &str, command: &mut Command) -> Result<()> {
    let mut step = Step::start(name);
    process::capture(&mut step, command.env("RUSTDOCFLAGS", "-D warnings"))?;
    step.done("");
    Ok(())
}

fn on<'a>(command: &'a mut Command, verb: &str, packages: &[&str]) -> &'a mut Command {
    command
        .arg(verb)
        .args(packages.iter().flat_map(|package| ["--package", package]))
}
