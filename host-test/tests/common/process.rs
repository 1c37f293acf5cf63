//! A host as a process of its own, that can be killed like one.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{DEADLINE, target};

/// `host-test run`; it is killed when this is dropped. What it and its guests write is appended to one file, in the
/// order of writing.
pub struct HostProcess {
    child: Child,
    log: PathBuf,
}

impl HostProcess {
    /// Starts the workload of a manifest.
    pub fn start(manifest: &Path, log: &Path, arguments: &[&str]) -> Self {
        let file = OpenOptions::new().append(true).create(true).open(log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_host-test"))
            .arg("run")
            .arg(manifest)
            // Beside it the host keeps what it compiled, so that starts are quick.
            .arg("--components")
            .arg(target().join("components"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let log = log.to_owned();
        Self { child, log }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What was written to its file so far, by it and by those before.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until its file holds a text.
    pub fn wait_for(&self, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.log().contains(text) {
            assert!(Instant::now() < deadline, "never: {text}\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// kill -9.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end.
    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a script of bash that can mount file systems, which nobody else sees: `$1` is `state`, `$2` is `log`, then `more`, and
/// behind them the command of a host that runs a manifest for so long. Returns what the script said and what is in `log`.
pub fn run_with_mounts(
    script: &str,
    state: &Path,
    log: &Path,
    more: &[&Path],
    manifest: &Path,
    limit: &str,
) -> [String; 2] {
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "bash", "-c", script, "bash"])
        .args([state, log])
        .args(more)
        .args([env!("CARGO_BIN_EXE_host-test"), "run"])
        .arg(manifest)
        .args(["--for", limit])
        .stdin(Stdio::null())
        .output()
        .expect("unshare (util-linux) mounts a small file system for this test");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let logged = fs::read_to_string(log).unwrap_or_default();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{logged}{stderr}");
    [said, logged]
}
