//! Each span by its trace id alone: consistent probability sampling (OpenTelemetry Specification, Trace §Probability
//! Sampling, tracestate field `ot`).
//!
//! The last seven bytes of a trace id, or `rv` where the sender gives it, are a random number R of 56 bits. A span is kept if
//! R is at least the threshold T = (1 - ratio) * 2^56. Whoever samples the same trace with the same ratio keeps the same
//! spans, and with a larger one all of those. The threshold is written into the tracestate, `ot=th:`, so that whoever counts
//! spans knows how many each stands for.

use super::SpanView;
use crate::wire::schema::{Kind, Message, SPAN};
use crate::wire::{Fields, Malformed, Value, put_bytes, put_message};

/// A share of traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    threshold: u64,
}

const MAX: u64 = 1 << 56;

const TRACE_STATE: u32 = 3;

/// A request with the spans that are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampled {
    /// Protobuf.
    pub bytes: Vec<u8>,
    /// Spans that are kept.
    pub kept: usize,
    /// Spans that are not.
    pub dropped: usize,
}

impl Ratio {
    /// A ratio from 0 to 1; 1 keeps everything. None if it is not in that range.
    pub fn new(ratio: f64) -> Option<Self> {
        if !(0.0..=1.0).contains(&ratio) {
            return None;
        }
        Some(Self {
            threshold: ((1.0 - ratio) * MAX as f64).round() as u64,
        })
    }

    /// Whether everything is kept, untouched.
    pub fn keeps_all(self) -> bool {
        self.threshold == 0
    }

    /// The spans of a request that are kept. Resources and scopes without any are left out.
    ///
    /// # Errors
    /// It is malformed above its spans.
    pub fn sample(self, request: &'static Message, bytes: &[u8]) -> Result<Sampled, Malformed> {
        let mut sampled = Sampled {
            bytes: Vec::new(),
            kept: 0,
            dropped: 0,
        };
        let mut out = Vec::with_capacity(bytes.len());
        self.put(&mut out, &mut sampled, request, bytes)?;
        sampled.bytes = out;
        Ok(sampled)
    }

    fn put(
        self,
        out: &mut Vec<u8>,
        sampled: &mut Sampled,
        message: &'static Message,
        bytes: &[u8],
    ) -> Result<(), Malformed> {
        for field in Fields::new(bytes) {
            let field = field.map_err(|fault| Malformed::new(message, fault))?;
            let known = message.field(field.number).map(|known| known.kind);
            match (known, field.value) {
                (Some(Kind::Message(inner)), Value::Bytes(span)) if std::ptr::eq(inner, &SPAN) => {
                    if self.put_span(out, field.number, field.raw, span) {
                        sampled.kept += 1;
                    } else {
                        sampled.dropped += 1;
                    }
                }
                (Some(Kind::Message(inner)), Value::Bytes(content)) if inner.holds_items => {
                    let (before, kept) = (out.len(), sampled.kept);
                    put_message(out, field.number, |out| self.put(out, sampled, inner, content))?;
                    if sampled.kept == kept {
                        out.truncate(before);
                    }
                }
                _ => out.extend_from_slice(field.raw),
            }
        }
        Ok(())
    }

    /// Appends a span if it is kept.
    fn put_span(self, out: &mut Vec<u8>, number: u32, raw: &[u8], span: &[u8]) -> bool {
        let view = SpanView::new(span);
        let state = std::str::from_utf8(view.trace_state).unwrap_or_default();
        let Some(earlier) = self.decide(view.trace_id, state) else {
            return false;
        };
        if earlier >= self.threshold {
            // It was sampled as strictly before, and says so already.
            out.extend_from_slice(raw);
            return true;
        }
        let state = with_threshold(state, self.threshold);
        let Ok(()) = put_message(out, number, |out| {
            for field in Fields::new(span).filter_map(Result::ok) {
                if field.number != TRACE_STATE {
                    out.extend_from_slice(field.raw);
                }
            }
            put_bytes(out, TRACE_STATE, state.as_bytes());
            Ok::<_, std::convert::Infallible>(())
        });
        true
    }

