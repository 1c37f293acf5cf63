//! Sizes as people write them: `512B`, `64KiB`, `4MiB`.

use super::duration::split_at_first;

const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Reads a size in bytes: a whole number and a unit, `B`, `KiB`, `MiB` or `GiB`.
///
/// The error is the rule that the text breaks.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = split_at_first(text.trim(), |c| !c.is_ascii_digit());
    if number.is_empty() {
        return Err("not a number and a unit, for example 512B, 64KiB or 4MiB".to_owned());
    }
    if unit.is_empty() {
        return Err(format!(
            "{number} has no unit (B, KiB, MiB, GiB), for example {number}KiB"
        ));
    }
    let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(format!(
            "unit {unit} is not one of B, KiB, MiB, GiB, for example {number}KiB"
        ));
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*scale));
    bytes.ok_or_else(|| "more than 16 EiB".to_owned())
}

/// Writes a size as [`parse_size`] reads it, in the largest unit that needs no fraction.
pub fn format_size(bytes: u64) -> String {
    let (unit, scale) = UNITS
        .into_iter()
        .find(|(_, scale)| bytes >= *scale && bytes.is_multiple_of(*scale))
        .unwrap_or(("B", 1));
    format!("{}{unit}", bytes / scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(bytes: u64) {
            prop_assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }
    }

    #[test]
    fn sizes_are_written_in_the_largest_whole_unit() {
        let cases = [
            (0, "0B"),
            (1, "1B"),
            (1536, "1536B"),
            (65536, "64KiB"),
            (4 << 20, "4MiB"),
            (3 << 30, "3GiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(format_size(bytes), text);
            assert_eq!(parse_size(text), Ok(bytes));
        }
    }

    #[test]
    fn bad_sizes_name_the_rule_they_break() {
        let cases = [
            ("", "not a number and a unit, for example 512B, 64KiB or 4MiB"),
            ("big", "not a number and a unit, for example 512B, 64KiB or 4MiB"),
            ("-1B", "not a number and a unit, for example 512B, 64KiB or 4MiB"),
            ("64", "64 has no unit (B, KiB, MiB, GiB), for example 64KiB"),
            ("64K", "unit K is not one of B, KiB, MiB, GiB, for example 64KiB"),
            ("64kb", "unit kb is not one of B, KiB, MiB, GiB, for example 64KiB"),
            ("1.5MiB", "unit .5MiB is not one of B, KiB, MiB, GiB, for example 1KiB"),
            ("99999999999GiB", "more than 16 EiB"),
        ];
        for (text, rule) in cases {
            assert_eq!(parse_size(text), Err(rule.to_owned()), "{text:?}");
        }
    }
}
