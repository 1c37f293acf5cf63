//! A collector of OpenTelemetry that prints what it gets.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result};

use crate::cargo_build;
use crate::workspace::Workspace;

/// Where examples expect it.
const HTTP: u16 = 4318;

/// A running collector. It is killed when this is dropped.
pub(crate) struct Collector {
    child: Child,
}

impl Collector {
    /// Starts it, unless something listens in its place already.
    pub(crate) fn start(workspace: &Workspace) -> Result<Option<Self>> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, HTTP));
        if TcpListener::bind(address).is_err() {
            println!("something listens on {address} already; it is taken for a collector, and gets everything");
            return Ok(None);
        }
        let mut command = Command::new(cargo_build::binary(workspace, "mainstay-collector", "collector")?);
        if console::user_attended() {
            command.env("CLICOLOR_FORCE", "1");
        }
        // A process group of its own, so that the terminal's Ctrl-C does not end it before the host has sent all it has.
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("the collector cannot be started")?;
        println!("a collector listens on {address}");
        Ok(Some(Self { child }))
    }

    /// What it prints. The second time there is nothing.
    pub(crate) fn output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // It has ended already where these fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
