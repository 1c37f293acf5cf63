//! Somebody who asks a component of the workload by HTTP.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Where the host serves HTTP for an example that is visited.
pub(crate) const HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8000);

/// The pause between two visits.
const PAUSE: Duration = Duration::from_secs(2);

/// How long a visitor waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where else HTTP is to be served, if these arguments to `host-test run` say so.
pub(crate) fn given(arguments: &[String]) -> Option<&str> {
    let mut following = arguments.iter().skip(1);
    arguments.iter().find_map(|argument| {
        let next = following.next();
        match argument.as_str() {
            "--http" => next.map(String::as_str),
            other => other.strip_prefix("--http="),
        }
    })
}

/// Sends one request after the other, each a method and a path as in `GET /notes`, and tells `line` what is answered until
/// that wants no more.
pub(crate) fn begin(requests: Vec<String>, line: impl Fn(String) -> bool + Send + 'static) {
    println!(
        "somebody asks http://{HTTP} for {} every {PAUSE:?}",
        requests.join(", ")
    );
    thread::spawn(move || {
        for request in requests.iter().cycle() {
            thread::sleep(PAUSE);
            let began = Instant::now();
            // The host may not be up yet, or no longer.
            let Ok(answer) = visit(request) else { continue };
            if !line(format!("{request}  ({:.1?}): {}", began.elapsed(), answer.trim_end())) {
                return;
            }
        }
    });
}

/// The body of the answer.
fn visit(request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&HTTP, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{request} HTTP/1.0\r\nhost: {HTTP}\r\ncontent-length: 0\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    body.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
