//! What tests need that nothing here fetches, asked for before anything is built.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::peers;
use crate::workspace::Workspace;

/// The oldest Node.js that the clients run on.
const NODE: u32 = 20;

/// Makes sure that all of it is there.
///
/// # Errors
/// All that is missing, and what installs it.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let missing: Vec<String> = [python(), node(), npm(), apt(workspace)]
        .into_iter()
        .flatten()
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!("the tests need what is not here:\n  {}", missing.join("\n  "));
}

fn python() -> Option<String> {
    let has_venv = succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"]));
    let missing = "python3 with venv, for clients and compilers of PyPI: `apt-get install python3 python3-venv`";
    (!has_venv).then(|| missing.to_owned())
}

fn node() -> Option<String> {
    let way_out =
        format!("Node.js {NODE} or later, for clients of npm: `apt-get install nodejs`, or https://nodejs.org");
    match crate::process::answer(Command::new("node").arg("--version")) {
        Ok(version) if major(&version).is_none_or(|major| major < NODE) => {
            Some(format!("{way_out}; `node --version` says {version:?}"))
        }
        Ok(_) => None,
        Err(_) => Some(way_out),
    }
}

/// Of `v20.11.1`.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn npm() -> Option<String> {
    let missing = "npm, for clients and a compiler of npm: `apt-get install npm`";
    (!succeeds(Command::new("npm").arg("--version"))).then(|| missing.to_owned())
}

fn apt(workspace: &Workspace) -> Option<String> {
    let servers = peers::missing(workspace);
    let has_apt = || {
        ["apt-get", "apt-cache", "dpkg-deb"]
            .iter()
            .all(|program| succeeds(Command::new(program).arg("--version")))
    };
    if servers.is_empty() || has_apt() {
        return None;
    }
    let servers = servers.join(", ");
    Some(format!(
        "apt-get and dpkg-deb, as Debian and Ubuntu have them, to fetch {servers}: or put those into target/tools by hand"
    ))
}

fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_read() {
        assert_eq!(major("v20.11.1"), Some(20));
        assert_eq!(major("v8.0.0-pre"), Some(8));
        assert_eq!(major("20"), None);
        assert_eq!(major(""), None);
    }
}
