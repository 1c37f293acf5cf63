//! One queue for all: bounded in items and in bytes, with a policy for when it is full.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use tokio::sync::{Mutex, Notify};

use crate::metrics::{Counter, Gauge, Registry};
use crate::seldom::Seldom;

/// What a queue is called, what it holds at most, and what happens when it is full.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// As logs and metrics show it.
    pub name: &'static str,
    /// At most so many items.
    pub items: usize,
    /// At most so many bytes, of those that [`Queue::push`] is told.
    pub bytes: usize,
    /// What happens to an item that does not fit.
    pub when_full: WhenFull,
}

/// What happens to an item that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It is given back.
    Refuse,
    /// The oldest items are dropped until it fits.
    DropOldest,
    /// It waits until there is room, first come first served.
    Wait,
}

/// An item that was not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused<T> {
    /// There is no room for it now.
    #[error("queue full")]
    Full(T),
    /// It is larger than the whole queue.
    #[error("item larger than its queue")]
    TooLarge(T),
    /// Nobody takes items from it any more.
    #[error("queue closed")]
    Closed(T),
}

impl<T> Refused<T> {
    /// The item.
    pub fn into_item(self) -> T {
        match self {
            Self::Full(item) | Self::TooLarge(item) | Self::Closed(item) => item,
        }
    }
}

/// A first-in first-out queue between local tasks. Cloning shares it. What it drops and refuses is counted in
/// `mainstay_queue_lost_total`, by queue and reason, and logged.
#[derive(Debug)]
pub struct Queue<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Rc::clone(&self.shared),
        }
    }
}

#[derive(Debug)]
struct Shared<T> {
    limits: Limits,
    content: RefCell<Content<T>>,
    /// Held by the one who waits for room, so that those who wait are served in order.
    pushing: Mutex<()>,
    /// Held by the one who waits for an item.
    popping: Mutex<()>,
    room: Notify,
    item: Notify,
    losses: Seldom,
    meters: Meters,
}

#[derive(Debug)]
struct Content<T> {
    /// Items and their bytes.
    items: VecDeque<(T, usize)>,
    bytes: usize,
    closed: bool,
}

#[derive(Debug)]
struct Meters {
    items: Gauge,
    bytes: Gauge,
    dropped: Counter,
    refused: Counter,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub fn new(limits: Limits, metrics: &Registry) -> Self {
        let queue = ("queue", limits.name);
        let lost = |reason| {
            let help = "Items that a full queue dropped or refused.";
            metrics.counter("mainstay_queue_lost_total", help, &[queue, ("reason", reason)])
        };
        let meters = Meters {
            items: metrics.gauge("mainstay_queue_items", "Items in a queue.", &[queue]),
            bytes: metrics.gauge("mainstay_queue_bytes", "Bytes in a queue.", &[queue]),
            dropped: lost("dropped"),
            refused: lost("refused"),
        };
        let content = Content {
            items: VecDeque::new(),
            bytes: 0,
            closed: false,
        };
        let shared = Shared {
            limits,
            content: RefCell::new(content),
            pushing: Mutex::new(()),
            popping: Mutex::new(()),
            room: Notify::new(),
            item: Notify::new(),
            losses: Seldom::default(),
            meters,
        };
        Self {
            shared: Rc::new(shared),
        }
    }

    /// Adds an item of so many bytes, waiting for room if that is the policy.
    ///
    /// If its future is dropped while it waits, the item was not added.
    pub async fn push(&self, item: T, bytes: usize) -> Result<(), Refused<T>> {
        let shared = &*self.shared;
        if shared.limits.when_full != WhenFull::Wait {
            return self.try_push(item, bytes);
        }
        let _turn = shared.pushing.lock().await;
        while shared.waits(bytes) {
            shared.room.notified().await;
        }
        shared.add(item, bytes)
    }

