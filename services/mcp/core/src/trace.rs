//! W3C trace context.

/// A `traceparent` for a span below `parent`, or one of a new trace if there is none, or none that is valid.
pub fn child_of(parent: Option<&str>) -> String {
    let span: u64 = rand::random::<u64>().max(1);
    match parent.and_then(split) {
        Some((trace, flags)) => format!("00-{trace}-{span:016x}-{flags}"),
        None => format!("00-{:032x}-{span:016x}-01", rand::random::<u128>().max(1)),
    }
}

/// Trace id and flags (Trace Context §3.2).
fn split(parent: &str) -> Option<(&str, &str)> {
    let mut fields = parent.split('-');
    let (version, trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let hex =
        |text: &str, length| text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let valid = hex(version, 2) && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
    let set = |text: &str| text.bytes().any(|byte| byte != b'0');
    (valid && version != "ff" && set(trace) && set(span)).then_some((trace, flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_parent_is_continued_and_any_other_is_not() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00";
        let child = child_of(Some(parent));
        assert!(
            child.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && child.ends_with("-00"),
            "{child}"
        );
        assert_ne!(child, parent);
        for wrong in [
            "",
            "00-xyz",
            "ff-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
            &"0-".repeat(9),
        ] {
            let new = child_of(Some(wrong));
            assert!(new.len() == 55 && !new.contains("0af765"), "{new}");
        }
    }
}
