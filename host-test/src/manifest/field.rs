//! Typed reading of a document.
//!
//! A reader that finds something wrong notes it, with the field's path and place, and gives nothing; so one run over the
//! document finds every problem.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::problem::{Problem, Problems};
use super::yaml::{Entry, Node, Value};

/// A value in a document, by the path that leads to it.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    /// `spec.template.spec.components[0].image`, empty for the document.
    pub(super) path: String,
    pub(super) node: &'a Node,
    problems: &'a Problems,
}

impl<'a> Field<'a> {
    pub(super) fn document(node: &'a Node, problems: &'a Problems) -> Self {
        Self {
            path: String::new(),
            node,
            problems,
        }
    }

    pub(super) fn error(&self, message: impl Display) {
        self.problems.add_error(self.problem(message));
    }

    pub(super) fn warn(&self, message: impl Display) {
        self.problems.add_warning(self.problem(message));
    }

    fn problem(&self, message: impl Display) -> Problem {
        self.problem_at((self.node.line, self.node.column), message)
    }

    fn problem_at(&self, (line, column): (usize, usize), message: impl Display) -> Problem {
        let message = if self.path.is_empty() {
            message.to_string()
        } else {
            format!("{}: {message}", self.path)
        };
        Problem { line, column, message }
    }

    /// A mapping with these fields and no others.
    pub(super) fn fields(&self, known: &[&str]) -> Option<Fields<'a>> {
        let entries = self.entries()?;
        let mut misspelt = Vec::new();
        for (entry, _) in entries.iter().filter(|(entry, _)| !known.contains(&entry.key.as_str())) {
            let near = nearest(&entry.key, known.iter().copied());
            let hint = near.map_or_else(
                || format!("known are {}", known.join(", ")),
                |near| format!("did you mean {near}?"),
            );
            let message = format!("unknown field {}; {hint}", entry.key);
            self.problems
                .add_error(self.problem_at((entry.line, entry.column), message));
            misspelt.push(near.map(str::to_owned));
        }
        Some(Fields {
            whole: self.clone(),
            entries,
            misspelt,
        })
    }

    /// A mapping with keys that the author chooses.
    pub(super) fn entries(&self) -> Option<Vec<(&'a Entry, Field<'a>)>> {
        let Value::Mapping(entries) = &self.node.value else {
            return self.unfit("a mapping of fields");
        };
        let field = |entry: &'a Entry| {
            let path = if self.path.is_empty() {
                entry.key.clone()
            } else {
                format!("{}.{}", self.path, entry.key)
            };
            (
                entry,
                Field {
                    path,
                    node: &entry.value,
                    problems: self.problems,
                },
            )
        };
        Some(entries.iter().map(field).collect())
    }

    /// A list.
    pub(super) fn items(&self) -> Option<Vec<Field<'a>>> {
        let Value::Sequence(items) = &self.node.value else {
            return self.unfit("a list");
        };
        let item = |(index, node)| Field {
            path: format!("{}[{index}]", self.path),
            node,
            problems: self.problems,
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// A string. What Kubernetes reads as a number or a boolean is refused here as it is there.
    pub(super) fn text(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Scalar { text, plain: true } if is_no_string(text) => {
                self.error(format_args!(
                    "{text} is read as {}; quote it: \"{text}\"",
                    kind_of(text)
                ));
                None
            }
            Value::Scalar { text, .. } => Some(text),
            _ => self.unfit("a string"),
        }
    }

    /// A string that is not empty.
    pub(super) fn name(&self) -> Option<&'a str> {
        let text = self.text()?;
        if text.is_empty() {
            self.error("is empty");
        }
        (!text.is_empty()).then_some(text)
    }

    /// One of these strings.
    pub(super) fn one_of(&self, allowed: &[&str]) {
        if let Some(text) = self.text()
            && !allowed.contains(&text)
        {
            let hint = nearest(text, allowed.iter().copied())
                .map_or_else(String::new, |near| format!("; did you mean {near}?"));
            match allowed {
                [only] => self.error(format_args!("\"{text}\" must be {only}")),
                _ => self.error(format_args!("\"{text}\" is not one of {}{hint}", allowed.join(", "))),
            }
        }
    }

    /// A string that has a meaning of its own.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self) -> Option<T> {
        self.text()?.parse().map_err(|error| self.error(error)).ok()
    }

    /// A whole number in a range.
    pub(super) fn integer(&self, range: RangeInclusive<i64>) -> Option<i64> {
        let Value::Scalar { text, plain: true } = &self.node.value else {
            return self.unfit("a whole number");
        };
        let number = text.parse::<i64>().ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.error(format_args!(
                "{text} is not a whole number in {}-{}",
                range.start(),
                range.end()
            ));
        }
        number
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Option<bool> {
        match &self.node.value {
            Value::Scalar { text, plain: true } if text == "true" => Some(true),
            Value::Scalar { text, plain: true } if text == "false" => Some(false),
            _ => self.unfit("true or false"),
        }
    }

    /// Keys and values, both strings.
    pub(super) fn string_map(&self) -> Vec<(&'a Entry, &'a str)> {
        let entries = self.entries().unwrap_or_default();
        entries
            .into_iter()
            .filter_map(|(entry, field)| Some((entry, field.text_or_empty()?)))
            .collect()
    }

    /// A `null` in a map of strings is an empty one.
    fn text_or_empty(&self) -> Option<&'a str> {
        if matches!(self.node.value, Value::Null) {
            Some("")
        } else {
            self.text()
        }
    }

    /// `{ name: ... }`
    pub(super) fn reference(&self) -> Option<(Field<'a>, &'a str)> {
        let name = self.fields(&["name"])?.require("name")?;
        let text = name.name()?;
        Some((name, text))
    }

    fn unfit<T>(&self, wanted: &str) -> Option<T> {
        let found = match &self.node.value {
            Value::Null => "empty".to_owned(),
            Value::Scalar { text, plain: true } => text.clone(),
            Value::Scalar { text, plain: false } => format!("\"{text}\""),
            Value::Sequence(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
        };
        self.error(format_args!("is {found}, must be {wanted}"));
        None
    }
}

