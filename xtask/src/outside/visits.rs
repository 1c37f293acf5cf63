//! Somebody who asks a component of the workload by HTTP.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

/// Where the host serves HTTP for an example that is visited.
pub(crate) const HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8000);

/// The pause between two visits.
const PAUSE: Duration = Duration::from_secs(2);

/// How long a visitor waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks for one path after the other, for as long as this process lives.
pub(crate) fn begin(paths: Vec<String>) {
    let shown = paths.join(" and ");
    println!("somebody asks http://{HTTP} for {shown} every {PAUSE:?}");
    thread::spawn(move || {
        for path in paths.iter().cycle() {
            thread::sleep(PAUSE);
            // The host may not be up yet, or no longer.
            let _ = visit(path);
        }
    });
}

fn visit(path: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&HTTP, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {HTTP}\r\nconnection: close\r\n\r\n").as_bytes())?;
    stream.read_to_end(&mut Vec::new())?;
    Ok(())
}
