//! Durations as people write them: `30s`, `1m30s`, `500ms`.

use std::time::Duration;

const UNITS: [(&str, u64); 6] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
];

/// Reads a duration: whole numbers with a unit each, `d`, `h`, `m`, `s`, `ms` or `us`, added up.
///
/// The error is the rule that the text breaks.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("empty, for example 30s, 1m30s or 500ms".to_owned());
    }
    let mut nanoseconds: u64 = 0;
    while !rest.is_empty() {
        let (number, after) = split_at_first(rest, |c| !c.is_ascii_digit());
        let (unit, after) = split_at_first(after, |c| c.is_ascii_digit());
        rest = after;
        if number.is_empty() {
            return Err("not a number and a unit, for example 30s, 1m30s or 500ms".to_owned());
        }
        if unit.is_empty() {
            return Err(format!(
                "{number} has no unit (d, h, m, s, ms, us), for example {number}s"
            ));
        }
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(format!(
                "unit {unit} is not one of d, h, m, s, ms, us, for example {number}s"
            ));
        };
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*scale));
        nanoseconds = part
            .and_then(|part| nanoseconds.checked_add(part))
            .ok_or("longer than 500 years")?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Writes a duration as [`parse_duration`] reads it. What is below a microsecond is cut off.
pub fn format_duration(duration: Duration) -> String {
    let mut nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, scale) in UNITS {
        let number = nanoseconds / scale;
        nanoseconds %= scale;
        if number > 0 {
            text.push_str(&format!("{number}{unit}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

pub(super) fn split_at_first(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(microseconds in 0..u64::MAX / 1000) {
            let duration = Duration::from_micros(microseconds);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_makes_it_fail_otherwise_than_by_an_error(text in ".*") {
            let _ = parse_duration(&text);
        }
    }

    #[test]
    fn units_add_up() {
        assert_eq!(
            parse_duration("1d2h3m4s5ms6us"),
            Ok(Duration::from_micros(93_784_005_006))
        );
        assert_eq!(parse_duration(" 90s "), parse_duration("1m30s"));
        assert_eq!(parse_duration("0s"), Ok(Duration::ZERO));
        assert_eq!(format_duration(Duration::from_secs(90)), "1m30s");
        assert_eq!(format_duration(Duration::ZERO), "0s");
    }

    #[test]
    fn bad_durations_name_the_rule_they_break() {
        let cases = [
            ("", "empty, for example 30s, 1m30s or 500ms"),
            ("5x", "unit x is not one of d, h, m, s, ms, us, for example 5s"),
            ("30", "30 has no unit (d, h, m, s, ms, us), for example 30s"),
            ("1m30", "30 has no unit (d, h, m, s, ms, us), for example 30s"),
            ("-5s", "not a number and a unit, for example 30s, 1m30s or 500ms"),
            ("soon", "not a number and a unit, for example 30s, 1m30s or 500ms"),
            ("1.5s", "unit . is not one of d, h, m, s, ms, us, for example 1s"),
            ("5S", "unit S is not one of d, h, m, s, ms, us, for example 5s"),
            ("999999999999d", "longer than 500 years"),
            ("99999999999999999999s", "longer than 500 years"),
        ];
        for (text, rule) in cases {
            assert_eq!(parse_duration(text), Err(rule.to_owned()), "{text:?}");
        }
    }
}
