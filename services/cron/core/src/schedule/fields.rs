//! A pattern of five to seven fields: split, checked and rewritten with numbers only.

use super::error::Reason;
use super::field::Field;
use super::hashed::JobName;
use super::item;

/// The fields of a pattern after names, aliases of `*` and `H` are resolved.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    /// Second to day of week, the way croner reads them.
    text: String,
    /// The year field; `*` when absent.
    year: String,
    /// Whether the second, minute or hour starts with `*`: what Vixie cron calls a wildcard job.
    pub(super) has_time_wildcard: bool,
}

impl Fields {
    /// The whole pattern, as croner reads it.
    ///
    /// Every year is spelled out as a range: croner's own years begin at 1 and end at 5000.
    pub(super) fn for_croner(&self) -> String {
        let year = if self.year == "*" {
            Field::Year.range_text()
        } else {
            self.year.clone()
        };
        format!("{} {year}", self.text)
    }

    /// The whole pattern, without a year field that allows every year.
    pub(super) fn resolved(&self) -> String {
        if self.year == "*" {
            self.text.clone()
        } else {
            format!("{} {}", self.text, self.year)
        }
    }
}

/// Splits a pattern at its blanks (OCPS 1.0 §4.1) and checks each field.
pub(super) fn parse(text: &str, job: JobName<'_>) -> Result<Fields, Reason> {
    let parts: Vec<&str> = text.split([' ', '\t']).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return Err(Reason::Empty);
    }
    if parts
        .first()
        .is_some_and(|part| part.starts_with("TZ=") || part.starts_with("CRON_TZ="))
    {
        return Err(Reason::ZonePrefix);
    }
    let kinds = Field::of_pattern(parts.len()).ok_or(Reason::FieldCount(parts.len()))?;
    let mut fields = Fields {
        text: String::new(),
        year: "*".to_owned(),
        has_time_wildcard: false,
    };
    if kinds.first() != Some(&Field::Second) {
        // Five fields: on the minute (OCPS 1.2 §4.1).
        fields.text.push('0');
    }
    for (&field, part) in kinds.iter().zip(parts) {
        let resolved = normalise(field, part, job)?;
        if field == Field::Year {
            fields.year = resolved;
            continue;
        }
        if !fields.text.is_empty() {
            fields.text.push(' ');
        }
        fields.text.push_str(&resolved);
        let is_time = matches!(field, Field::Second | Field::Minute | Field::Hour);
        fields.has_time_wildcard |= is_time && (part.starts_with('*') || part.starts_with("H/"));
    }
    Ok(fields)
}

/// Checks a field, item by item, and rewrites it for croner.
fn normalise(field: Field, text: &str, job: JobName<'_>) -> Result<String, Reason> {
    let modifier = |rule| Reason::Modifier {
        field,
        item: text.to_owned(),
        rule,
    };
    let (and, list) = match text.strip_prefix('+').filter(|_| field == Field::DayOfWeek) {
        Some("") => return Err(modifier("+ stands before a day, as in +MON")),
        Some(list) => ("+", list),
        None => ("", text),
    };
    let items: Vec<&str> = list.split(',').collect();
    if items.contains(&"") {
        return Err(Reason::EmptyItem {
            field,
            item: text.to_owned(),
        });
    }
    if field == Field::DayOfMonth && items.len() > 1 && items.iter().any(|item| item.ends_with('W')) {
        // OCPS 1.3 §4.3, constraint.
        return Err(modifier("W cannot stand in a list; make it a schedule of its own"));
    }
    // Every item is checked, even after one that already matches everything (OCPS 1.1 §5.1).
    let resolved = items
        .iter()
        .map(|text| item::normalise(field, text, job))
        .collect::<Result<Vec<_>, _>>()?;
    // A list that starts with `*` is unrestricted (OCPS 1.1 §6.1), which to croner is `*` alone.
    if items.first().is_some_and(|first| item::is_wildcard(field, first)) {
        return Ok(format!("{and}*"));
    }
    Ok(format!("{and}{}", resolved.join(",")))
}
