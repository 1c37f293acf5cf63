//! A TCP connection whose every wait has a deadline.
//!
//! std's sockets cannot wait for a while only, so it is made of WASI's own.

use std::time::Instant;

use bytes::BytesMut;
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use wasip2::sockets::tcp::TcpSocket;
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

use crate::conversation::Failure;
use crate::settings::address;

/// How much is read at once.
const READ: u64 = 64 * 1024;

/// A connection. Fields are in the order in which they have to go.
pub(crate) struct Transport {
    input: InputStream,
    output: OutputStream,
    _socket: TcpSocket,
}

impl Transport {
    /// Connects to the service's endpoint.
    pub(crate) fn connect(deadline: Instant) -> Result<Self, Failure> {
        let address = address()?;
        let failed = |error: ErrorCode| Failure::Unavailable(format!("the NATS service at {address}: {error:?}"));
        let socket = create_tcp_socket(IpAddressFamily::Ipv4).map_err(failed)?;
        let [a, b, c, d] = address.ip().octets();
        let remote = Ipv4SocketAddress {
            port: address.port(),
            address: (a, b, c, d),
        };
        let network = instance_network();
        socket
            .start_connect(&network, IpSocketAddress::Ipv4(remote))
            .map_err(failed)?;
        let ready = socket.subscribe();
        let (input, output) = loop {
            match socket.finish_connect() {
                Ok(streams) => break streams,
                Err(ErrorCode::WouldBlock) => wait(&ready, deadline)?,
                Err(error) => return Err(failed(error)),
            }
        };
        drop(ready);
        Ok(Self {
            input,
            output,
            _socket: socket,
        })
    }

    /// Reads what there is, at least a byte.
    pub(crate) fn read(&self, into: &mut BytesMut, deadline: Instant) -> Result<(), Failure> {
        loop {
            let bytes = self.input.read(READ).map_err(|error| gone(&error))?;
            if !bytes.is_empty() {
                into.extend_from_slice(&bytes);
                return Ok(());
            }
            wait(&self.input.subscribe(), deadline)?;
        }
    }

    /// Reads what there is already, without waiting.
    pub(crate) fn read_ready(&self, into: &mut BytesMut) -> Result<(), Failure> {
        loop {
            let bytes = self.input.read(READ).map_err(|error| gone(&error))?;
            if bytes.is_empty() {
                return Ok(());
            }
            into.extend_from_slice(&bytes);
        }
    }

    /// Writes all of it.
    pub(crate) fn write(&self, mut bytes: &[u8], deadline: Instant) -> Result<(), Failure> {
        while !bytes.is_empty() {
            let room = self.output.check_write().map_err(|error| gone(&error))?;
            if room == 0 {
                wait(&self.output.subscribe(), deadline)?;
                continue;
            }
            let (now, later) = bytes.split_at(bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
            self.output.write(now).map_err(|error| gone(&error))?;
            bytes = later;
        }
        self.output.flush().map_err(|error| gone(&error))
    }
}

fn gone(error: &StreamError) -> Failure {
    match error {
        StreamError::Closed => Failure::Unavailable("the NATS service hung up".to_owned()),
        StreamError::LastOperationFailed(error) => Failure::Unavailable(error.to_debug_string()),
    }
}

/// Waits until something is ready or the time is up.
fn wait(ready: &Pollable, deadline: Instant) -> Result<(), Failure> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(Failure::TimedOut);
    }
    let timer = subscribe_duration(u64::try_from(left.as_nanos()).unwrap_or(u64::MAX));
    poll(&[ready, &timer]);
    Ok(())
}
