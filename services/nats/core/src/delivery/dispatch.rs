//! Which messages of a subscription wait, which run, and in which order: bounded in messages and in bytes.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

/// What the messages of one subscription may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages that run at once.
    pub running: usize,
    /// Messages that wait or run.
    pub messages: usize,
    /// Their bytes.
    pub bytes: usize,
    /// What happens to one more.
    pub when_full: WhenFull,
}

/// What happens to a message that does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It is dropped.
    #[default]
    DropNew,
    /// Those that wait longest are dropped.
    DropOld,
    /// It is taken, and nothing more is read from the server until there is room. What is on its way by then still has to
    /// be taken, so the limits are passed by as much as one read holds.
    StopReading,
}

/// Messages of one subscription. Those with the same key run one after the other, in the order in which they came.
#[derive(Debug)]
pub struct Dispatch<T> {
    limits: Limits,
    /// Waiting, and nothing of the same key before them. Oldest first.
    ready: VecDeque<Entry<T>>,
    /// By key: those behind the one that is ready or runs.
    lanes: HashMap<Bytes, VecDeque<Entry<T>>>,
    running: usize,
    messages: usize,
    bytes: usize,
    arrivals: u64,
}

#[derive(Debug)]
struct Entry<T> {
    arrival: u64,
    key: Option<Bytes>,
    bytes: usize,
    item: T,
}

/// A message that runs. Give it back with [`Dispatch::finish`].
#[derive(Debug)]
#[must_use = "what is not finished takes room for ever"]
pub struct Running {
    arrival: u64,
    key: Option<Bytes>,
    bytes: usize,
}

/// A message that does not run for a while. Those of its key wait for it. Give it back with [`Dispatch::unpark`].
#[derive(Debug)]
#[must_use = "what is not given back takes room for ever"]
pub struct Parked(Running);

