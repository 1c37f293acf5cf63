//! Rotel, an OpenTelemetry collector, as a value.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{process, tools};

/// A running `rotel-agent` that takes OTLP on free ports of the loopback. It is killed when this is dropped.
#[derive(Debug)]
pub struct Rotel {
    child: Child,
    http: SocketAddr,
    grpc: SocketAddr,
    folder: TempDir,
}

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
        let (http, grpc) = (address()?, address()?);
        let mut command = Command::new(tools::rotel()?);
        command
            .args(["start", "--batch-timeout", BATCH])
            .arg(format!("--otlp-http-endpoint={http}"))
            .arg(format!("--otlp-grpc-endpoint={grpc}"))
            .arg("--pid-file")
            .arg(folder.path().join("pid"))
            .args(arguments);
        let ready = || process::accepts(http.port()) && process::accepts(grpc.port());
        let child = process::start(&mut command, &folder.path().join("log"), process::START_LIMIT, ready)?;
        Ok(Self {
            child,
            http,
            grpc,
            folder,
        })
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
}

impl Drop for Rotel {
    fn drop(&mut self) {
        process::kill(&mut self.child);
    }
}

/// An address that nobody listens on.
fn address() -> Result<SocketAddr> {
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, process::free_port()?)))
}
