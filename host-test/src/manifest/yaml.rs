//! YAML text to documents whose every value knows its line and column.

use saphyr::{MarkedYaml, Marker, ScalarStyle, YamlData, YamlLoader};
use saphyr_parser::Parser;

use super::problem::Problem;

/// A value and where it starts.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) value: Value,
}

/// The shapes of a value. Scalars keep their text: what it means is for the field to say.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// `~`, `null` or nothing at all, which Kubernetes treats as a field left out.
    Null,
    Scalar {
        text: String,
        /// Neither quoted nor a block, so that it may be a number or a boolean.
        plain: bool,
    },
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A key of a mapping, where it stands, and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) key: String,
    pub(super) value: Node,
}

/// All documents of a text, empty ones left out.
pub(super) fn documents(text: &str) -> Result<Vec<Node>, Problem> {
    let mut loader = YamlLoader::<MarkedYaml<'_>>::default();
    loader.early_parse(false);
    let loaded = Parser::new_from_str(text).load(&mut loader, true);
    if let Some(error) = loaded.err().or_else(|| loader.error().cloned()) {
        return Err(at(error.marker(), format!("not valid YAML: {}", error.info())));
    }
    let documents: Result<Vec<Node>, Problem> = loader.into_documents().iter().map(node).collect();
    Ok(documents?
        .into_iter()
        .filter(|document| !matches!(document.value, Value::Null))
        .collect())
}

fn node(yaml: &MarkedYaml<'_>) -> Result<Node, Problem> {
    let start = &yaml.span.start;
    let value = match &yaml.data {
        YamlData::Representation(text, ScalarStyle::Plain, None) if is_null(text) => Value::Null,
        YamlData::Representation(text, style, _) => Value::Scalar {
            text: text.to_string(),
            plain: *style == ScalarStyle::Plain,
        },
        YamlData::Sequence(items) => Value::Sequence(items.iter().map(node).collect::<Result<_, _>>()?),
        YamlData::Mapping(entries) => Value::Mapping(entries.iter().map(entry).collect::<Result<_, _>>()?),
        YamlData::Tagged(_, inner) => return node(inner),
        YamlData::Value(_) | YamlData::Alias(_) | YamlData::BadValue => {
            return Err(at(start, "not valid YAML: a value that cannot be read".to_owned()));
        }
    };
    Ok(Node {
        line: start.line(),
        column: start.col() + 1,
        value,
    })
}

fn entry((key, value): (&MarkedYaml<'_>, &MarkedYaml<'_>)) -> Result<Entry, Problem> {
    let start = &key.span.start;
    let YamlData::Representation(text, ..) = &key.data else {
        return Err(at(start, "a key must be text".to_owned()));
    };
    let (line, column) = (start.line(), start.col() + 1);
    let mut value = node(value)?;
    // A value that was left out has no place of its own.
    if matches!(value.value, Value::Null) {
        (value.line, value.column) = (line, column);
    }
    Ok(Entry {
        line,
        column,
        key: text.to_string(),
        value,
    })
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn at(place: &Marker, message: String) -> Problem {
    Problem {
        line: place.line(),
        column: place.col() + 1,
        message,
    }
}
