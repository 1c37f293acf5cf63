//! A queue that is bounded in bytes and in requests, those in flight included: what is acknowledged is accounted for
//! until it has arrived or is given up.

use std::collections::VecDeque;

use crate::batch::Size;

/// What a backlog holds at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of all requests.
    pub bytes: usize,
    /// Requests.
    pub requests: usize,
}

/// What happens to a request that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It is refused: the sender is told, and keeps it.
    Refuse,
    /// It is dropped, and its sender is told not to send it again.
    DropNewest,
    /// The oldest that are not in flight are dropped until it fits.
    DropOldest,
}

/// Requests in the order of their arrival, each with its size.
#[derive(Debug)]
pub struct Backlog<T> {
    bounds: Bounds,
    waiting: VecDeque<(T, Size)>,
    items: usize,
    bytes: usize,
    in_flight: usize,
    in_flight_bytes: usize,
}

/// There is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl<T> Backlog<T> {
    /// An empty one.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            waiting: VecDeque::new(),
            items: 0,
            bytes: 0,
            in_flight: 0,
            in_flight_bytes: 0,
        }
    }

    /// Whether a request of so many bytes has room now.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.requests() < self.bounds.requests && self.bytes().saturating_add(bytes) <= self.bounds.bytes
    }

    /// Whether it can have room once the rest is gone.
    pub fn can_hold(&self, bytes: usize) -> bool {
        bytes <= self.bounds.bytes && self.bounds.requests > 0
    }

    /// Whether [`Backlog::push`] would keep a request of so many bytes now, be it by dropping others.
    pub fn takes(&self, bytes: usize, when_full: WhenFull) -> bool {
        match when_full {
            WhenFull::Refuse | WhenFull::DropNewest => self.has_room(bytes),
            WhenFull::DropOldest => {
                self.in_flight < self.bounds.requests && self.in_flight_bytes.saturating_add(bytes) <= self.bounds.bytes
            }
        }
    }

    /// Whether it is half empty at least: far from full, and not about to be full again at once.
    pub fn is_half_empty(&self) -> bool {
        self.requests() <= self.bounds.requests / 2 && self.bytes() <= self.bounds.bytes / 2
    }

    /// Adds a request to the end. Returns what was dropped, the request itself if there is no room for it: with
    /// [`WhenFull::DropOldest`] only what waits can make room.
    ///
    /// # Errors
    /// It is full, and its sender is to keep it.
    pub fn push(&mut self, request: T, size: Size, when_full: WhenFull) -> Result<Vec<(T, Size)>, Full> {
        let mut dropped = Vec::new();
        while !self.has_room(size.bytes) {
            match when_full {
                WhenFull::Refuse => return Err(Full),
                WhenFull::DropNewest => return Ok(vec![(request, size)]),
                WhenFull::DropOldest => {
                    let fits_then = self.takes(size.bytes, when_full);
                    let oldest = if fits_then { self.waiting.pop_front() } else { None };
                    let Some((oldest, size_of_oldest)) = oldest else {
                        dropped.push((request, size));
                        return Ok(dropped);
                    };
                    self.items -= size_of_oldest.items;
                    self.bytes -= size_of_oldest.bytes;
                    dropped.push((oldest, size_of_oldest));
                }
            }
        }
        self.restore(request, size);
        Ok(dropped)
    }

    /// Adds what was acknowledged in an earlier life to the end, within the bounds or not: it is not to be lost for those
    /// that are smaller now, or for what comes a second time. There is no room for others until it is gone.
    pub fn restore(&mut self, request: T, size: Size) {
        self.items += size.items;
        self.bytes += size.bytes;
        self.waiting.push_back((request, size));
    }

    /// The sizes of what waits, oldest first.
    pub fn sizes(&self) -> impl Iterator<Item = Size> {
        self.waiting.iter().map(|(_, size)| *size)
    }

    /// The size of all that waits.
    pub fn waiting(&self) -> Size {
        Size {
            items: self.items,
            bytes: self.bytes,
        }
    }

    /// The oldest that waits.
    pub fn front(&self) -> Option<&T> {
        self.waiting.front().map(|(request, _)| request)
    }

    /// Takes the oldest so many requests. They count until [`Backlog::release`].
    pub fn take(&mut self, count: usize) -> Vec<(T, Size)> {
        let taken: Vec<_> = self.waiting.drain(..count.min(self.waiting.len())).collect();
        let bytes: usize = taken.iter().map(|(_, size)| size.bytes).sum();
        self.items -= taken.iter().map(|(_, size)| size.items).sum::<usize>();
        self.bytes -= bytes;
        self.in_flight_bytes += bytes;
        self.in_flight += taken.len();
        taken
    }

    /// Takes back the youngest request that this is true of, if it still waits.
    pub fn remove(&mut self, is: impl Fn(&T) -> bool) -> Option<(T, Size)> {
        let at = self.waiting.iter().rposition(|(request, _)| is(request))?;
        let (request, size) = self.waiting.remove(at)?;
        self.items -= size.items;
        self.bytes -= size.bytes;
        Some((request, size))
    }

    /// So many requests that were taken have arrived, or are given up.
    pub fn release(&mut self, requests: usize, bytes: usize) {
        self.in_flight = self.in_flight.saturating_sub(requests);
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(bytes);
    }

    /// Bytes of what waits and what is in flight.
    pub fn bytes(&self) -> usize {
        self.bytes + self.in_flight_bytes
    }

    /// Requests that wait or are in flight.
    pub fn requests(&self) -> usize {
        self.waiting.len() + self.in_flight
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn size(bytes: usize) -> Size {
        Size { items: 1, bytes }
    }

    #[test]
    fn what_is_in_flight_takes_room_until_it_has_arrived() {
        let mut backlog = Backlog::new(Bounds {
            bytes: 10,
            requests: 10,
        });
        assert_eq!(backlog.push('a', size(6), WhenFull::Refuse), Ok(vec![]));
        assert_eq!(backlog.take(5), [('a', size(6))]);
        assert_eq!(backlog.push('b', size(6), WhenFull::Refuse), Err(Full));
        // What is in flight cannot be dropped to make room.
        assert_eq!(
            backlog.push('b', size(6), WhenFull::DropOldest),
            Ok(vec![('b', size(6))])
        );
        backlog.release(1, 6);
        assert_eq!(backlog.push('b', size(6), WhenFull::Refuse), Ok(vec![]));
        assert_eq!((backlog.bytes(), backlog.requests()), (6, 1));
    }

    #[test]
    fn the_oldest_make_room_or_the_newest_does_not_get_in() {
        let mut backlog = Backlog::new(Bounds { bytes: 10, requests: 3 });
        for request in ['a', 'b', 'c'] {
            backlog.push(request, size(3), WhenFull::Refuse).unwrap();
        }
        assert_eq!(
            backlog.push('d', size(3), WhenFull::DropNewest),
            Ok(vec![('d', size(3))])
        );
        let both = vec![('a', size(3)), ('b', size(3))];
        assert_eq!(backlog.push('d', size(5), WhenFull::DropOldest), Ok(both));
        assert_eq!(
            backlog.push('e', size(11), WhenFull::DropOldest),
            Ok(vec![('e', size(11))])
        );
        let left: Vec<char> = backlog.take(9).into_iter().map(|(request, _)| request).collect();
        assert_eq!(left, ['c', 'd']);
    }

    #[test]
    fn what_an_earlier_life_left_is_kept_and_takes_all_room_until_it_is_gone() {
        let mut backlog = Backlog::new(Bounds { bytes: 10, requests: 2 });
        for request in ['a', 'b', 'c'] {
            backlog.restore(request, size(6));
        }
        assert_eq!((backlog.requests(), backlog.bytes()), (3, 18));
        assert_eq!(backlog.push('d', size(1), WhenFull::Refuse), Err(Full));
        assert_eq!(backlog.take(9).len(), 3);
        assert!(!backlog.takes(1, WhenFull::DropOldest));
        backlog.release(3, 18);
        assert_eq!(backlog.push('d', size(1), WhenFull::Refuse), Ok(vec![]));
    }

    #[test]
    fn one_that_waits_can_be_taken_back_and_one_in_flight_cannot() {
        let mut backlog = Backlog::new(Bounds { bytes: 10, requests: 4 });
        for request in ['a', 'b', 'c'] {
            backlog.push(request, size(3), WhenFull::Refuse).unwrap();
        }
        backlog.take(1);
        assert_eq!(backlog.remove(|request| *request == 'a'), None);
        assert_eq!(backlog.remove(|request| *request == 'b'), Some(('b', size(3))));
        assert_eq!(
            (backlog.requests(), backlog.bytes(), backlog.waiting()),
            (2, 6, size(3))
        );
        assert!(!backlog.is_half_empty());
        backlog.release(1, 3);
        assert!(backlog.is_half_empty());
    }

    proptest! {
        #[test]
        fn the_bounds_hold_and_every_item_is_sent_or_counted(
            steps in prop::collection::vec((0_usize..20, 0_usize..4, any::<bool>()), 1..200),
        ) {
            let mut backlog = Backlog::new(Bounds { bytes: 50, requests: 5 });
            let (mut pushed, mut dropped, mut sent, mut flying) = (0, 0, 0, Vec::new());
            for (bytes, take, arrive) in steps {
                pushed += 1;
                let (takes, before) = (backlog.takes(bytes, WhenFull::DropOldest), backlog.requests());
                let gone = backlog.push((), size(bytes), WhenFull::DropOldest).unwrap().len();
                prop_assert_eq!(backlog.requests(), before + 1 - gone);
                // One that it does not take is all that is dropped.
                prop_assert!(takes || gone == 1 && backlog.requests() == before);
                dropped += gone;
                prop_assert!(backlog.bytes() <= 50 && backlog.requests() <= 5);
                flying.extend(backlog.take(take));
                if arrive {
                    for ((), size) in flying.drain(..) {
                        backlog.release(1, size.bytes);
                        sent += 1;
                    }
                }
            }
            prop_assert_eq!(pushed, dropped + sent + flying.len() + backlog.take(99).len());
        }
    }
}
