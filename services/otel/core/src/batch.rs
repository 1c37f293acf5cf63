//! How much of what waits goes into the next request, and when.

use std::time::Duration;

use crate::wire::Limits;

/// What a request to a collector may hold, and how long the first of it may wait for the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// As much as fits goes out at once when so much is there. A single request that is larger is split.
    pub limits: Limits,
    /// What waits no longer, full or not.
    pub delay: Duration,
}

impl Default for Batching {
    fn default() -> Self {
        Self {
            limits: Limits {
                items: 8192,
                bytes: 4 << 20,
            },
            delay: Duration::from_millis(200),
        }
    }
}

/// The size of a request that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Spans, data points, log records.
    pub items: usize,
    /// Bytes of protobuf.
    pub bytes: usize,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing is there.
    Idle,
    /// Not yet.
    Wait(Duration),
    /// Send the first so many requests as one.
    Send(usize),
}

impl Batching {
    /// Whether so much is worth a plan before its time: each arrival asks, and there may be thousands before a batch is full.
    pub fn may_be_full(&self, waiting: Size) -> bool {
        waiting.items >= self.limits.items || waiting.bytes >= self.limits.bytes
    }

    /// What to do with these requests, oldest first, when the oldest has waited so long.
    pub fn plan(&self, waiting: impl Iterator<Item = Size>, waited: Duration) -> Plan {
        let (mut items, mut bytes, mut count) = (0_usize, 0_usize, 0);
        let mut full = false;
        for size in waiting {
            items = items.saturating_add(size.items);
            bytes = bytes.saturating_add(size.bytes);
            if count > 0 && (items > self.limits.items || bytes > self.limits.bytes) {
                full = true;
                break;
            }
            count += 1;
            if items >= self.limits.items || bytes >= self.limits.bytes {
                full = true;
                break;
            }
        }
        match self.delay.checked_sub(waited) {
            _ if count == 0 => Plan::Idle,
            Some(rest) if !full && !rest.is_zero() => Plan::Wait(rest),
            _ => Plan::Send(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BATCHING: Batching = Batching {
        limits: Limits { items: 10, bytes: 100 },
        delay: Duration::from_millis(200),
    };

    fn plan(sizes: &[(usize, usize)], waited: u64) -> Plan {
        let sizes = sizes.iter().map(|(items, bytes)| Size {
            items: *items,
            bytes: *bytes,
        });
        BATCHING.plan(sizes, Duration::from_millis(waited))
    }

    #[test]
    fn a_batch_goes_when_it_is_full_or_its_time_has_come() {
        assert_eq!(plan(&[], 1000), Plan::Idle);
        assert_eq!(plan(&[(1, 1)], 50), Plan::Wait(Duration::from_millis(150)));
        assert_eq!(plan(&[(1, 1)], 200), Plan::Send(1));
        assert_eq!(plan(&[(5, 1), (5, 1), (5, 1)], 0), Plan::Send(2));
        assert_eq!(plan(&[(5, 1), (6, 1)], 0), Plan::Send(1));
        assert_eq!(plan(&[(1, 60), (1, 60)], 0), Plan::Send(1));
        assert_eq!(plan(&[(50, 1), (1, 1)], 0), Plan::Send(1));
        assert_eq!(plan(&[(0, 0); 3], 300), Plan::Send(3));
    }

    proptest! {
        #[test]
        fn a_batch_is_within_its_limits_or_a_single_request(sizes in prop::collection::vec((0_usize..20, 0_usize..150), 1..50)) {
            let Plan::Send(count) = plan(&sizes, 1000) else { panic!("must be sent") };
            let items: usize = sizes[..count].iter().map(|size| size.0).sum();
            let bytes: usize = sizes[..count].iter().map(|size| size.1).sum();
            prop_assert!(count == 1 || (items <= 10 && bytes <= 100));
        }
    }
}
