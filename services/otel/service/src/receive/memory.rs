//! What all requests may take while they are received. The queues bound what is kept; this bounds what is on its way there.

use std::cell::Cell;
use std::rc::Rc;

/// A number of bytes, shared.
#[derive(Debug)]
pub(super) struct Memory {
    free: Cell<usize>,
}

impl Memory {
    pub(super) fn new(bytes: usize) -> Self {
        Self { free: Cell::new(bytes) }
    }
}

/// A share of it, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    memory: Rc<Memory>,
    bytes: usize,
}

impl Reservation {
    pub(super) fn new(memory: &Rc<Memory>) -> Self {
        Self {
            memory: Rc::clone(memory),
            bytes: 0,
        }
    }

    /// Takes more, if there is more.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let Some(left) = self.memory.free.get().checked_sub(bytes) else {
            return false;
        };
        self.memory.free.set(left);
        self.bytes += bytes;
        true
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.memory.free.set(self.memory.free.get() + self.bytes);
    }
}
