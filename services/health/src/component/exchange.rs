//! One request and its answer over one connection, within one deadline.

use std::net::SocketAddr;
use std::time::Duration;

use wasip2::clocks::monotonic_clock;
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress};
use wasip2::sockets::tcp::TcpSocket;
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

use crate::answer::MAX_ANSWER;

/// Sends `request` and yields all that comes back. One attempt to connect: in wash each refused one costs the workload
/// a port. The error continues "the service at 127.0.0.1:8081".
pub(super) fn exchange(address: SocketAddr, request: &[u8], timeout: Duration) -> Result<Vec<u8>, String> {
    let deadline = Deadline::after(timeout);
    // Declared before what is made of it, so that it is dropped after.
    let socket = open(address).map_err(unreachable)?;
    let (input, output) = connected(&socket, &deadline)?;
    send(&output, request, &deadline)?;
    receive(&input, &deadline)
}

struct Deadline {
    timeout: Duration,
    passed: Pollable,
}

impl Deadline {
    fn after(timeout: Duration) -> Self {
        let nanoseconds = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        Self {
            timeout,
            passed: monotonic_clock::subscribe_duration(nanoseconds),
        }
    }

    fn wait(&self, ready: &Pollable) -> Result<(), String> {
        match poll(&[ready, &self.passed]).contains(&0) {
            true => Ok(()),
            false => Err(format!("did not answer within {:?}", self.timeout)),
        }
    }
}

fn open(address: SocketAddr) -> Result<TcpSocket, ErrorCode> {
    let family = if address.is_ipv4() {
        IpAddressFamily::Ipv4
    } else {
        IpAddressFamily::Ipv6
    };
    let socket = create_tcp_socket(family)?;
    socket.start_connect(&instance_network(), wasi_address(address))?;
    Ok(socket)
}

fn connected(socket: &TcpSocket, deadline: &Deadline) -> Result<(InputStream, OutputStream), String> {
    let ready = socket.subscribe();
    loop {
        match socket.finish_connect() {
            Ok(streams) => return Ok(streams),
            Err(ErrorCode::WouldBlock) => deadline.wait(&ready)?,
            Err(error) => return Err(unreachable(error)),
        }
    }
}

fn send(output: &OutputStream, mut request: &[u8], deadline: &Deadline) -> Result<(), String> {
    let ready = output.subscribe();
    while !request.is_empty() {
        let permitted = usize::try_from(output.check_write().map_err(hung_up)?).unwrap_or(usize::MAX);
        let (now, later) = request.split_at_checked(permitted).unwrap_or((request, &[]));
        if now.is_empty() {
            deadline.wait(&ready)?;
        }
        output.write(now).map_err(hung_up)?;
        request = later;
    }
    output.flush().map_err(hung_up)
}

fn receive(input: &InputStream, deadline: &Deadline) -> Result<Vec<u8>, String> {
    let mut received = Vec::new();
    let ready = input.subscribe();
    loop {
        match input.read(64 * 1024) {
            Ok(part) if part.is_empty() => deadline.wait(&ready)?,
            Ok(part) => received.extend_from_slice(&part),
            Err(StreamError::Closed) => return Ok(received),
            Err(error) => return Err(hung_up(error)),
        }
        if received.len() > MAX_ANSWER {
            return Err(format!("answers with more than {} KiB", MAX_ANSWER / 1024));
        }
    }
}

/// A refusal comes as the connection begins in wash, and as it ends on other hosts.
fn unreachable(error: ErrorCode) -> String {
    match error {
        ErrorCode::ConnectionRefused => "is not there: connection refused".to_owned(),
        error => format!("cannot be connected to: {}", error.name()),
    }
}

fn hung_up(error: StreamError) -> String {
    match error {
        StreamError::Closed => "hung up".to_owned(),
        StreamError::LastOperationFailed(error) => format!("hung up: {}", error.to_debug_string()),
    }
}

fn wasi_address(address: SocketAddr) -> IpSocketAddress {
    match address {
        SocketAddr::V4(address) => {
            let [a, b, c, d] = address.ip().octets();
            IpSocketAddress::Ipv4(Ipv4SocketAddress {
                port: address.port(),
                address: (a, b, c, d),
            })
        }
        SocketAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h] = address.ip().segments();
            IpSocketAddress::Ipv6(Ipv6SocketAddress {
                port: address.port(),
                flow_info: address.flowinfo(),
                address: (a, b, c, d, e, f, g, h),
                scope_id: address.scope_id(),
            })
        }
    }
}