/// The fields of a mapping.
pub(super) struct Fields<'a> {
    whole: Field<'a>,
    entries: Vec<(&'a Entry, Field<'a>)>,
    /// For each unknown field, the one that was most likely meant.
    misspelt: Vec<Option<String>>,
}

impl<'a> Fields<'a> {
    /// A field that may be left out, as it is with `null`.
    pub(super) fn optional(&self, name: &str) -> Option<Field<'a>> {
        let (_, field) = self.entries.iter().find(|(entry, _)| entry.key == name)?;
        (!matches!(field.node.value, Value::Null)).then(|| field.clone())
    }

    /// A field that must be there.
    pub(super) fn require(&self, name: &str) -> Option<Field<'a>> {
        let field = self.optional(name);
        let is_misspelt = self.misspelt.iter().any(|meant| meant.as_deref() == Some(name));
        if field.is_none() && !is_misspelt {
            self.missing(name);
        }
        field
    }

    /// Notes a field that must be there and is not, by its path from here.
    pub(super) fn missing(&self, path: &str) {
        self.whole.error(format_args!("{path} is missing"));
    }

    /// Whether it has fields that nobody knows, which were reported already.
    pub(super) fn has_unknown(&self) -> bool {
        !self.misspelt.is_empty()
    }

    /// The items of a list that may be left out.
    pub(super) fn list(&self, name: &str) -> Vec<Field<'a>> {
        self.optional(name).and_then(|field| field.items()).unwrap_or_default()
    }

    /// Notes a field that has no effect on this host.
    pub(super) fn without_effect(&self, name: &str, why: &str) {
        if let Some(field) = self.optional(name) {
            field.warn(format_args!("has no effect here: {why}"));
        }
    }
}

/// Names that must differ within a list.
#[derive(Debug, Default)]
pub(super) struct Unique<'a>(Vec<&'a str>);

impl<'a> Unique<'a> {
    pub(super) fn check(&mut self, field: &Field<'a>, name: &'a str) {
        if self.0.contains(&name) {
            field.error(format_args!("\"{name}\" is there twice"));
        }
        self.0.push(name);
    }
}

/// The name that was most likely meant.
pub(super) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let folded = name.to_lowercase();
    let distance = |known: &&str| strsim::damerau_levenshtein(&folded, &known.to_lowercase());
    let nearest = known.min_by_key(distance)?;
    // Farther than a third of the name it is a guess, and a guess misleads.
    (distance(&nearest) <= (name.chars().count() / 3).max(1)).then_some(nearest)
}

/// What YAML 1.1, which Kubernetes reads, takes a plain word for.
fn is_no_string(text: &str) -> bool {
    kind_of(text) != "a string"
}

fn kind_of(text: &str) -> &'static str {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits =
        |digits: &str, radix| !digits.is_empty() && digits.chars().all(|c| c == '_' || char::is_digit(c, radix));
    match unsigned.to_ascii_lowercase().as_str() {
        "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" if unsigned == text => "a boolean",
        ".inf" | ".nan" => "a number",
        lower => match lower.split_at_checked(2) {
            Some(("0x", rest)) if digits(rest, 16) => "a number",
            Some(("0o", rest)) if digits(rest, 8) => "a number",
            Some(("0b", rest)) if digits(rest, 2) => "a number",
            // Not `inf` or `nan`, which Rust would read as numbers and YAML does not.
            _ if lower.starts_with(|c: char| c.is_ascii_digit() || c == '.')
                && lower.replace('_', "").parse::<f64>().is_ok() =>
            {
                "a number"
            }
            _ => "a string",
        },
    }
}
