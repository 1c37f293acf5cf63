//! The connection.

use std::net::SocketAddrV4;
use std::time::Instant;

use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use wasip2::sockets::tcp::TcpSocket;
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

/// How much is read at once, in bytes.
const READ: u64 = 64 * 1024;

/// Why a connection is not there, or no longer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody listens there, or the host does not let the component connect.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// The service closed the connection.
    #[error("the connection was closed")]
    Closed,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The deadline has passed.
    #[error("no answer in time")]
    TimedOut,
}

/// A connection. Fields are in the order in which they have to go.
#[derive(Debug)]
pub struct Connection {
    input: InputStream,
    output: OutputStream,
    _socket: TcpSocket,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// [`Error::Unreachable`] or [`Error::TimedOut`].
    pub fn open(address: SocketAddrV4, deadline: Instant) -> Result<Self, Error> {
        let failed = |error: ErrorCode| Error::Unreachable(format!("{error:?}"));
        let socket = create_tcp_socket(IpAddressFamily::Ipv4).map_err(failed)?;
        let [a, b, c, d] = address.ip().octets();
        let remote = Ipv4SocketAddress {
            port: address.port(),
            address: (a, b, c, d),
        };
        socket
            .start_connect(&instance_network(), IpSocketAddress::Ipv4(remote))
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
    ///
    /// # Errors
    /// The connection is gone, or nothing came in time.
    pub fn read(&self, deadline: Instant) -> Result<Vec<u8>, Error> {
        loop {
            let bytes = self.read_available()?;
            if !bytes.is_empty() {
                return Ok(bytes);
            }
            wait(&self.input.subscribe(), deadline)?;
        }
    }

    /// Reads what there is, if there is anything.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn read_available(&self) -> Result<Vec<u8>, Error> {
        self.input.read(READ).map_err(|error| gone(&error))
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// The connection is gone, or the service did not take it in time.
    pub fn write(&self, mut bytes: &[u8], deadline: Instant) -> Result<(), Error> {
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

fn gone(error: &StreamError) -> Error {
    match error {
        StreamError::Closed => Error::Closed,
        StreamError::LastOperationFailed(error) => Error::Broken(error.to_debug_string()),
    }
}

/// Waits until something is ready or the time is up.
fn wait(ready: &Pollable, deadline: Instant) -> Result<(), Error> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(Error::TimedOut);
    }
    let timer = subscribe_duration(u64::try_from(left.as_nanos()).unwrap_or(u64::MAX));
    poll(&[ready, &timer]);
    Ok(())
}
