//! An OCI registry as a value.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::tools;

/// A running `docker-registry` on a free port of the loopback, empty at first. It is killed when this is dropped, and
/// what was pushed goes with it.
#[derive(Debug)]
pub struct Registry {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

/// How long it may take to accept connections.
const START_LIMIT: Duration = Duration::from_secs(20);

impl Registry {
    /// Starts one that lets everybody in, over plain HTTP.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub fn start() -> Result<Self> {
        let program = tools::docker_registry()?;
        let folder = tempfile::tempdir().context("make a folder for docker-registry")?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let config = folder.path().join("config.yml");
        let blobs = folder.path().join("blobs");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: \"{address}\"}}\n",
            blobs.display()
        );
        fs::write(&config, text).context("write docker-registry's configuration")?;
        let child = Command::new(program)
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start docker-registry")?;
        let mut registry = Self {
            child,
            address,
            _folder: folder,
        };
        registry.wait()?;
        Ok(registry)
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn wait(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("docker-registry ended at once ({status})");
            }
            if Instant::now() > deadline {
                bail!(
                    "docker-registry does not listen on {} after {} s",
                    self.address,
                    START_LIMIT.as_secs()
                );
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It has ended already where these fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
