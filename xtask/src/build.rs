//! `cargo xtask build`: every component artefact, in `target/components`.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::progress::Step;
use crate::scripts::Script;
use crate::workspace::{Closed, Component, Package, Workspace, cargo, packages};
use crate::{cargo_build, toolchain};

/// Which artefacts to build.
pub(crate) enum Selection {
    /// What users get.
    Shipped,
    /// What users get, and what tests need.
    Everything,
    /// These, and what they are made of.
    Named(Vec<String>),
}

impl Selection {
    /// Not among what ships: who builds that needs neither Node.js nor Python.
    fn takes(&self, script: &Script) -> bool {
        match self {
            Self::Shipped => false,
            Self::Everything => true,
            Self::Named(names) => names.contains(&script.component),
        }
    }
}

/// A component in `target/components`.
pub(crate) struct Artefact {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    /// Whether this build changed it.
    pub(crate) changed: bool,
}

type Guest<'a> = (&'a Package, &'a Component);

/// Builds the selected components and gives them by name.
pub(crate) fn components(workspace: &Workspace, selection: &Selection) -> Result<Vec<Artefact>> {
    toolchain::prepare()?;
    let guests = select(workspace, selection)?;
    // Apart, since cargo unites the features of what it builds together: what tests need must not change what ships.
    let (tests, shipped): (Vec<Guest<'_>>, Vec<Guest<'_>>) =
        guests.iter().partition(|(_, component)| component.is_for_tests());
    let mut compiled = compile(workspace, "build components", &shipped)?;
    compiled.extend(compile(workspace, "build test components", &tests)?);
    let mut artefacts = Vec::new();
    for (_, component) in &guests {
        let bytes = bytes_of(&compiled, &component.name)?;
        let Some(closed) = component.closed.first() else {
            artefacts.push(write(workspace, &component.name, bytes)?);
            continue;
        };
        let callbacks = callbacks(&compiled, closed)?;
        let open = mainstay_compose::attach(bytes, &callbacks)
            .with_context(|| format!("{} cannot carry {}", component.name, closed.with.join(", ")))?;
        artefacts.push(write(workspace, &component.name, &open)?);
        let whole = close(bytes, &callbacks, closed)?;
        artefacts.push(write(workspace, &closed.name, &whole)?);
        for closed in component.closed.iter().skip(1) {
            let whole = close(bytes, &self::callbacks(&compiled, closed)?, closed)?;
            artefacts.push(write(workspace, &closed.name, &whole)?);
        }
        for (_, adapter) in &guests {
            let Some(joined) = adapter
                .joined
                .as_ref()
                .filter(|joined| joined.service == component.name)
            else {
                continue;
            };
            let both = mainstay_compose::close(&whole, bytes_of(&compiled, &adapter.name)?)
                .with_context(|| format!("{} cannot be made of {} and {}", joined.name, closed.name, adapter.name))?;
            artefacts.push(write(workspace, &joined.name, &both)?);
        }
    }
    for script in workspace.scripts.iter().filter(|script| selection.takes(script)) {
        artefacts.push(write(workspace, &script.component, &script.build(workspace)?)?);
    }
    artefacts.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(artefacts)
}

/// One line per artefact, sizes aligned.
pub(crate) fn print_table(workspace: &Workspace, artefacts: &[Artefact]) {
    let width = artefacts
        .iter()
        .map(|artefact| artefact.name.len())
        .max()
        .unwrap_or_default();
    for artefact in artefacts {
        let path = workspace.relative(&artefact.path).display();
        let changed = if artefact.changed { "" } else { "  (as it was)" };
        println!(
            "{:<width$}  {:>9}  {path}{changed}",
            artefact.name,
            size(artefact.bytes)
        );
    }
}

/// A size as people read one: `87 KiB`, `1.24 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    const KIB: f64 = 1024.0;
    let kib = bytes as f64 / KIB;
    if kib < KIB {
        format!("{kib:.0} KiB")
    } else {
        format!("{:.2} MiB", kib / KIB)
    }
}