impl<T> Dispatch<T> {
    /// Nothing waits.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ready: VecDeque::new(),
            lanes: HashMap::new(),
            running: 0,
            messages: 0,
            bytes: 0,
            arrivals: 0,
        }
    }

    /// A message of so many bytes has come. Gives those that are dropped for lack of room, itself perhaps.
    pub fn push(&mut self, key: Option<Bytes>, bytes: usize, item: T) -> Vec<T> {
        let mut dropped = Vec::new();
        while !self.fits(bytes) && self.limits.when_full == WhenFull::DropOld {
            match self.drop_oldest() {
                Some(oldest) => dropped.push(oldest),
                None => break,
            }
        }
        if !self.fits(bytes) && self.limits.when_full != WhenFull::StopReading {
            dropped.push(item);
            return dropped;
        }
        self.messages += 1;
        self.bytes += bytes;
        self.arrivals += 1;
        let entry = Entry {
            arrival: self.arrivals,
            key,
            bytes,
            item,
        };
        let lane = entry.key.as_ref().and_then(|key| self.lanes.get_mut(key));
        match (lane, entry.key.clone()) {
            (Some(lane), _) => lane.push_back(entry),
            (None, key) => {
                self.lanes.extend(key.map(|key| (key, VecDeque::new())));
                self.ready.push_back(entry);
            }
        }
        dropped
    }

    /// A message that may run now.
    pub fn start(&mut self) -> Option<(Running, T)> {
        if self.running >= self.limits.running {
            return None;
        }
        let Entry {
            arrival,
            key,
            bytes,
            item,
        } = self.ready.pop_front()?;
        self.running += 1;
        Some((Running { arrival, key, bytes }, item))
    }

    /// A message that runs is to be tried again later. Until then another one may run in its place.
    pub fn park(&mut self, running: Running) -> Parked {
        self.running = self.running.saturating_sub(1);
        Parked(running)
    }

    /// A message may run again, as soon as there is room. It comes before those that have arrived after it.
    pub fn unpark(&mut self, parked: Parked, item: T) {
        let Running { arrival, key, bytes } = parked.0;
        self.make_ready(Entry {
            arrival,
            key,
            bytes,
            item,
        });
    }

    fn make_ready(&mut self, entry: Entry<T>) {
        let place = self.ready.partition_point(|other| other.arrival < entry.arrival);
        self.ready.insert(place, entry);
    }

    /// A message is done.
    pub fn finish(&mut self, running: Running) {
        self.running = self.running.saturating_sub(1);
        self.release(running.key, running.bytes);
    }

    /// Whether there is no room for another message.
    pub fn is_full(&self) -> bool {
        self.messages >= self.limits.messages || self.bytes >= self.limits.bytes
    }

    /// Messages that wait or run.
    pub fn messages(&self) -> usize {
        self.messages
    }

    /// Their bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Messages that run.
    pub fn running(&self) -> usize {
        self.running
    }

    /// A message larger than all of the room is taken when nothing else is there, or it never would be.
    fn fits(&self, bytes: usize) -> bool {
        self.messages == 0
            || (self.messages < self.limits.messages && self.bytes.saturating_add(bytes) <= self.limits.bytes)
    }

    fn release(&mut self, key: Option<Bytes>, bytes: usize) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        let Some(key) = key else { return };
        match self.lanes.get_mut(&key).and_then(VecDeque::pop_front) {
            // Fair to others: it has waited as long as it has waited.
            Some(next) => self.make_ready(next),
            None => drop(self.lanes.remove(&key)),
        }
    }

    /// Among those that wait there is always one that is ready, or all wait for one that runs.
    fn drop_oldest(&mut self) -> Option<T> {
        if let Some(Entry { key, bytes, item, .. }) = self.ready.pop_front() {
            self.release(key, bytes);
            return Some(item);
        }
        let first = |lane: &VecDeque<Entry<T>>| lane.front().map_or(u64::MAX, |entry| entry.arrival);
        let oldest = self.lanes.values_mut().min_by_key(|lane| first(lane))?.pop_front()?;
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(oldest.bytes);
        Some(oldest.item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dispatch(running: usize, messages: usize, when_full: WhenFull) -> Dispatch<u32> {
        Dispatch::new(Limits {
            running,
            messages,
            bytes: 1000,
            when_full,
        })
    }

    fn key(name: &'static str) -> Option<Bytes> {
        Some(Bytes::from(name))
    }

    fn started(dispatch: &mut Dispatch<u32>) -> Vec<u32> {
        std::iter::from_fn(|| dispatch.start().map(|(_, item)| item)).collect()
    }

    #[test]
    fn messages_without_a_key_run_side_by_side() {
        let mut dispatch = dispatch(2, 10, WhenFull::DropNew);
        for item in 0..3 {
            assert!(dispatch.push(None, 1, item).is_empty());
        }
        let (first, _) = dispatch.start().unwrap();
        assert_eq!(started(&mut dispatch), [1]);
        dispatch.finish(first);
        assert_eq!(started(&mut dispatch), [2]);
    }

    #[test]
    fn messages_of_one_key_run_one_after_the_other() {
        let mut dispatch = dispatch(9, 10, WhenFull::DropNew);
        dispatch.push(key("a"), 1, 0);
        dispatch.push(key("a"), 1, 1);
        dispatch.push(key("b"), 1, 2);
        let (a, item) = dispatch.start().unwrap();
        assert_eq!(item, 0);
        assert_eq!(started(&mut dispatch), [2]);
        dispatch.push(key("a"), 1, 3);
        dispatch.finish(a);
        let (a, item) = dispatch.start().unwrap();
        assert_eq!((item, dispatch.running()), (1, 2));
        assert!(dispatch.start().is_none());
        dispatch.finish(a);
        assert_eq!(started(&mut dispatch), [3]);
    }

    #[test]
    fn one_that_waits_for_another_attempt_holds_up_its_key_and_nobody_else() {
        let mut dispatch = dispatch(1, 10, WhenFull::StopReading);
        dispatch.push(key("a"), 1, 0);
        dispatch.push(key("a"), 1, 1);
        dispatch.push(key("b"), 1, 2);
        dispatch.push(key("c"), 1, 3);
        let (a, item) = dispatch.start().unwrap();
        let parked = dispatch.park(a);
        let (b, other) = dispatch.start().unwrap();
        assert_eq!((item, other, dispatch.messages()), (0, 2, 4));
        dispatch.unpark(parked, item);
        assert!(dispatch.start().is_none(), "there is no room");
        dispatch.finish(b);
        let (a, item) = dispatch.start().unwrap();
        assert_eq!(item, 0, "before what came after it");
        dispatch.finish(a);
        assert_eq!(started(&mut dispatch), [1]);
    }

    #[test]
    fn when_full_the_policy_says_who_goes() {
        let mut new = dispatch(1, 2, WhenFull::DropNew);
        let mut old = dispatch(1, 2, WhenFull::DropOld);
        let mut stop = dispatch(1, 2, WhenFull::StopReading);
        for dispatch in [&mut new, &mut old, &mut stop] {
            assert!(dispatch.push(None, 1, 0).is_empty());
            assert!(dispatch.push(None, 1, 1).is_empty());
            assert!(dispatch.is_full());
        }
        assert_eq!(new.push(None, 1, 2), [2]);
        assert_eq!(old.push(None, 1, 2), [0]);
        assert!(stop.push(None, 1, 2).is_empty());
        assert_eq!((new.messages(), old.messages(), stop.messages()), (2, 2, 3));
    }

    #[test]
    fn bytes_count_as_well_and_the_oldest_of_a_lane_can_go() {
        let mut dispatch = dispatch(1, 10, WhenFull::DropOld);
        assert!(dispatch.push(None, 5000, 0).is_empty(), "alone it is always taken");
        let (huge, _) = dispatch.start().unwrap();
        assert_eq!(dispatch.push(None, 1, 1), [1], "what runs cannot be dropped");
        dispatch.finish(huge);
        dispatch.push(key("a"), 400, 2);
        let (running, _) = dispatch.start().unwrap();
        dispatch.push(key("a"), 400, 3);
        assert_eq!(dispatch.push(key("a"), 400, 4), [3]);
        dispatch.finish(running);
        assert_eq!(started(&mut dispatch), [4]);
        assert_eq!(dispatch.bytes(), 400);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_overtaken_and_the_bounds_hold(
            steps in prop::collection::vec((0u8..4, 0u8..3, 1usize..300), 1..200),
            old in any::<bool>(),
        ) {
            let when_full = if old { WhenFull::DropOld } else { WhenFull::DropNew };
            let mut dispatch = dispatch(3, 8, when_full);
            let mut running = Vec::new();
            let (mut pushed, mut seen) = (0u32, Vec::new());
            let mut last: HashMap<u8, u32> = HashMap::new();
            let mut keys = HashMap::new();
            for (step, lane, bytes) in steps {
                match step {
                    0 | 1 => {
                        keys.insert(pushed, lane);
                        let key = (lane > 0).then(|| Bytes::copy_from_slice(&[lane]));
                        seen.extend(dispatch.push(key, bytes, pushed));
                        pushed += 1;
                    }
                    2 => if let Some((ticket, item)) = dispatch.start() {
                        let lane = keys[&item];
                        if lane > 0 {
                            prop_assert!(running.iter().all(|(_, other)| keys[other] != lane));
                            prop_assert!(last.insert(lane, item).is_none_or(|before| before < item));
                        }
                        running.push((ticket, item));
                    },
                    _ => if let Some((ticket, item)) = running.pop() {
                        dispatch.finish(ticket);
                        seen.push(item);
                    },
                }
                prop_assert!(dispatch.running() <= 3 && dispatch.messages() <= 8);
            }
            while dispatch.messages() > 0 {
                while let Some(started) = dispatch.start() {
                    running.push(started);
                }
                for (ticket, item) in running.drain(..) {
                    dispatch.finish(ticket);
                    seen.push(item);
                }
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..pushed).collect::<Vec<_>>());
            prop_assert_eq!((dispatch.bytes(), dispatch.lanes.len()), (0, 0));
        }
    }
}
