//! W3C trace context: the `traceparent` of a message, and of what is called because of it.

/// The header's name.
pub const TRACEPARENT: &str = "traceparent";

/// The trace context of a call that a message causes: a new span in the message's trace, or in a new trace if it has
/// none that can be read. Both ids are random and fresh for each call.
///
/// ```
/// use mainstay_nats_core::trace::child;
///
/// let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// assert_eq!(child(Some(parent), 7, 1), "00-0af7651916cd43dd8448eb211c80319c-0000000000000001-01");
/// ```
pub fn child(parent: Option<&str>, new_trace: u128, new_span: u64) -> String {
    // Neither id may be all zeros (W3C Trace Context §3.2.2).
    let (new_trace, span) = (new_trace.max(1), new_span.max(1));
    match parent.and_then(trace_and_flags) {
        Some((trace, flags)) => format!("00-{trace}-{span:016x}-{flags}"),
        None => format!("00-{new_trace:032x}-{span:016x}-01"),
    }
}

/// Trace id and flags, if all of it is as it should be.
fn trace_and_flags(parent: &str) -> Option<(&str, &str)> {
    let mut parts = parent.trim().split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length| {
        text.len() == length
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let is_id = |text: &str, length| is_hex(text, length) && text.bytes().any(|byte| byte != b'0');
    let known = is_hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
    (known && is_id(trace, 32) && is_id(span, 16) && is_hex(flags, 2)).then_some((trace, flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_a_span_of_its_own_in_the_messages_trace() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        assert_eq!(
            child(Some(parent), 7, 0xabc),
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000abc-00"
        );
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-brings";
        assert_eq!(
            child(Some(later), 7, 1),
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000001-01"
        );
    }

    #[test]
    fn without_a_trace_that_can_be_read_a_new_one_begins() {
        for parent in [
            None,
            Some(""),
            Some("00-00000000000000000000000000000000-b7ad6b7169203331-01"),
            Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"),
            Some("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"),
            Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x"),
            Some("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ] {
            let started = child(parent, 0x1234, 0x5678);
            let expected = "00-00000000000000000000000000001234-0000000000005678-01";
            assert_eq!(started, expected, "{parent:?}");
            assert!(trace_and_flags(&started).is_some());
        }
        assert!(trace_and_flags(&child(None, 0, 0)).is_some());
    }
}
