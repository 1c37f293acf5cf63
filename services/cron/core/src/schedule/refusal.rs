//! What to say of a list item that is no value, and what to write instead.

use super::error::Reason;
use super::field::Field;
use super::item;
use super::nearest::nearest;

/// Why `text` is no value: most often a modifier where it has no meaning.
pub(super) fn not_a_value(field: Field, text: &str) -> Reason {
    if let Some(rule) = broken_rule(field, text) {
        return Reason::Modifier {
            field,
            item: text.to_owned(),
            rule,
        };
    }
    let nearest = field
        .names()
        .iter()
        .find(|name| text.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(name)))
        .copied()
        .or_else(|| nearest(&text.to_ascii_uppercase(), field.names().iter().copied()));
    Reason::NotAValue {
        field,
        value: text.to_owned(),
        nearest,
    }
}

/// The rule about a special character that `text` breaks.
fn broken_rule(field: Field, text: &str) -> Option<&'static str> {
    let is_day_with = |letter: char| {
        let rest = text.replace(letter, "");
        text.contains(letter) && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
    };
    let rule = if text.contains('+') {
        "+ may only be the first character of the day of week"
    } else if text.contains('?') && !field.is_day() {
        "? is only for day of month and day of week; write *"
    } else if text.contains(['*', '?']) {
        "a wildcard stands alone or before a step, as in * or */5"
    } else if text.contains('#') {
        "# is only for the day of week, as in MON#1"
    } else if text.contains(['(', ')']) {
        "parentheses belong to H, as in H(0-29)"
    } else if ["l", "w", "h", "lw"].contains(&text) || is_day_with('l') || is_day_with('w') {
        "L, W and H are written in upper case"
    } else if is_day_with('W') && field == Field::DayOfMonth {
        item::NEAREST_WEEKDAY
    } else if is_day_with('W') {
        "W is only for the day of month, as in 15W"
    } else if is_day_with('L') {
        "L is only for the last day of the month, L, and the last of a day of week, as in FRI#L"
    } else {
        return None;
    };
    Some(rule)
}

/// The same values as a backward range, in ranges that run forwards.
pub(super) fn forwards(field: Field, low: u16, high: u16) -> String {
    if field == Field::Year {
        return format!("{high}-{low}");
    }
    let one = |from: u16, to: u16| {
        if from == to {
            from.to_string()
        } else {
            format!("{from}-{to}")
        }
    };
    let (first, last) = match field {
        // Sunday is 7 at the end of a week and 0 at its start.
        Field::DayOfWeek => (0, low.max(6)),
        _ => (*field.range().start(), *field.range().end()),
    };
    if field == Field::DayOfWeek && low == 7 {
        return one(0, high);
    }
    format!("{},{}", one(low, last), one(first, high))
}
