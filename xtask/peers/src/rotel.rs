//! Rotel, an OpenTelemetry collector, as a value.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::tools;

/// A running `rotel-agent` that takes OTLP on free ports of the loopback. It is killed when this is dropped.
#[derive(Debug)]
pub struct Rotel {
    child: Child,
    http: SocketAddr,
    grpc: SocketAddr,
    folder: TempDir,
}

/// How long it may take to accept connections.
const START_LIMIT: Duration = Duration::from_secs(20);

/// How long it gathers before it sends: a test does not want to wait.
const BATCH: &str = "20ms";

impl Rotel {
    /// Starts one that hands everything on by OTLP/HTTP.
    ///
    /// # Errors
    /// It is not installed, or does not start; its log.
    pub fn forwarding_by_http(collector: SocketAddr) -> Result<Self> {
        let endpoint = format!("http://{collector}");
        Self::start(&[
            "--exporter=otlp",
            "--otlp-exporter-protocol=http",
            "--otlp-exporter-endpoint",
            &endpoint,
        ])
    }

    /// Starts one that hands everything on by OTLP/gRPC.
    ///
    /// # Errors
    /// As [`Rotel::forwarding_by_http`].
    pub fn forwarding_by_grpc(collector: SocketAddr) -> Result<Self> {
        let endpoint = format!("http://{collector}");
        Self::start(&[
            "--exporter=otlp",
            "--otlp-exporter-protocol=grpc",
            "--otlp-exporter-endpoint",
            &endpoint,
        ])
    }

    /// Starts one that throws everything away.
    ///
    /// # Errors
    /// As [`Rotel::forwarding_by_http`].
    pub fn discarding() -> Result<Self> {
        Self::start(&["--exporter=blackhole"])
    }

    /// Starts one with these arguments to `rotel-agent start`.
    ///
    /// # Errors
    /// As [`Rotel::forwarding_by_http`].
    pub fn start(arguments: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for rotel-agent")?;
        let (http, grpc) = (free_address()?, free_address()?);
        let log = File::create(folder.path().join("log")).context("make a file for rotel-agent's log")?;
        let child = Command::new(tools::rotel()?)
            .args(["start", "--batch-timeout", BATCH])
            .arg(format!("--otlp-http-endpoint={http}"))
            .arg(format!("--otlp-grpc-endpoint={grpc}"))
            .arg("--pid-file")
            .arg(folder.path().join("pid"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("start rotel-agent")?;
        let mut rotel = Self {
            child,
            http,
            grpc,
            folder,
        };
        rotel.wait()?;
        Ok(rotel)
    }

    /// Where it takes OTLP/HTTP.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where it takes OTLP/gRPC.
    pub fn grpc(&self) -> SocketAddr {
        self.grpc
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn wait(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(self.http).is_err() || TcpStream::connect(self.grpc).is_err() {
            let ended = self.child.try_wait().context("wait for rotel-agent")?;
            if ended.is_some() || Instant::now() > deadline {
                bail!(
                    "rotel-agent does not listen on {} and {}:\n{}",
                    self.http,
                    self.grpc,
                    self.log()
                );
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Rotel {
    fn drop(&mut self) {
        // It has ended already where these fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens on.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    Ok(listener.local_addr()?)
}