/// Compiles them with one call, so that what they share is compiled once; gives the components by artefact name.
fn compile(workspace: &Workspace, step: &str, guests: &[Guest<'_>]) -> Result<HashMap<String, Vec<u8>>> {
    if guests.is_empty() {
        return Ok(HashMap::new());
    }
    let names: Vec<&str> = guests.iter().map(|(package, _)| package.name.as_str()).collect();
    let mut step = Step::start(step);
    let crates = cargo_build::dependencies(&names, Some(toolchain::TARGET), "normal,build")?;
    step.expect(crates.len() as u64);
    let mut command = cargo();
    command
        .envs(toolchain::guest_environment(&crates)?)
        .args(["build", "--profile=guest", "--target", toolchain::TARGET])
        .args(packages(names.iter().copied()))
        .current_dir(&workspace.root);
    let files = cargo_build::run(&mut step, &mut command)?;
    step.done(&format!("{} components", names.len()));

    let read = |(package, component): &Guest<'_>| {
        let made = files.get(&package.id).map(Vec::as_slice).unwrap_or_default();
        let wasm = made
            .iter()
            .find(|file| file.extension().is_some_and(|extension| extension == "wasm"));
        let wasm = wasm.with_context(|| format!("{} {NOT_A_COMPONENT}", package.name))?;
        let bytes = fs::read(wasm).with_context(|| format!("{} cannot be read", wasm.display()))?;
        Ok((component.name.clone(), bytes))
    };
    guests.iter().map(read).collect()
}

const NOT_A_COMPONENT: &str = "made no .wasm; it needs a [[bin]], or a [lib] with crate-type = [\"cdylib\"]";

fn bytes_of<'a>(compiled: &'a HashMap<String, Vec<u8>>, name: &str) -> Result<&'a [u8]> {
    let bytes = compiled.get(name).map(Vec::as_slice);
    bytes.with_context(|| format!("no crate makes the artefact {name:?}, which another is made of"))
}

/// One component with all the callbacks that fill the imports of `closed`.
fn callbacks(compiled: &HashMap<String, Vec<u8>>, closed: &Closed) -> Result<Vec<u8>> {
    let parts: Vec<(&str, &[u8])> = closed
        .with
        .iter()
        .map(|name| Ok((name.as_str(), bytes_of(compiled, name)?)))
        .collect::<Result<_>>()?;
    mainstay_compose::beside(&parts).with_context(|| format!("{} cannot be one component", closed.with.join(", ")))
}

fn close(open: &[u8], callbacks: &[u8], closed: &Closed) -> Result<Vec<u8>> {
    mainstay_compose::close(open, callbacks)
        .with_context(|| format!("{} cannot be made with {}", closed.name, closed.with.join(", ")))
}

/// The crates that the selection takes, and the callbacks that a service of it carries.
fn select<'a>(workspace: &'a Workspace, selection: &Selection) -> Result<Vec<Guest<'a>>> {
    let names = match selection {
        Selection::Everything => return Ok(workspace.guests().collect()),
        Selection::Shipped => {
            return Ok(workspace
                .guests()
                .filter(|(_, component)| !component.is_for_tests())
                .collect());
        }
        Selection::Named(names) => names,
    };
    let mut wanted: Vec<&str> = Vec::new();
    for name in names {
        if workspace.scripts.iter().any(|script| script.component == *name) {
            continue;
        }
        let made_by = workspace
            .guests()
            .find(|(_, component)| component.artefacts().any(|artefact| artefact == name));
        let Some((_, component)) = made_by else {
            bail!(
                "nothing makes the artefact {name:?}; there are {}",
                known(workspace).join(", ")
            );
        };
        wanted.push(&component.name);
        wanted.extend(parts(component));
        if let Some(joined) = component.joined.as_ref().filter(|joined| joined.name == *name) {
            wanted.push(&joined.service);
            let service = workspace.guests().find(|(_, service)| service.name == joined.service);
            wanted.extend(service.into_iter().flat_map(|(_, service)| parts(service)));
        }
    }
    Ok(workspace
        .guests()
        .filter(|(_, component)| wanted.contains(&component.name.as_str()))
        .collect())
}

/// The artefacts that fill imports of a service.
fn parts(component: &Component) -> impl Iterator<Item = &str> {
    component
        .closed
        .iter()
        .flat_map(|closed| closed.with.iter().map(String::as_str))
}

fn known(workspace: &Workspace) -> Vec<&str> {
    let mut names: Vec<&str> = workspace
        .guests()
        .flat_map(|(_, component)| component.artefacts())
        .chain(workspace.scripts.iter().map(|script| script.component.as_str()))
        .collect();
    names.sort_unstable();
    names
}

/// Writes an artefact, unless it already holds these bytes: a running host that watches it must not see a change.
fn write(workspace: &Workspace, name: &str, bytes: &[u8]) -> Result<Artefact> {
    let path = workspace.components().join(format!("{name}.wasm"));
    let changed = fs::read(&path).map_or(true, |old| old != bytes);
    if changed {
        write_whole(&path, bytes)?;
    }
    Ok(Artefact {
        name: name.to_owned(),
        path,
        bytes: bytes.len() as u64,
        changed,
    })
}

/// Nobody sees half a file: it is written beside its place and moved there.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().context("an artefact lies in a folder")?;
    let beside = path.with_extension("wasm.new");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&beside, bytes))
        .and_then(|()| fs::rename(&beside, path))
        .with_context(|| format!("{} cannot be written", path.display()))
}
