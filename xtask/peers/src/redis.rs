//! Redis as a value.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{process, tools};

/// A running Redis on a free port of the loopback. It is killed when this is dropped, and its files go with it.
#[derive(Debug)]
pub struct Redis {
    child: Option<Child>,
    port: u16,
    arguments: Vec<String>,
    folder: TempDir,
}

const PACKAGE: &str = "redis-tools";

impl Redis {
    /// Starts one with these arguments, as `--requirepass secret`.
    ///
    /// # Errors
    /// It is not there, or does not start; the last lines of its log.
    pub fn start(arguments: &[&str]) -> Result<Self> {
        Self::on_port(process::free_port()?, arguments)
    }

    /// [`Redis::start`] on a port that others know.
    ///
    /// # Errors
    /// As [`Redis::start`]; the port may be taken.
    pub fn on_port(port: u16, arguments: &[&str]) -> Result<Self> {
        let mut server = Self {
            child: None,
            port,
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            folder: tempfile::tempdir().context("make a folder for Redis")?,
        };
        server.start_again()?;
        Ok(server)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Kills it without a warning.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            process::kill(&mut child);
        }
    }

    /// Starts it where it was killed.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub fn start_again(&mut self) -> Result<()> {
        let (program, libraries) = tools::debian(PACKAGE, "usr/bin/redis-check-rdb")?;
        let mut command = Command::new(program);
        command
            .arg0("redis-server")
            .env("LD_LIBRARY_PATH", libraries)
            .args([
                "--bind",
                "127.0.0.1",
                "--port",
                &self.port.to_string(),
                "--save",
                "",
                "--dir",
            ])
            .arg(self.folder())
            .args(&self.arguments);
        let log = self.folder().join("log");
        self.child = Some(process::start(&mut command, &log, process::START_LIMIT, || {
            process::accepts(self.port)
        })?);
        Ok(())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A program that came with it: `redis-cli`, `redis-benchmark`; and the folder of its libraries.
///
/// # Errors
/// It is not there; the command that fetches it.
pub fn program(name: &str) -> Result<(PathBuf, PathBuf)> {
    tools::debian(PACKAGE, &format!("usr/bin/{name}"))
}
