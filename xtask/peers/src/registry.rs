//! An OCI registry as a value.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{process, tools};

/// A running `docker-registry` on a free port of the loopback, empty at first. It is killed when this is dropped, and
/// what was pushed goes with it.
#[derive(Debug)]
pub struct Registry {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Registry {
    /// Starts one that lets everybody in, over plain HTTP.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub fn start() -> Result<Self> {
        let program = tools::docker_registry()?;
        let folder = tempfile::tempdir().context("make a folder for docker-registry")?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, process::free_port()?));
        let config = folder.path().join("config.yml");
        let blobs = folder.path().join("blobs");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: \"{address}\"}}\n",
            blobs.display()
        );
        fs::write(&config, text).context("write docker-registry's configuration")?;
        let log = folder.path().join("log");
        let mut command = Command::new(program);
        command.arg("serve").arg(&config);
        let child = process::start(&mut command, &log, process::START_LIMIT, || {
            process::accepts(address.port())
        })?;
        Ok(Self {
            child,
            address,
            _folder: folder,
        })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        process::kill(&mut self.child);
    }
}
