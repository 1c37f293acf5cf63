//! A connection to the service: frames there and back, by WASI's own asynchronous sockets.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::time::Duration;

use bytes::BytesMut;
use futures::future::{Either, select};
use mainstay_pool_core::lease::{Ask, Refusal, Tell};
use wasip3::clocks::monotonic_clock::wait_for;
use wasip3::sockets::types::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, TcpSocket};
use wasip3::wit_bindgen::rt::async_support::{FutureReader, StreamReader, StreamResult, StreamWriter};
use wasip3::wit_stream;

use crate::bindings::exports::mainstay::socket_pool::pool::Error;
use crate::settings;

/// Read at once.
const READ: usize = 64 << 10;

/// Pauses in milliseconds before the service is tried again that does not listen yet: refused connects are not free in wash.
const PAUSES: [u64; 6] = [20, 40, 80, 160, 320, 640];

/// A connection to the service. Dropped, it is closed.
pub(crate) struct Link {
    _socket: TcpSocket,
    incoming: Cell<Option<StreamReader<u8>>>,
    outgoing: Cell<Option<StreamWriter<u8>>>,
    /// How writing ended: not asked, but dropped it would end writing.
    _written: FutureReader<Result<(), ErrorCode>>,
    /// How reading ended, likewise.
    _read: FutureReader<Result<(), ErrorCode>>,
    heard: RefCell<BytesMut>,
}

impl Link {
    /// Connects; the service may not listen yet, so a few times.
    pub(crate) async fn open() -> Result<Self, Error> {
        let address = settings::address()?;
        let [a, b, c, d] = address.ip().octets();
        let port = address.port();
        let address = IpSocketAddress::Ipv4(Ipv4SocketAddress {
            port,
            address: (a, b, c, d),
        });
        let mut pauses = PAUSES.iter();
        let socket = loop {
            let socket = TcpSocket::create(IpAddressFamily::Ipv4).map_err(|error| unreachable(port, &error))?;
            match (socket.connect(address).await, pauses.next()) {
                (Ok(()), _) => break socket,
                (Err(ErrorCode::ConnectionRefused), Some(pause)) => sleep(Duration::from_millis(*pause)).await,
                (Err(error), _) => return Err(unreachable(port, &error)),
            }
        };
        let (incoming, read) = socket.receive();
        let (outgoing, data) = wit_stream::new();
        let written = socket.send(data);
        Ok(Self {
            _socket: socket,
            incoming: Cell::new(Some(incoming)),
            outgoing: Cell::new(Some(outgoing)),
            _written: written,
            _read: read,
            heard: RefCell::default(),
        })
    }

    /// Says something; returns when the host has taken it.
    pub(crate) async fn say(&self, ask: &Ask) -> Result<(), Error> {
        let mut frames = BytesMut::new();
        ask.encode(&mut frames);
        let mut outgoing = Taken::from(&self.outgoing)?;
        match outgoing.value()?.write_all(frames.to_vec()).await.is_empty() {
            true => Ok(()),
            false => Err(gone()),
        }
    }

    /// The next thing that the service says.
    pub(crate) async fn hear(&self) -> Result<Tell, Error> {
        let mut incoming = Taken::from(&self.incoming)?;
        loop {
            let tell = Tell::decode(&mut self.heard.borrow_mut());
            if let Some(tell) = tell.map_err(|error| Error::Unavailable(format!("the pool says {error}")))? {
                return Ok(tell);
            }
            match incoming.value()?.read(Vec::with_capacity(READ)).await {
                (StreamResult::Complete(_), bytes) => self.heard.borrow_mut().extend_from_slice(&bytes),
                _ => return Err(gone()),
            }
        }
    }

    /// Says that nothing more will be said, and waits until the service has hung up.
    pub(crate) async fn close(&self) {
        self.outgoing.take();
        // What it still says is of no interest.
        while self.hear().await.is_ok() {}
    }
}

/// One half of a connection while somebody uses it. It goes back in any case, the end of a cancelled call included.
struct Taken<'a, T> {
    from: &'a Cell<Option<T>>,
    taken: Option<T>,
}

impl<'a, T> Taken<'a, T> {
    fn from(from: &'a Cell<Option<T>>) -> Result<Self, Error> {
        match from.take() {
            None => Err(Error::Unavailable(
                "another call reads or writes on this lease; one at a time".to_owned(),
            )),
            taken => Ok(Self { from, taken }),
        }
    }

    fn value(&mut self) -> Result<&mut T, Error> {
        self.taken.as_mut().ok_or(Error::Released)
    }
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        self.from.set(self.taken.take());
    }
}

fn gone() -> Error {
    Error::Lost("the pool hung up".to_owned())
}

fn unreachable(port: u16, error: &ErrorCode) -> Error {
    Error::Unavailable(format!("the pool's port {port}: {error:?}"))
}

/// What was said in place of what was asked for: why not, mostly.
pub(crate) fn unexpected(tell: Tell) -> Error {
    match tell {
        Tell::Refused(refusal, why) => match refusal {
            Refusal::NoSuchPool => Error::NoSuchPool(why),
            Refusal::NotLeasable => Error::NotLeasable(why),
            Refusal::TimedOut => Error::Timeout(why),
            Refusal::QueueFull => Error::QueueFull(why),
            Refusal::CircuitOpen => Error::CircuitOpen(why),
            Refusal::Rejected | Refusal::Token => Error::Rejected(why),
            Refusal::Draining => Error::Draining(why),
            Refusal::Unclean => Error::Unclean(why),
            Refusal::Lost => Error::Lost(why),
            Refusal::Protocol => Error::Unavailable(why),
        },
        _ => Error::Unavailable("the pool says what was not asked for".to_owned()),
    }
}

async fn sleep(duration: Duration) {
    wait_for(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)).await;
}

/// What comes of something, within this time.
pub(crate) async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match select(Box::pin(work), Box::pin(sleep(limit))).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => Err(Error::Unavailable(format!("the pool gives no answer within {limit:?}"))),
    }
}
