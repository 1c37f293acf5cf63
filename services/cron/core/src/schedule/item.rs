//! One item of a field's list: checked against OCPS and rewritten with numbers only, the way croner reads it.

use super::error::Reason;
use super::field::Field;
use super::hashed::{self, JobName};
use super::refusal;

/// The largest step that makes a difference in any field; larger ones are the same as this one.
const MAX_STEP: u16 = 9_999;

const LAST_DAY_OF_WEEK: &str = "L follows one day, as in 5L or FRI#L; for Saturday write 6";
const NTH_DAY_OF_WEEK: &str = "# stands between one day and 1-5 or L, as in MON#1 or 5#L";
pub(super) const NEAREST_WEEKDAY: &str = "W follows one day or L and stands alone, as in 15W or LW";

/// Values from `low` to `high`, both included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) low: u16,
    pub(super) high: u16,
}

/// Checks one list item and rewrites it for croner.
pub(super) fn normalise(field: Field, text: &str, job: JobName<'_>) -> Result<String, Reason> {
    if let Some(after_h) = text.strip_prefix('H') {
        return hashed::resolve(field, text, after_h, job);
    }
    if is_wildcard(field, text) {
        return Ok(field.range_text());
    }
    if let Some((range, step_text)) = text.split_once('/') {
        return stepped(field, text, range, step_text);
    }
    match field {
        Field::DayOfMonth if text == "L" || text == "LW" => return Ok(text.to_owned()),
        Field::DayOfMonth if text.ends_with('W') => return nearest_weekday(text),
        Field::DayOfWeek if text.contains('#') => return nth_day_of_week(text),
        Field::DayOfWeek if text.ends_with('L') => return last_day_of_week(text),
        _ => {}
    }
    if text.contains('-') {
        let span = span(field, text)?;
        return Ok(format!("{}-{}", span.low, span.high));
    }
    value(field, text).map(|value| value.to_string())
}

/// `*`, and in the day fields its alias `?` (OCPS 1.4 §4.2).
pub(super) fn is_wildcard(field: Field, text: &str) -> bool {
    text == "*" || (text == "?" && field.is_day())
}

/// A range, in which the second SUN is 7 (OCPS 1.0 §4.2 lets it be 0 or 7): `FRI-SUN` runs forwards.
pub(super) fn span(field: Field, text: &str) -> Result<Span, Reason> {
    let two_ends = || Reason::Modifier {
        field,
        item: text.to_owned(),
        rule: "a range has one value on each side of one dash, as in 1-5",
    };
    let (first, last) = text.split_once('-').ok_or_else(two_ends)?;
    if first.is_empty() || last.is_empty() || last.contains('-') {
        return Err(two_ends());
    }
    let low = value(field, first)?;
    let mut high = value(field, last)?;
    if field == Field::DayOfWeek && low > 0 && last.eq_ignore_ascii_case("SUN") {
        high = 7;
    }
    if low > high {
        return Err(Reason::ReversedRange {
            field,
            range: text.to_owned(),
            instead: refusal::forwards(field, low, high),
        });
    }
    Ok(Span { low, high })
}

/// The number after a slash: at least 1 (OCPS 1.0 §6.2).
pub(super) fn step(field: Field, item: &str, step: &str) -> Result<u16, Reason> {
    if step.is_empty() || !step.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Reason::BadStep {
            field,
            item: item.to_owned(),
            step: step.to_owned(),
        });
    }
    if step.bytes().all(|byte| byte == b'0') {
        return Err(Reason::StepZero {
            field,
            item: item.to_owned(),
        });
    }
    Ok(step.parse().unwrap_or(MAX_STEP).min(MAX_STEP))
}

/// A number or a name.
fn value(field: Field, text: &str) -> Result<u16, Reason> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = text.parse().ok().filter(|number| field.range().contains(number));
        return number.ok_or_else(|| Reason::OutOfRange {
            field,
            value: text.to_owned(),
        });
    }
    field.named(text).ok_or_else(|| refusal::not_a_value(field, text))
}

fn stepped(field: Field, text: &str, range: &str, step_text: &str) -> Result<String, Reason> {
    let from = if is_wildcard(field, range) {
        match field {
            // From 1970 (OCPS 1.2 §4.2), where croner would start from 1.
            Field::Year => field.range_text(),
            _ => "*".to_owned(),
        }
    } else if range.contains('-') {
        let span = span(field, range)?;
        format!("{}-{}", span.low, span.high)
    } else {
        let instead = match range {
            "" => format!("*/{step_text}"),
            _ => format!("{}-{}/{step_text}", value(field, range)?, field.range().end()),
        };
        return Err(Reason::StepWithoutRange {
            field,
            item: text.to_owned(),
            instead,
        });
    };
    Ok(format!("{from}/{}", step(field, text, step_text)?))
}

/// `15W` (OCPS 1.3 §4.3).
fn nearest_weekday(text: &str) -> Result<String, Reason> {
    let field = Field::DayOfMonth;
    let day = text.trim_end_matches('W');
    if day.is_empty() || !day.bytes().all(|byte| byte.is_ascii_digit()) || text.len() > day.len() + 1 {
        return Err(Reason::Modifier {
            field,
            item: text.to_owned(),
            rule: NEAREST_WEEKDAY,
        });
    }
    Ok(format!("{}W", value(field, day)?))
}

/// `MON#1`, `5#L` (OCPS 1.3 §4.1 and §4.2).
fn nth_day_of_week(text: &str) -> Result<String, Reason> {
    let field = Field::DayOfWeek;
    let malformed = || Reason::Modifier {
        field,
        item: text.to_owned(),
        rule: NTH_DAY_OF_WEEK,
    };
    let (day, nth) = text.split_once('#').ok_or_else(malformed)?;
    if day.contains(['-', '*', '?', '#']) || !matches!(nth, "1" | "2" | "3" | "4" | "5" | "L") {
        return Err(malformed());
    }
    Ok(format!("{}#{nth}", value(field, day)?))
}

/// `5L`, `FRIL` (OCPS 1.3 §4.1).
fn last_day_of_week(text: &str) -> Result<String, Reason> {
    let field = Field::DayOfWeek;
    let day = text.strip_suffix('L').unwrap_or(text);
    if day.is_empty() || day.contains(['-', '*', '?', 'L']) {
        return Err(Reason::Modifier {
            field,
            item: text.to_owned(),
            rule: LAST_DAY_OF_WEEK,
        });
    }
    Ok(format!("{}#L", value(field, day)?))
}
