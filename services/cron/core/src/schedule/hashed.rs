//! `H`: a value picked by the job's name, so that jobs with the same schedule do not all start at once.
//!
//! As in Jenkins: `H` is one value of the field, `H(0-29)` one of that range, `H/15` every 15th from a hashed
//! start, `H(0-29)/10` the same within a range. The value depends on the job's name and the field alone: it stays the
//! same through restarts, on every replica and in every version (the tests pin values).

use crate::hash;

use super::error::Reason;
use super::field::Field;
use super::item::{self, Span};

/// How H may be written.
const FORMS: &str = "H is written H, H(0-29), H/15 or H(0-29)/10";

/// The name of the job that values are picked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct JobName<'a>(pub(super) &'a str);

impl JobName<'_> {
    /// A number in `0..modulus`, different for each field so that `H H` is not a line through the day.
    fn pick(self, field: Field, modulus: u16) -> u16 {
        let hash = hash::stable(&[b"schedule", self.0.as_bytes(), field.to_string().as_bytes()]);
        u16::try_from(hash % u64::from(modulus.max(1))).unwrap_or(0)
    }
}

/// Replaces a list item that starts with `H`, given without that letter, by plain values.
pub(super) fn resolve(field: Field, text: &str, after_h: &str, job: JobName<'_>) -> Result<String, Reason> {
    let malformed = |rule| Reason::Modifier {
        field,
        item: text.to_owned(),
        rule,
    };
    if field == Field::Year {
        return Err(malformed("H is not for years; write the year"));
    }
    let (span, rest) = match after_h.strip_prefix('(') {
        None => (whole(field), after_h),
        Some(inner) => {
            let (range, rest) = inner.split_once(')').ok_or_else(|| malformed(FORMS))?;
            (item::span(field, range)?, rest)
        }
    };
    let width = span.high - span.low + 1;
    if rest.is_empty() {
        return Ok((span.low + job.pick(field, width)).to_string());
    }
    let step = rest.strip_prefix('/').ok_or_else(|| malformed(FORMS))?;
    let step = item::step(field, text, step)?;
    let start = span.low + job.pick(field, step.min(width));
    Ok(format!("{start}-{}/{step}", span.high))
}

/// The values that a bare H picks from: days that every month has, and Sunday once.
fn whole(field: Field) -> Span {
    let range = field.range();
    let high = match field {
        Field::DayOfMonth => 28,
        Field::DayOfWeek => 6,
        _ => *range.end(),
    };
    Span {
        low: *range.start(),
        high,
    }
}
