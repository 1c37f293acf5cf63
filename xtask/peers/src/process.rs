//! A program that listens on a port of the loopback.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long most programs may take to serve, on a busy machine.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(20);

/// Starts a program, and waits until `ready` says that it serves. Its output is added to `log`, whose last lines the error
/// shows if it does not do so within the limit.
pub(crate) fn start(
    command: &mut Command,
    log: &Path,
    limit: Duration,
    mut ready: impl FnMut() -> bool,
) -> Result<Child> {
    let output = File::options().create(true).append(true).open(log);
    let output = output.with_context(|| format!("write {}", log.display()))?;
    let errors = output.try_clone()?;
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    // A terminal's Ctrl-C is not for it: whoever started it stops it, last of all.
    command.process_group(0);
    let name = command.get_program().to_owned();
    let mut child = command.spawn().with_context(|| format!("start {}", name.display()))?;
    let deadline = Instant::now() + limit;
    while !ready() {
        let ended = child.try_wait().context("wait for it")?;
        if ended.is_some() || Instant::now() > deadline {
            kill(&mut child);
            let log = fs::read_to_string(log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines.get(lines.len().saturating_sub(10)..).unwrap_or_default();
            bail!("{} does not start:\n{}", name.display(), last.join("\n"));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(child)
}

/// Kills it without a warning. It may have ended by itself.
pub(crate) fn kill(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Whether something accepts connections there.
pub(crate) fn accepts(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    Ok(listener.local_addr()?.port())
}
