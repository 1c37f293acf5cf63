//! `cargo xtask check`: formatting, clippy, rustdoc, WIT, and the names in manifests, with warnings as errors.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::progress::Step;
use crate::workspace::{self, Workspace, cargo};
use crate::{cargo_build, process, references, toolchain};

/// Runs every check, so that one run tells of everything, and then fails if one did.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    toolchain::prepare()?;
    let natives = workspace.native_names();
    let components: Vec<&str> = workspace.guests().map(|(package, _)| package.name.as_str()).collect();
    let crates = cargo_build::dependencies(&components, Some(toolchain::TARGET), "normal,build")?;
    // With the crates that they are made of, which have code for this target alone.
    let is_in_guests = |name: &str| crates.iter().any(|line| line.split(' ').next() == Some(name));
    let packages = workspace.packages.iter().map(|package| package.name.as_str());
    let guests: Vec<&str> = packages.filter(|name| is_in_guests(name)).collect();
    let environment = toolchain::guest_environment(&crates)?;
    let native = |verb: &str| on(verb, &natives);
    let guest = |verb: &str| {
        let mut command = on(verb, &guests);
        command.args(["--target", toolchain::TARGET]).envs(environment.clone());
        command
    };

    let results = [
        step("formatting", cargo().args(["fmt", "--all", "--check"])),
        step("clippy", native("clippy").arg("--all-targets").args(DENY)),
        step("clippy of guests", guest("clippy").args(DENY)),
        step("rustdoc", native("doc").args(DOC)),
        step("rustdoc of guests", guest("doc").args(DOC)),
        wit(workspace),
        names(workspace),
    ];
    let errors: Vec<String> = results
        .into_iter()
        .filter_map(Result::err)
        .map(|error| format!("{error:#}"))
        .collect();
    ensure!(errors.is_empty(), "{}", errors.join("\n"));
    Ok(())
}

/// Maps of modules, at the top of a crate, link to private ones too: they are for those who read the source.
const DOC_LINTS: &str = "-D warnings -A rustdoc::private_intra_doc_links";

const DENY: [&str; 3] = ["--", "-D", "warnings"];

/// Private items too: their links and examples rot as well.
const DOC: [&str; 2] = ["--no-deps", "--document-private-items"];

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

fn names(workspace: &Workspace) -> Result<()> {
    let step = Step::start("names of artefacts");
    let files = references::check(workspace)?;
    step.done(&format!("{files} files"));
    Ok(())
}

fn step(name: &str, command: &mut Command) -> Result<()> {
    let mut step = Step::start(name);
    command.env("RUSTDOCFLAGS", DOC_LINTS);
    process::watch(&mut step, command, None, |step, line| step.print(&line))?;
    step.done("");
    Ok(())
}

fn on(verb: &str, packages: &[&str]) -> Command {
    let mut command = cargo();
    command.arg(verb).args(workspace::packages(packages.iter().copied()));
    command
}
