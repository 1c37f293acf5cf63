//! A line there and one back, by WASI's own sockets.

use std::net::{Ipv4Addr, SocketAddr};

use wasip2::io::poll::poll;
use wasip2::io::streams::{InputStream, OutputStream, StreamError};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use wasip2::sockets::tcp::TcpSocket;
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

/// Where the service listens unless `MCP_CONTEXT` says otherwise, for it and for this component alike.
const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8083);

/// Read at once.
const READ: u64 = 64 << 10;

/// Sends a line and waits for one. There is no deadline here: a person may have to answer, and the call that this belongs
/// to has one.
pub(crate) fn exchange(line: &str) -> Result<Vec<u8>, String> {
    let address = address()?;
    let port = address.port;
    let unreachable = |error: ErrorCode| format!("the MCP service at port {port}: {error:?}");
    // Declared before what is made of it, so that it is dropped after.
    let socket = create_tcp_socket(IpAddressFamily::Ipv4).map_err(unreachable)?;
    let (input, output) = connect(&socket, address).map_err(unreachable)?;
    let gone = |error: StreamError| match error {
        StreamError::Closed => "the MCP service hung up".to_owned(),
        StreamError::LastOperationFailed(error) => error.to_debug_string(),
    };
    send(&output, format!("{line}\n").as_bytes()).map_err(gone)?;
    receive(&input).map_err(gone)
}

fn address() -> Result<Ipv4SocketAddress, String> {
    let address = match std::env::var("MCP_CONTEXT") {
        Err(_) => ADDRESS,
        Ok(text) => text
            .parse()
            .map_err(|_| format!("MCP_CONTEXT {text:?}: not an IP address and a port"))?,
    };
    let SocketAddr::V4(address) = address else {
        return Err(format!("MCP_CONTEXT {address}: not an IPv4 address of the loopback"));
    };
    let [a, b, c, d] = address.ip().octets();
    Ok(Ipv4SocketAddress {
        port: address.port(),
        address: (a, b, c, d),
    })
}

fn connect(socket: &TcpSocket, address: Ipv4SocketAddress) -> Result<(InputStream, OutputStream), ErrorCode> {
    socket.start_connect(&instance_network(), IpSocketAddress::Ipv4(address))?;
    let ready = socket.subscribe();
    loop {
        match socket.finish_connect() {
            Err(ErrorCode::WouldBlock) => drop(poll(&[&ready])),
            other => return other,
        }
    }
}

fn send(output: &OutputStream, mut bytes: &[u8]) -> Result<(), StreamError> {
    while !bytes.is_empty() {
        let room = usize::try_from(output.check_write()?).unwrap_or(usize::MAX);
        if room == 0 {
            poll(&[&output.subscribe()]);
            continue;
        }
        let (now, later) = bytes.split_at(bytes.len().min(room));
        output.write(now)?;
        bytes = later;
    }
    output.flush()
}

fn receive(input: &InputStream) -> Result<Vec<u8>, StreamError> {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let bytes = input.read(READ)?;
        if bytes.is_empty() {
            poll(&[&input.subscribe()]);
        }
        line.extend_from_slice(&bytes);
    }
    Ok(line)
}
