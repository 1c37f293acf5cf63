//! Ids, flags and trace state.

use opentelemetry::trace::TraceState;

use crate::tracing::{SpanContext, TraceFlags};

/// OTLP, `SpanFlags`: whether the context is remote is known, and it is.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// A trace id's 16 bytes; none if it is not valid.
pub fn trace_id(digits: &str) -> Vec<u8> {
    let id = hexadecimal(digits, 32).and_then(|digits| u128::from_str_radix(digits, 16).ok());
    let id = id.filter(|&id| id != 0);
    id.map(|id| id.to_be_bytes().to_vec()).unwrap_or_default()
}

/// A span id's 8 bytes; none if it is not valid.
pub fn span_id(digits: &str) -> Vec<u8> {
    let id = hexadecimal(digits, 16).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let id = id.filter(|&id| id != 0);
    id.map(|id| id.to_be_bytes().to_vec()).unwrap_or_default()
}

fn hexadecimal(digits: &str, length: usize) -> Option<&str> {
    let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    (digits.len() == length && all).then_some(digits)
}

/// The flags of W3C trace context.
pub fn trace_flags(flags: TraceFlags) -> u32 {
    flags.contains(TraceFlags::SAMPLED).into()
}

/// The flags of a span whose parent is another process's, or not, as far as that is known.
pub(crate) fn span_flags(flags: TraceFlags, parent_is_remote: Option<bool>) -> u32 {
    let remote = match parent_is_remote {
        None => 0,
        Some(false) => HAS_IS_REMOTE,
        Some(true) => HAS_IS_REMOTE | IS_REMOTE,
    };
    trace_flags(flags) | remote
}

/// The flags of a link to this span.
pub(crate) fn link_flags(context: &SpanContext) -> u32 {
    span_flags(context.trace_flags, Some(context.is_remote))
}

/// `tracestate` as W3C writes it; empty if an entry is not valid, as `wasi:otel` asks.
pub fn trace_state(entries: Vec<(String, String)>) -> String {
    TraceState::from_key_value(entries).unwrap_or_default().header()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_bytes_or_nothing() {
        let digits = "0102030405060708090a0B0C0d0e0f10";
        assert_eq!(trace_id(digits), (1..=16).collect::<Vec<u8>>());
        assert_eq!(span_id("0102030405060708"), (1..=8).collect::<Vec<u8>>());
        let zeros = "0".repeat(32);
        let sign = format!("+{}", "1".repeat(31));
        for bad in [
            "",
            "01",
            zeros.as_str(),
            sign.as_str(),
            "0102030405060708090a0B0C0d0e0f1é",
        ] {
            assert!(trace_id(bad).is_empty(), "{bad}");
        }
        for bad in ["", "0000000000000000", "+102030405060708", digits] {
            assert!(span_id(bad).is_empty(), "{bad}");
        }
    }

    #[test]
    fn trace_state_is_all_valid_or_empty() {
        let entries = |pairs: &[(&str, &str)]| {
            trace_state(
                pairs
                    .iter()
                    .map(|&(key, value)| (key.to_owned(), value.to_owned()))
                    .collect(),
            )
        };
        assert_eq!(
            entries(&[("rojo", "00f067"), ("t61@congo", "t61rc")]),
            "rojo=00f067,t61@congo=t61rc"
        );
        assert_eq!(entries(&[("rojo", "00f067"), ("Not A Key", "1")]), "");
        assert_eq!(entries(&[("rojo", "a,b")]), "");
        assert_eq!(entries(&[]), "");
    }
}