    /// Adds an item of so many bytes without waiting: where the policy is to wait, it refuses.
    pub fn try_push(&self, item: T, bytes: usize) -> Result<(), Refused<T>> {
        let shared = &*self.shared;
        let waiting = shared.limits.when_full == WhenFull::Wait && shared.pushing.try_lock().is_err();
        if waiting {
            shared.refuse(Refused::Full(item))
        } else {
            shared.add(item, bytes)
        }
    }

    /// Takes the oldest item, waiting for one. Nothing once the queue is closed and empty.
    pub async fn pop(&self) -> Option<T> {
        let shared = &*self.shared;
        let _turn = shared.popping.lock().await;
        loop {
            if let Some(item) = self.try_pop() {
                return Some(item);
            }
            if shared.content.borrow().closed {
                return None;
            }
            shared.item.notified().await;
        }
    }

    /// Takes the oldest item, if there is one.
    pub fn try_pop(&self) -> Option<T> {
        let (item, bytes) = self.shared.content.borrow_mut().items.pop_front()?;
        self.shared.removed(bytes);
        Some(item)
    }

    /// Refuses items from now on. Those inside can still be taken.
    pub fn close(&self) {
        self.shared.content.borrow_mut().closed = true;
        self.shared.room.notify_one();
        self.shared.item.notify_one();
    }

    /// Items inside.
    pub fn len(&self) -> usize {
        self.shared.content.borrow().items.len()
    }

    /// Whether nothing is inside.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes inside.
    pub fn bytes(&self) -> usize {
        self.shared.content.borrow().bytes
    }
}

impl<T> Shared<T> {
    fn fits(&self, bytes: usize) -> bool {
        let content = self.content.borrow();
        content.items.len() < self.limits.items && content.bytes.saturating_add(bytes) <= self.limits.bytes
    }

    fn too_large(&self, bytes: usize) -> bool {
        bytes > self.limits.bytes || self.limits.items == 0
    }

    /// Whether room for an item can be hoped for.
    fn waits(&self, bytes: usize) -> bool {
        !self.fits(bytes) && !self.too_large(bytes) && !self.content.borrow().closed
    }

    fn add(&self, item: T, bytes: usize) -> Result<(), Refused<T>> {
        if self.content.borrow().closed {
            return Err(Refused::Closed(item));
        }
        if self.too_large(bytes) {
            return self.refuse(Refused::TooLarge(item));
        }
        while !self.fits(bytes) {
            if self.limits.when_full != WhenFull::DropOldest {
                return self.refuse(Refused::Full(item));
            }
            self.drop_oldest();
        }
        let mut content = self.content.borrow_mut();
        content.items.push_back((item, bytes));
        content.bytes += bytes;
        self.show(&content);
        self.item.notify_one();
        Ok(())
    }

    fn drop_oldest(&self) {
        // Dropped last, since an item's destructor may use the queue.
        let oldest = self.content.borrow_mut().items.pop_front();
        if let Some((_item, bytes)) = &oldest {
            self.removed(*bytes);
            self.meters.dropped.add(1);
            self.log_loss("dropped the oldest item");
        }
    }

    fn refuse(&self, refused: Refused<T>) -> Result<(), Refused<T>> {
        self.meters.refused.add(1);
        self.log_loss("refused an item");
        Err(refused)
    }

    fn removed(&self, bytes: usize) {
        let mut content = self.content.borrow_mut();
        content.bytes -= bytes.min(content.bytes);
        self.show(&content);
        self.room.notify_one();
    }

    fn show(&self, content: &Content<T>) {
        self.meters.items.set(content.items.len() as f64);
        self.meters.bytes.set(content.bytes as f64);
    }

    fn log_loss(&self, what: &'static str) {
        if let Some(times) = self.losses.count(1) {
            let Limits { name, items, bytes, .. } = self.limits;
            tracing::warn!(queue = name, items, bytes, times, "full: {what}");
        }
    }
}

#[cfg(test)]
mod tests;
