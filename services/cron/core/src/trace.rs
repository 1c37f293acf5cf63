//! W3C trace context: one trace for each run, one span for each attempt.

use crate::hash;

/// The `traceparent` of an attempt: version 00, sampled.
///
/// `seed` is drawn by each service at its start, so that replicas and clusters that run the same jobs do not share
/// traces. Attempts of a run share a trace as long as the service lives.
///
/// Source: <https://www.w3.org/TR/trace-context/#traceparent-header>.
pub fn traceparent(seed: u64, run_id: &str, attempt: u32) -> String {
    let draw = |part: &[u8]| hash::stable(&[&seed.to_le_bytes(), run_id.as_bytes(), part]).max(1);
    let span = draw(&attempt.to_le_bytes());
    format!(
        "00-{:016x}{:016x}-{span:016x}-01",
        draw(b"trace, first half"),
        draw(b"trace, second half")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_of_a_run_share_a_trace_and_have_spans_of_their_own() {
        let first = traceparent(7, "report@2026-11-22T03:00:00Z", 1);
        let second = traceparent(7, "report@2026-11-22T03:00:00Z", 2);
        let elsewhere = traceparent(8, "report@2026-11-22T03:00:00Z", 1);
        assert_eq!(first.len(), 55);
        assert_eq!(first.get(..35), second.get(..35));
        assert_ne!(first, second);
        assert_ne!(first.get(..35), elsewhere.get(..35));
    }
}
