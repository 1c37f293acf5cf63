//! What an example has beside the host: a collector to send to, and somebody who asks something of it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::workspace::Workspace;
use crate::{cargo_build, process};

/// What one example wants.
pub(crate) struct Wish {
    example: &'static str,
    /// The collector that its manifest names, on this machine's port 4318.
    collector: bool,
    /// The path that is asked for every two seconds.
    visit: Option<&'static str>,
}

const WISHES: [Wish; 1] = [Wish {
    example: "otel",
    collector: true,
    visit: Some("/quote?item=tea"),
}];

/// Where the host serves HTTP for an example that is visited.
const HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8000);
const COLLECTOR: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4318);
const EVERY: Duration = Duration::from_secs(2);
/// How long a visitor waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the example wants, if anything.
pub(crate) fn wish(example: &str) -> Option<&'static Wish> {
    WISHES.iter().find(|wish| wish.example == example)
}

impl Wish {
    /// Arguments to `host-test run`.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let http = self.visit.map(|_| ["--http".to_owned(), HTTP.to_string()]);
        http.into_iter().flatten().collect()
    }

    /// Starts it all. What the collector prints is sent as `line` says.
    pub(crate) fn start<T: Send + 'static>(
        &self,
        workspace: &Workspace,
        sender: &Sender<T>,
        line: fn(String) -> T,
    ) -> Result<Beside> {
        let collector = if self.collector {
            collector(workspace, sender, line)?
        } else {
            None
        };
        Ok(Beside {
            collector,
            _visits: self.visit.map(visits),
        })
    }
}

/// Asks for a path again and again, until what this gives is dropped.
fn visits(path: &'static str) -> Sender<()> {
    println!(
        "somebody asks for http://{HTTP}{path} every {} s; try another",
        EVERY.as_secs()
    );
    let (stop, stopped) = mpsc::channel::<()>();
    thread::spawn(move || {
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(EVERY) {
            // The host may not be up yet, or no longer.
            let _ = visit(path);
        }
    });
    stop
}

/// What runs beside the host. It ends when this is dropped.
pub(crate) struct Beside {
    collector: Option<Child>,
    /// Dropping it ends the visits.
    _visits: Option<Sender<()>>,
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(collector) = &mut self.collector {
            // It has ended already where these fail.
            let _ = collector.kill();
            let _ = collector.wait();
        }
    }
}

/// Starts the collector, unless there is one already.
fn collector<T: Send + 'static>(
    workspace: &Workspace,
    sender: &Sender<T>,
    line: fn(String) -> T,
) -> Result<Option<Child>> {
    if TcpStream::connect_timeout(&COLLECTOR, Duration::from_secs(1)).is_ok() {
        println!("there is a collector on {COLLECTOR} already, which gets everything");
        return Ok(None);
    }
    let program = cargo_build::binary(workspace, "mainstay-collector", "collector")?;
    let mut command = Command::new(program);
    if console::user_attended() {
        command.env("CLICOLOR_FORCE", "1");
    }
    // A process group of its own, so that the terminal's Ctrl-C does not end it before the host has sent all it has.
    let mut child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("the collector cannot be started")?;
    process::forward(child.stdout.take(), sender.clone(), line);
    Ok(Some(child))
}

fn visit(path: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&HTTP, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {HTTP}\r\nconnection: close\r\n\r\n").as_bytes())?;
    stream.read_to_end(&mut Vec::new())?;
    Ok(())
}
