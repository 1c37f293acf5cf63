//! What is wrong with a schedule: the text, the field, the value, the rule it breaks and the way out.

use super::field::Field;

/// A schedule that could not be read, or that can never fire.
///
/// It prints as one line: `schedule "61 * * * *": minute 61 is not in 0-59`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schedule {text:?}: {reason}")]
pub struct ScheduleError {
    text: String,
    reason: Reason,
}

impl ScheduleError {
    pub(super) fn new(text: &str, reason: Reason) -> Self {
        Self {
            text: text.to_owned(),
            reason,
        }
    }

    /// The schedule as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Which rule it breaks.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }
}

/// The rule that a schedule breaks, in words: value, rule, way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// Nothing but blanks.
    #[error("is empty; write five fields such as \"0 3 * * *\", or an alias such as @daily")]
    Empty,
    /// OCPS 1.0 §4.1, 1.2 §4.1 and §4.2: five, six or seven fields.
    #[error(
        "has {0} field{plural}, not 5 (minute hour day-of-month month day-of-week), 6 (a second before them) \
         or 7 (a year after them)", plural = if *.0 == 1 { "" } else { "s" }
    )]
    FieldCount(usize),
    /// OCPS 1.0 §4.3: blanks are spaces and tabs.
    #[error("holds {0:?}, which no schedule may; separate fields by spaces or tabs")]
    IllegalCharacter(char),
    /// A zone in front of the fields, as some crons take it.
    #[error("a zone is not a part of the schedule; set the job's zone instead")]
    ZonePrefix,
    /// OCPS 1.0 §5.1: a list has something between its commas.
    #[error("{field} \"{item}\" has an empty list item; remove the extra comma")]
    EmptyItem {
        /// The field.
        field: Field,
        /// The field's text.
        item: String,
    },
    /// OCPS 1.0 §6.2, out-of-range values.
    #[error("{field} {value} is not in {}", .field.range_text())]
    OutOfRange {
        /// The field.
        field: Field,
        /// The number as written.
        value: String,
    },
    /// Neither a number nor one of the field's names.
    #[error("{field} \"{value}\" is not {}{}", .field.values_text(), did_you_mean(.nearest))]
    NotAValue {
        /// The field.
        field: Field,
        /// The text in the value's place.
        value: String,
        /// The name it resembles.
        nearest: Option<&'static str>,
    },
    /// OCPS 1.0 §6.2, invalid ranges.
    #[error("{field} {range} runs backwards; write {instead}")]
    ReversedRange {
        /// The field.
        field: Field,
        /// The range as written.
        range: String,
        /// The same days or hours as a list of ranges that run forwards.
        instead: String,
    },
    /// OCPS 1.0 §6.2, invalid step syntax: a step of 0.
    #[error("{field} \"{item}\" steps by 0; a step is at least 1")]
    StepZero {
        /// The field.
        field: Field,
        /// The list item.
        item: String,
    },
    /// OCPS 1.0 §6.2, invalid step syntax: what stands before the slash.
    #[error("{field} \"{item}\": a step follows * or a range; write {instead}")]
    StepWithoutRange {
        /// The field.
        field: Field,
        /// The list item.
        item: String,
        /// The item as it was probably meant.
        instead: String,
    },
    /// Something other than one number after the slash.
    #[error("{field} \"{item}\": \"{step}\" is not a step; write a number of 1 or more after one slash")]
    BadStep {
        /// The field.
        field: Field,
        /// The list item.
        item: String,
        /// What follows the slash.
        step: String,
    },
    /// A modifier in a field, place or case that the specification gives it no meaning in.
    #[error("{field} \"{item}\": {rule}")]
    Modifier {
        /// The field.
        field: Field,
        /// The list item.
        item: String,
        /// The rule and the way out.
        rule: &'static str,
    },
    /// OCPS 1.1 §7.1: an alias that is not one.
    #[error(
        "{alias} is not an alias{}; the aliases are @yearly, @annually, @monthly, @weekly, @daily, \
         @midnight, @hourly, @reboot, @every and @at", did_you_mean(.nearest)
    )]
    UnknownAlias {
        /// The alias as written.
        alias: String,
        /// The alias it resembles.
        nearest: Option<&'static str>,
    },
    /// OCPS 1.1 §7.1: an alias is not combined with any other token.
    #[error("{alias} stands alone; remove \"{rest}\"")]
    AliasWithFields {
        /// The alias.
        alias: String,
        /// What follows it.
        rest: String,
    },
    /// `@every` without a duration that it could use.
    #[error("@every \"{value}\": {rule}")]
    Every {
        /// What follows `@every`.
        value: String,
        /// The rule and the way out.
        rule: &'static str,
    },
    /// `@at` without an instant that it could use.
    #[error("@at \"{value}\": {rule}")]
    At {
        /// What follows `@at`.
        value: String,
        /// The rule and the way out.
        rule: &'static str,
    },
    /// There is no tick in the years that schedules cover (OCPS 1.0 §6.2: not an error of the text).
    #[error("never fires: {0}")]
    NeverFires(&'static str),
    /// croner refuses what passed the checks above.
    #[error("{0}")]
    Pattern(String),
}

fn did_you_mean(nearest: &Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean {name}?"))
}