    /// Whether a span is kept; if so the threshold that it was sampled with before, 0 for none.
    fn decide(self, trace_id: &[u8], state: &str) -> Option<u64> {
        let sub = |key| sub_key(state, key);
        let randomness = sub("rv:").and_then(hex56).or_else(|| {
            let last = trace_id.last_chunk::<7>()?;
            Some(last.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
        })?;
        let earlier = sub("th:").and_then(threshold).unwrap_or(0);
        (randomness >= self.threshold).then_some(earlier)
    }
}

/// The value of OpenTelemetry's own member of a tracestate.
fn member(state: &str) -> Option<&str> {
    state.split(',').find_map(|member| member.trim().strip_prefix("ot="))
}

fn sub_key<'a>(state: &'a str, key: &str) -> Option<&'a str> {
    member(state)?.split(';').find_map(|sub| sub.strip_prefix(key))
}

/// Fourteen digits.
fn hex56(text: &str) -> Option<u64> {
    if text.len() != 14 {
        return None;
    }
    u64::from_str_radix(text, 16).ok()
}

/// Up to fourteen digits, zeros at the end left out.
fn threshold(text: &str) -> Option<u64> {
    if text.is_empty() || text.len() > 14 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    hex56(&format!("{text:0<14}"))
}

/// The tracestate with this threshold in it. OpenTelemetry's member goes to the front, as one that was changed does (W3C
/// Trace Context §3.3.1.1).
fn with_threshold(state: &str, threshold: u64) -> String {
    let digits = format!("{threshold:014x}");
    let digits = digits.trim_end_matches('0');
    let mut own = format!("ot=th:{}", if digits.is_empty() { "0" } else { digits });
    for sub in member(state)
        .unwrap_or_default()
        .split(';')
        .filter(|sub| !sub.is_empty() && !sub.starts_with("th:"))
    {
        own.push(';');
        own.push_str(sub);
    }
    for other in state
        .split(',')
        .map(str::trim)
        .filter(|other| !other.is_empty() && !other.starts_with("ot="))
    {
        own.push(',');
        own.push_str(other);
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half() -> Ratio {
        Ratio::new(0.5).unwrap()
    }

    #[test]
    fn the_threshold_is_that_of_the_specification() {
        assert_eq!(with_threshold("", half().threshold), "ot=th:8");
        assert_eq!(with_threshold("", Ratio::new(0.25).unwrap().threshold), "ot=th:c");
        assert_eq!(
            with_threshold("", Ratio::new(0.01).unwrap().threshold),
            "ot=th:fd70a3d70a3d7"
        );
        assert!(Ratio::new(1.0).unwrap().keeps_all());
        assert_eq!(
            (Ratio::new(1.1), Ratio::new(-0.1), Ratio::new(f64::NAN)),
            (None, None, None)
        );
    }

    #[test]
    fn the_last_seven_bytes_of_a_trace_id_decide() {
        let id = |byte: u8| [&[0; 9][..], &[byte], &[0; 6]].concat();
        assert_eq!(half().decide(&id(0x80), ""), Some(0));
        assert_eq!(half().decide(&id(0x7F), ""), None);
        assert_eq!(half().decide(&[], ""), None);
        let nothing = Ratio::new(0.0).unwrap();
        assert_eq!(nothing.decide(&[0xFF; 16], ""), None);
    }

    #[test]
    fn randomness_in_the_tracestate_goes_before_the_trace_id() {
        let state = "vendor=x,ot=rv:80000000000000;th:4";
        assert_eq!(half().decide(&[0; 16], state), Some(0x40_0000_0000_0000));
        assert_eq!(half().decide(&[0xFF; 16], "ot=rv:7fffffffffffff"), None);
        // One that is not fourteen digits is none.
        assert_eq!(half().decide(&[0xFF; 16], "ot=rv:7f"), Some(0));
    }

    #[test]
    fn other_members_of_the_tracestate_stay() {
        let state = with_threshold("a=1, ot=rv:80000000000000;th:4 ,b=2", half().threshold);
        assert_eq!(state, "ot=th:8;rv:80000000000000,a=1,b=2");
    }
}
