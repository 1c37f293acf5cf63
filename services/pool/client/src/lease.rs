//! `mainstay:socket-pool/pool.lease`.

use std::cell::{Cell, RefCell};

use bytes::{Buf, Bytes};
use mainstay_pool_core::lease::{Ask, Tell};

use crate::bindings::exports::mainstay::socket_pool::pool::{Condition, Error, GuestLease};
use crate::link::{Link, unexpected};

pub(crate) struct Lease {
    link: Link,
    connection: u64,
    /// What came and was not asked for yet.
    rest: RefCell<Bytes>,
    /// Bytes that the holder was given.
    read: Cell<u64>,
    /// The upstream will say nothing more.
    ended: Cell<bool>,
    /// It was released, or is lost.
    over: Cell<bool>,
}

impl Lease {
    pub(crate) fn new(link: Link, connection: u64) -> Self {
        Self {
            link,
            connection,
            rest: RefCell::default(),
            read: Cell::new(0),
            ended: Cell::new(false),
            over: Cell::new(false),
        }
    }

    fn check(&self) -> Result<(), Error> {
        match self.over.get() {
            true => Err(Error::Released),
            false => Ok(()),
        }
    }

    /// What a failure means for the calls after it.
    fn noted(&self, error: Error) -> Error {
        if !matches!(error, Error::Unavailable(_)) {
            self.over.set(true);
        }
        error
    }

    /// Bytes that are there, at most so many.
    fn take(&self, max: u32) -> Vec<u8> {
        let mut rest = self.rest.borrow_mut();
        let length = rest.len().min(usize::try_from(max.max(1)).unwrap_or(usize::MAX));
        let bytes = rest.split_to(length).to_vec();
        self.read.set(self.read.get() + bytes.len() as u64);
        bytes
    }

    async fn give_back(&self) -> Result<(), Error> {
        let read = self.read.get();
        self.link.say(&Ask::Release { read }).await?;
        loop {
            match self.link.hear().await? {
                Tell::Released => return Ok(()),
                // On its way when this was said: the pool knows that it was not read.
                Tell::Data(_) | Tell::End => {}
                other => return Err(unexpected(other)),
            }
        }
    }
}

impl GuestLease for Lease {
    fn connection(&self) -> u64 {
        self.connection
    }

    async fn read(&self, max: u32) -> Result<Vec<u8>, Error> {
        self.check()?;
        loop {
            if self.rest.borrow().has_remaining() {
                return Ok(self.take(max));
            }
            if self.ended.get() {
                return Ok(Vec::new());
            }
            match self.link.hear().await.map_err(|error| self.noted(error))? {
                Tell::Data(bytes) => *self.rest.borrow_mut() = bytes,
                Tell::End => self.ended.set(true),
                other => return Err(self.noted(unexpected(other))),
            }
        }
    }

    async fn write(&self, bytes: Vec<u8>) -> Result<(), Error> {
        self.check()?;
        let said = self.link.say(&Ask::Data(Bytes::from(bytes))).await;
        said.map_err(|error| self.noted(error))
    }

    async fn release(&self, condition: Condition) -> Result<(), Error> {
        self.check()?;
        self.over.set(true);
        let result = match condition {
            Condition::Clean => self.give_back().await,
            Condition::Broken => Ok(()),
        };
        self.link.close().await;
        result
    }
}
