//! W3C trace context: one trace for each run, one span for each attempt.

use crate::hash;

/// Draws the ids of a service's traces. The same for a run and an attempt whenever it is asked, so nothing is kept.
#[derive(Clone, Copy, Debug)]
pub struct Traces {
    seed: u64,
}

impl Traces {
    /// `seed` is drawn by each service at its start, so that replicas and clusters that run the same jobs do not share
    /// traces. Attempts of a run share a trace as long as the service lives.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The trace id of a run: 32 hexadecimal digits.
    pub fn trace_id(self, run_id: &str) -> String {
        let (first, second) = (b"trace, first half", b"trace, second half");
        format!("{:016x}{:016x}", self.draw(run_id, first), self.draw(run_id, second))
    }

    /// The `traceparent` of an attempt: version 00, sampled.
    ///
    /// Source: <https://www.w3.org/TR/trace-context/#traceparent-header>.
    pub fn traceparent(self, run_id: &str, attempt: u32) -> String {
        let span = self.draw(run_id, &attempt.to_le_bytes());
        format!("00-{}-{span:016x}-01", self.trace_id(run_id))
    }

    /// An id: any number but 0, which means none.
    fn draw(self, run_id: &str, part: &[u8]) -> u64 {
        hash::stable(&[&self.seed.to_le_bytes(), run_id.as_bytes(), part]).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_of_a_run_share_a_trace_and_have_spans_of_their_own() {
        let run = "report@2026-11-22T03:00:00Z";
        let first = Traces::new(7).traceparent(run, 1);
        let second = Traces::new(7).traceparent(run, 2);
        let elsewhere = Traces::new(8).traceparent(run, 1);
        assert_eq!(first.len(), 55);
        assert_eq!(first.get(3..35), Some(&*Traces::new(7).trace_id(run)));
        assert_eq!(first.get(..35), second.get(..35));
        assert_ne!(first, second);
        assert_ne!(first.get(..35), elsewhere.get(..35));
    }
}
