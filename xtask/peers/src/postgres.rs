//! PostgreSQL as a value.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::{process, tools};

/// A running PostgreSQL on a free port of the loopback, with the database `app`, which the role `app` owns, and the
/// superuser `postgres`. It is killed when this is dropped, and its files go with it.
#[derive(Debug)]
pub struct Postgres {
    child: Option<Child>,
    port: u16,
    folder: TempDir,
}

/// The password of the role `app`.
pub const PASSWORD: &str = "s3cret p@ss";

/// [`PASSWORD`] as it is written in a URL.
pub const PASSWORD_IN_URL: &str = "s3cret%20p%40ss";

/// PostgreSQL refuses to run as root; so a test that is root runs it as the user that Debian makes for it, where it was
/// installed, and else as nobody.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// How long it may take to serve: after a crash it reads its log first.
const START_LIMIT: Duration = Duration::from_secs(60);

impl Postgres {
    /// Starts one that wants SCRAM-SHA-256.
    ///
    /// # Errors
    /// It is not installed, or does not start; the last lines of its log.
    pub fn start() -> Result<Self> {
        Self::with_config("scram-sha-256", "")
    }

    /// [`Postgres::start`] on a port that others know.
    ///
    /// # Errors
    /// As [`Postgres::start`]; the port may be taken.
    pub fn on_port(port: u16) -> Result<Self> {
        Self::of("scram-sha-256", "", port)
    }

    /// Starts one that wants this method of authentication, with these lines in its configuration. `$FOLDER` in them
    /// stands for a folder of its own.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub fn with_config(method: &str, lines: &str) -> Result<Self> {
        Self::of(method, lines, process::free_port()?)
    }

    fn of(method: &str, lines: &str, port: u16) -> Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for PostgreSQL")?;
        give(folder.path())?;
        let mut server = Self {
            child: None,
            port,
            folder,
        };
        let data = server.data();
        run(command("initdb")?
            .args([
                "--username=postgres",
                "--auth=trust",
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
            ])
            .arg("-D")
            .arg(&data))?;
        let lines = lines.replace("$FOLDER", &server.folder().display().to_string());
        let port = server.port;
        let encryption = if method == "md5" { "md5" } else { "scram-sha-256" };
        let configuration = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\nfsync = off\n\
             max_connections = 100\npassword_encryption = '{encryption}'\n{lines}\n"
        );
        append(&data.join("postgresql.conf"), &configuration)?;
        let access = format!("host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 {method}\n");
        fs::write(data.join("pg_hba.conf"), access)?;
        server.start_again()?;
        server.sql("postgres", &format!("CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'"))?;
        server.sql("postgres", "CREATE DATABASE app OWNER app")?;
        Ok(server)
    }

    /// Lets it speak TLS, with this certificate and its key; restarts it.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub fn enable_tls(&mut self, certificate: &str, key: &str) -> Result<()> {
        let files = [("cert.pem", certificate, 0o644), ("key.pem", key, 0o600)];
        for (name, text, mode) in files {
            let path = self.folder().join(name);
            fs::write(&path, text)?;
            // It takes no key that others may read.
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
            give(&path)?;
        }
        let folder = self.folder().display();
        let lines = format!("ssl = on\nssl_cert_file = '{folder}/cert.pem'\nssl_key_file = '{folder}/key.pem'\n");
        append(&self.data().join("postgresql.conf"), &lines)?;
        self.kill();
        self.start_again()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its folder, for certificates and the like.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// Runs SQL as the superuser; gives what comes back, unaligned and without heads.
    ///
    /// # Errors
    /// It fails; what psql says.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String> {
        let port = self.port.to_string();
        let output = Command::new(tools::postgres("psql")?)
            .args([
                "-X",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                "127.0.0.1",
                "-U",
                "postgres",
                "-p",
                &port,
            ])
            .args(["-d", database, "-c", sql])
            .output()
            .context("run psql")?;
        if !output.status.success() {
            bail!("{sql}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// Ends it as a crash would: all its sessions are cut.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Killed outright it would leave its children behind; they notice within seconds, too late for a restart.
            let stopped = command("pg_ctl")
                .and_then(|mut command| run(command.args(["stop", "--mode=immediate", "-w", "-D"]).arg(self.data())));
            if stopped.is_err() {
                let _ = child.kill();
            }
            let _ = child.wait();
        }
    }

    /// Starts it where it was killed.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub fn start_again(&mut self) -> Result<()> {
        let (port, log) = (self.port, self.folder().join("log"));
        let is_ready = tools::postgres("pg_isready")?;
        let ready = || {
            let port = port.to_string();
            let mut command = Command::new(&is_ready);
            process::accepts(self.port)
                && command
                    .args(["-q", "-h", "127.0.0.1", "-p", &port])
                    .status()
                    .is_ok_and(|status| status.success())
        };
        let child = process::start(
            command("postgres")?.arg("-D").arg(self.data()),
            &log,
            START_LIMIT,
            ready,
        )?;
        self.child = Some(child);
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A program of the server, as a user that it accepts.
fn command(name: &str) -> Result<Command> {
    let program = tools::postgres(name)?;
    if !is_root() {
        return Ok(Command::new(program));
    }
    let (user, group) = user()?;
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", &user, "--regid", &group, "--init-groups", "--"])
        .arg(program)
        // The folder of who runs the tests may be closed to it.
        .current_dir("/");
    Ok(command)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("run {:?}", command.get_program()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("{:?} fails: {text}", command.get_program());
    }
    Ok(())
}

/// The first of [`USERS`] that there is, and the number of its group.
fn user() -> Result<(String, String)> {
    let users = fs::read_to_string("/etc/passwd").context("read /etc/passwd")?;
    let group = |user: &str| {
        let mut lines = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        lines.find_map(|fields| match fields.as_slice() {
            [name, _, _, group, ..] if *name == user => Some((user.to_owned(), (*group).to_owned())),
            _ => None,
        })
    };
    let found = USERS.iter().find_map(|user| group(user));
    found.with_context(|| {
        format!(
            "PostgreSQL refuses to run as root, and there is none of {}",
            USERS.join(", ")
        )
    })
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Gives the folder to the user that the server runs as.
fn give(folder: &Path) -> Result<()> {
    if is_root() {
        let (user, group) = user()?;
        run(Command::new("chown").arg(format!("{user}:{group}")).arg(folder))?;
    }
    Ok(())
}

fn append(path: &Path, text: &str) -> Result<()> {
    let before = fs::read_to_string(path)?;
    fs::write(path, before + text).with_context(|| format!("write {}", path.display()))
}
