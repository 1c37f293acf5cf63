//! PgBouncer as a value: the peer beside ours in benchmarks.

use std::fs;
use std::process::{Child, Command};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{Postgres, postgres, process, tools};

/// A running PgBouncer on a free port of the loopback, with transaction pooling to the database `app`. It is killed when
/// this is dropped.
#[derive(Debug)]
pub struct PgBouncer {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl PgBouncer {
    /// Starts one that lets everybody in, with so many connections to the server.
    ///
    /// # Errors
    /// It is not there, or does not start; the last lines of its log.
    pub fn start(server: &Postgres, connections: usize) -> Result<Self> {
        let (program, libraries) = tools::debian("pgbouncer", "usr/sbin/pgbouncer")?;
        let folder = tempfile::tempdir().context("make a folder for PgBouncer")?;
        let port = process::free_port()?;
        let password = postgres::PASSWORD;
        let server_port = server.port();
        let text = format!(
            "[databases]\napp = host=127.0.0.1 port={server_port} dbname=app user=app password='{password}'\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = {connections}\nmax_client_conn = 1000\n"
        );
        let configuration = folder.path().join("pgbouncer.ini");
        fs::write(&configuration, text)?;
        let mut command = Command::new(program);
        command.env("LD_LIBRARY_PATH", libraries).arg(&configuration);
        // It refuses to run as root.
        if fs::metadata("/proc/self").is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0) {
            command.args(["-u", "nobody"]);
            Command::new("chmod")
                .arg("-R")
                .arg("a+rX")
                .arg(folder.path())
                .status()?;
        }
        let child = process::start(&mut command, &folder.path().join("log"), process::START_LIMIT, || {
            process::accepts(port)
        })?;
        Ok(Self {
            child,
            port,
            _folder: folder,
        })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        process::kill(&mut self.child);
    }
}
