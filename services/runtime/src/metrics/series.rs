//! The three kinds of metric. Cloning one shares its value.
//!
//! They are atomic so that callbacks of libraries, which ask for `Send + Sync`, may hold them too. On one thread, as
//! in a component, that costs nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A number that only grows.
#[derive(Clone, Debug, Default)]
pub struct Counter {
    value: Arc<AtomicU64>,
}

impl Counter {
    /// Adds `amount`.
    pub fn add(&self, amount: u64) {
        self.value.fetch_add(amount, Relaxed);
    }

    /// The sum so far.
    pub fn value(&self) -> u64 {
        self.value.load(Relaxed)
    }
}

/// A number that is what it was last set to.
#[derive(Clone, Debug, Default)]
pub struct Gauge {
    /// An `f64`'s bits, zero being `0.0`.
    bits: Arc<AtomicU64>,
}

impl Gauge {
    /// Sets the value.
    pub fn set(&self, value: f64) {
        self.bits.store(value.to_bits(), Relaxed);
    }

    /// Adds `amount`, which may be negative.
    pub fn add(&self, amount: f64) {
        add(&self.bits, amount);
    }

    /// The value now.
    pub fn value(&self) -> f64 {
        f64::from_bits(self.bits.load(Relaxed))
    }
}

/// How often values fell into each of a row of buckets.
#[derive(Clone, Debug)]
pub struct Histogram {
    inner: Arc<HistogramInner>,
}

#[derive(Debug)]
struct HistogramInner {
    /// Upper bound of each bucket, inclusive, and the values in it alone. Values above all bounds are in `count` only.
    buckets: Box<[(f64, AtomicU64)]>,
    count: AtomicU64,
    sum: AtomicU64,
}

impl Histogram {
    pub(super) fn new(bounds: &[f64]) -> Self {
        let mut bounds: Vec<f64> = bounds.iter().copied().filter(|bound| bound.is_finite()).collect();
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        let buckets = bounds.into_iter().map(|bound| (bound, AtomicU64::new(0))).collect();
        Self {
            inner: Arc::new(HistogramInner {
                buckets,
                count: AtomicU64::new(0),
                sum: AtomicU64::new(0),
            }),
        }
    }

    /// Counts a value.
    pub fn observe(&self, value: f64) {
        if let Some((_, bucket)) = self.inner.buckets.iter().find(|(bound, _)| value <= *bound) {
            bucket.fetch_add(1, Relaxed);
        }
        self.inner.count.fetch_add(1, Relaxed);
        add(&self.inner.sum, value);
    }

    /// Counts a duration, in seconds.
    pub fn observe_duration(&self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }

    /// Values counted so far.
    pub fn count(&self) -> u64 {
        self.inner.count.load(Relaxed)
    }

    /// The sum of the values counted so far.
    pub fn sum(&self) -> f64 {
        f64::from_bits(self.inner.sum.load(Relaxed))
    }

    /// Each upper bound, and the values up to it.
    pub(super) fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        self.inner.buckets.iter().scan(0, |below, (bound, bucket)| {
            *below += bucket.load(Relaxed);
            Some((*bound, *below))
        })
    }
}

fn add(bits: &AtomicU64, amount: f64) {
    let add = |bits| Some((f64::from_bits(bits) + amount).to_bits());
    // The closure never refuses, so this never fails.
    let _ = bits.fetch_update(Relaxed, Relaxed, add);
}
