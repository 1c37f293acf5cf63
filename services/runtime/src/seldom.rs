//! Lines about what may happen many times a second.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

/// One line in this time says it all.
const EVERY: Duration = Duration::from_secs(10);

/// Counts what happens between two lines about it: the first time is told at once, all others together.
#[derive(Debug, Default)]
pub struct Seldom {
    told: Cell<Option<Instant>>,
    untold: Cell<u64>,
}

impl Seldom {
    /// It happened so many times more. How often it did since the last line, if it is time for one.
    pub fn count(&self, more: u64) -> Option<u64> {
        self.untold.set(self.untold.get() + more);
        if self.told.get().is_some_and(|told| told.elapsed() < EVERY) {
            return None;
        }
        self.told.set(Some(Instant::now()));
        Some(self.untold.replace(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_time_is_told_at_once_and_the_others_together() {
        let seldom = Seldom::default();
        assert_eq!(seldom.count(2), Some(2));
        assert_eq!((seldom.count(1), seldom.count(3)), (None, None));
        tokio::time::advance(EVERY).await;
        assert_eq!(seldom.count(1), Some(5));
    }
}
